"""BBC micro:bit whose program includes the accelerometer service.

Source: micro:bit Bluetooth profile (lancaster-microbit.github.io), codal-microbit-v2 MicroBitAccelerometerService,
microbit-dal issue 445 (the periods of the LSM303 of version 1.5).
"""

from __future__ import annotations

import struct

from kinestream.core.errors import DecodeError
from kinestream.core.signals import ACC

from ..profile.decoder import Decoder, G, Group, Packet, expect_size, rows, scale
from ..profile.dialogue import Dialogue, Read, Subscribe, Write
from ..profile.profile import Plan, Profile, Settings, Signature, choose, refuse

SERVICE = "e95d0753-251d-470a-a062-fa1922dfa9a8"
DATA = "e95dca4b-251d-470a-a062-fa1922dfa9a8"
PERIOD = "e95dfb24-251d-470a-a062-fa1922dfa9a8"

PERIODS_MS = (1, 2, 5, 10, 20, 40, 80, 100, 160, 640, 1000)
"""The periods of all boards: the first has 80, 160 and 640 ms, version 1.5 and 2 have 40, 100 and 1000 ms. A board
takes its next longer period, and reports it. A period of 0 crashes some firmware."""

_MILLI_G = scale((G / 1000, 3))


def plan(settings: Settings) -> Plan:
    """Accelerometer only, at the firmware's +-2 g."""
    refuse("the micro:bit", acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps)
    refuse("the micro:bit", gyro=settings.gyro, mag=settings.mag)
    rates = {1000 / period: period for period in PERIODS_MS}  # Hz
    fs_hz = choose("the rate of a micro:bit", settings.rate_hz, rates, default=50.0)
    return Plan(
        notify=(DATA,),
        decoder=lambda: Decoder((Group("motion", ACC, fs_hz),), {DATA: _decode}),
        start=lambda decoder: _start(decoder, rates[fs_hz]),
    )


def _start(decoder: Decoder, period_ms: int) -> Dialogue:
    yield Write(PERIOD, struct.pack("<H", period_ms), "set the period")
    answer = yield Read(PERIOD, "read the period back")
    actual_ms = int.from_bytes(answer, "little")
    if len(answer) != 2 or actual_ms == 0:
        raise DecodeError(f"a period of {actual_ms} ms in {len(answer)} bytes; expected 1 ms or more in two", answer)
    decoder.groups = (Group("motion", ACC, 1000 / actual_ms),)
    yield Subscribe(DATA)


def _decode(data: bytes) -> list[Packet]:
    expect_size(data, 6)
    return [Packet("motion", rows(data, "<i2", _MILLI_G))]


PROFILE = Profile("microbit", "BBC micro:bit", Signature(("BBC micro:bit",), (SERVICE,)), plan)
