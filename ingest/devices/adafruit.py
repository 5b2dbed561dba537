"""Adafruit boards: the ADAF sensor services (CLUE, Feather Sense, Circuit Playground Bluefruit), or Bluefruit packets.

A board programmed for the Bluefruit Connect app sends ``!A`` and ``!G`` packets over Nordic UART; the dialogue expects
them if the ADAF accelerometer service is missing. Each sensor has its own packets.
Source: Adafruit_CircuitPython_BLE_Adafruit (adafruit_service.py and its neighbours), BluefruitConnect (_xyz_packet.py).
"""

from __future__ import annotations

import struct
from functools import partial

from kinestream.core.errors import DecodeError
from kinestream.core.signals import ACC, GYRO, MAG

from ..profile.decoder import Decoder, Group, Packet, expect_size, floats, scale
from ..profile.dialogue import Dialogue, Find, Subscribe, Write
from ..profile.profile import Plan, Profile, Settings, Signature, choose, refuse

UART_SEND = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
"""The characteristic on which the board sends."""


def adaf(number: int) -> str:
    """The UUID of one of Adafruit's own services or characteristics.

    >>> adaf(0x0201)
    'adaf0201-c332-42a8-93bd-25e905756cb8'
    """
    return f"adaf{number:04x}-c332-42a8-93bd-25e905756cb8"


PERIOD = adaf(0x0001)
"""In milliseconds; every service has a period characteristic with this UUID."""
SERVICES = {"acc": adaf(0x0200), "gyro": adaf(0x0400), "mag": adaf(0x0500)}
DATA = {"acc": adaf(0x0201), "gyro": adaf(0x0401), "mag": adaf(0x0501)}

RATES_HZ = (1, 2, 5, 10, 20, 25, 40, 50, 100)
"""Rates with a period of whole milliseconds; the board's program decides how fast it really samples."""
CHANNELS = {"acc": ACC, "gyro": GYRO, "mag": MAG}
LETTERS = {ord("A"): "acc", ord("G"): "gyro", ord("M"): "mag"}
_PACKET_BYTES = 15
_SI = scale((1.0, 3))  # already m/s^2, rad/s and uT


class AdafruitDecoder(Decoder):
    """Decodes both formats; Bluefruit packets may be split anywhere, and bytes between them are skipped."""

    def __init__(self, groups: tuple[Group, ...], other_groups: tuple[Group, ...]) -> None:
        services = {DATA[name]: partial(_vector, name) for name in DATA}
        super().__init__(groups, {**services, UART_SEND: self._uart})
        self.other_groups = other_groups
        self._rest = b""

    def _uart(self, data: bytes) -> list[Packet]:
        buffer, at = self._rest + data, 0
        packets: list[Packet] = []
        while True:
            start = buffer.find(b"!", at)
            if start < 0:
                start = len(buffer)
            self.counts["skipped_bytes"] += start - at
            at = start
            if len(buffer) - at < _PACKET_BYTES:
                break
            packet = buffer[at : at + _PACKET_BYTES]
            group = LETTERS.get(packet[1])
            if group is None or sum(packet) & 0xFF != 0xFF:
                self.counts["skipped_bytes"] += 1
                at += 1
                continue
            at += _PACKET_BYTES
            try:
                packets.append(Packet(group, floats(packet, "<f4", _SI, offset=2)))
            except DecodeError:
                self.counts["not_finite"] += 1
        self._rest = buffer[at:]
        return packets


def _vector(group: str, data: bytes) -> list[Packet]:
    expect_size(data, 12)
    return [Packet(group, floats(data, "<f4", _SI))]


def plan(settings: Settings) -> Plan:
    """Accelerometer and gyroscope, the magnetometer on request; the program on the board sets the ranges."""
    refuse("an Adafruit board", acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps)
    rate_hz = choose("the rate of an Adafruit board", settings.rate_hz, RATES_HZ, default=50)
    wanted = ["acc", *(["gyro"] if settings.gyro is not False else []), *(["mag"] if settings.mag else [])]
    groups = {name: Group(name, CHANNELS[name], float(rate_hz)) for name in DATA}
    return Plan(
        notify=(DATA["acc"], UART_SEND),
        decoder=lambda: AdafruitDecoder(
            tuple(groups[name] for name in wanted), tuple(groups[name] for name in DATA if name not in wanted)
        ),
        start=lambda decoder: _start(decoder, wanted, settings.gyro is True, int(1000 / rate_hz)),
    )


def _start(decoder: Decoder, wanted: list[str], needs_gyro: bool, period_ms: int) -> Dialogue:
    if not (yield Find(DATA["acc"])):
        yield Subscribe(UART_SEND)
        return
    present = list(wanted)
    if "gyro" in wanted and not needs_gyro and not (yield Find(DATA["gyro"])):
        present.remove("gyro")
    decoder.groups = tuple(group for group in decoder.groups if group.name in present)
    for name in present:
        yield Write(PERIOD, struct.pack("<i", period_ms), f"set the period of {name}", service=SERVICES[name])
        yield Subscribe(DATA[name])


PROFILE = Profile(
    name="adafruit",
    title="Adafruit boards",
    signature=Signature(("CIRCUITPY", "Bluefruit", "Adafruit Bluefruit"), tuple(SERVICES.values()), (0x0822,)),
    plan=plan,
    tested_on="packets made by the vendor's own library",
)
