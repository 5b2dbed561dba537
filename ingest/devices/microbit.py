"""BBC micro:bit, with the accelerometer service in its program.

Source: micro:bit Bluetooth profile (lancaster-microbit.github.io), codal-microbit-v2 MicroBitAccelerometerService.
"""

from __future__ import annotations

import struct

from kinestream.signals import ACC

from .packet import Decoder, G, Group, Packet, expect_size, rows, scale
from .profile import Plan, Profile, Settings, Signature, choose, refuse
from .steps import Subscribe, Write, script

SERVICE = "e95d0753-251d-470a-a062-fa1922dfa9a8"
DATA = "e95dca4b-251d-470a-a062-fa1922dfa9a8"
PERIOD = "e95dfb24-251d-470a-a062-fa1922dfa9a8"

PERIODS_MS = (1, 2, 5, 10, 20, 80, 160, 640)
"""What the firmware allows; any other number, 0 above all, may crash it."""

_MILLI_G = scale((G / 1000, 3))


def plan(settings: Settings) -> Plan:
    """Accelerometer alone; +-2 g as the firmware sets it."""
    refuse("the micro:bit", acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps)
    refuse("the micro:bit", gyro=settings.gyro, mag=settings.mag)
    rates = {1000 / period: period for period in PERIODS_MS}
    fs_hz = choose("the micro:bit's rate", settings.rate_hz, rates, default=50.0)
    group = Group("motion", ACC, fs_hz)

    def decode(data: bytes) -> list[Packet]:
        expect_size(data, 6)
        return [Packet("motion", rows(data, "<i2", _MILLI_G))]

    return Plan(
        notify=(DATA,),
        decoder=lambda: Decoder((group,), {DATA: decode}),
        start=script(Write(PERIOD, struct.pack("<H", rates[fs_hz]), "set the period"), Subscribe(DATA)),
    )


PROFILE = Profile("microbit", "BBC micro:bit", Signature(("BBC micro:bit",), (SERVICE,)), plan)
