"""Muse 2 and Muse S: the accelerometer and gyroscope of the headband.

Numbers are big-endian. Accelerometer and gyroscope each count their own packets of three samples.
Source: urish/muse-js (src/muse.ts, src/lib/muse-parse.ts), alexandrebarachant/muse-lsl.
"""

from __future__ import annotations

import struct
from functools import partial

from kinestream.core.errors import DecodeError
from kinestream.core.signals import ACC, GYRO

from ..profile.decoder import (
    BATTERY,
    DEGREE,
    NO_SAMPLES,
    Clock,
    Decoder,
    G,
    Group,
    Packet,
    expect_size,
    rows,
    scale,
    uuid16,
)
from ..profile.dialogue import Periodic, Step, Subscribe, Write, script
from ..profile.profile import Plan, Profile, Settings, Signature, choose, refuse

_BASE = "-4c4d-454d-96be-f03bac821358"
SERVICE = uuid16("fe8d")
CONTROL = f"273e0001{_BASE}"
GYROSCOPE = f"273e0009{_BASE}"
ACCELEROMETER = f"273e000a{_BASE}"
TELEMETRY = f"273e000b{_BASE}"

RATE_HZ = 52.0
PER_PACKET = 3
CLOCK = Clock(counter_modulus=2**16)

_ACC_UNITS = scale((G / 16384, 3))
_GYRO_UNITS = scale((0.0074768 * DEGREE, 3))
_NUMBER = struct.Struct(">H")
_CHARGE = struct.Struct(">2xH")
_KEEP_ALIVE_S = 10.0


def command(text: str) -> bytes:
    """A command in the headband's format: the length including the newline, then the line.

    >>> command("p21").hex()
    '047032310a'
    """
    line = f"{text}\n".encode()
    return bytes([len(line)]) + line


def _send(text: str, to: str) -> Write:
    return Write(CONTROL, command(text), to)


def plan(settings: Settings) -> Plan:
    """Accelerometer and gyroscope at the firmware's rate and ranges; the EEG stays unsubscribed."""
    refuse("the Muse", acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps, mag=settings.mag)
    choose("the rate of a Muse", settings.rate_hz, (RATE_HZ,), RATE_HZ)
    groups = [Group("acc", ACC, RATE_HZ, CLOCK)]
    subscriptions = [ACCELEROMETER]
    if settings.gyro is not False:
        groups.append(Group("gyro", GYRO, RATE_HZ, CLOCK))
        subscriptions.append(GYROSCOPE)
    handlers = {
        ACCELEROMETER: partial(_decode, "acc"),
        GYROSCOPE: partial(_decode, "gyro"),
        TELEMETRY: _telemetry,
    }
    steps: list[Step] = [Subscribe(CONTROL), *map(Subscribe, subscriptions), Subscribe(TELEMETRY)]
    steps += [
        _send("h", "halt a stream left on"),
        _send("p21", "choose the preset with motion"),
        _send("s", "request its state"),
        _send("d", "start the stream"),
    ]

    def make_decoder() -> Decoder:
        decoder = Decoder(tuple(groups), handlers | {CONTROL: _answer})
        decoder.other_groups = () if settings.gyro is not False else (Group("gyro", GYRO, RATE_HZ, CLOCK),)
        return decoder

    return Plan(
        notify=tuple(subscriptions),
        decoder=make_decoder,
        start=script(*steps),
        stop=script(_send("h", "halt the stream")),
        periodic=(Periodic(_KEEP_ALIVE_S, _send("k", "keep the stream alive")),),
    )


def _decode(group: str, data: bytes) -> list[Packet]:
    expect_size(data, 2 + 6 * PER_PACKET)
    units = _ACC_UNITS if group == "acc" else _GYRO_UNITS
    return [Packet(group, rows(data, ">i2", units, PER_PACKET, 2), counter=_NUMBER.unpack_from(data)[0])]


def _telemetry(data: bytes) -> list[Packet]:
    if len(data) < 10:
        raise DecodeError(f"telemetry of {len(data)} bytes; expected 10 or more", data)
    percent = _CHARGE.unpack_from(data)[0] / 512
    if percent > 100:
        raise DecodeError(f"a charge of {percent:g} %; expected at most 100", data)
    return [Packet(BATTERY, NO_SAMPLES, battery_frac=percent / 100)]


def _answer(data: bytes) -> list[Packet]:
    """Ignore a piece of the JSON with which the headband answers a command."""
    return []


PROFILE = Profile(
    name="muse",
    title="Muse 2, Muse S",
    signature=Signature(("Muse-", "MuseS-"), (SERVICE,)),
    plan=plan,
    tested_on="packets of a library's own tests",
)
