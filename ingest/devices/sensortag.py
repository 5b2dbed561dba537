"""TI SensorTag CC2650: its movement service.

Values scale with the range that this profile writes; some libraries divide by a range they never set, some rotate the
axes. Axes here are the chip's own.
Source: TI's CC2650 SensorTag user guide; tests of eclipse-kura.
"""

from __future__ import annotations

import struct

from kinestream.core.signals import ACC, GYRO, MAG

from ..profile.decoder import DEGREE, Decoder, G, Group, Packet, expect_size, rows, scale, uuid16
from ..profile.dialogue import Subscribe, Write, script
from ..profile.profile import Plan, Profile, Settings, Signature, choose, refuse

SERVICE = "f000aa80-0451-4000-b000-000000000000"
DATA = "f000aa81-0451-4000-b000-000000000000"
CONFIG = "f000aa82-0451-4000-b000-000000000000"
PERIOD = "f000aa83-0451-4000-b000-000000000000"

RATES_HZ = (1, 2, 4, 5, 10)
"""The stock firmware accepts no period below 100 ms."""
RANGE_CODES = {2: 0, 4: 1, 8: 2, 16: 3}

_GYRO_ON, _ACC_ON, _MAG_ON = 0b111, 0b111 << 3, 1 << 6
GYRO_RANGE_DPS = 250


def plan(settings: Settings) -> Plan:
    """Accelerometer always, gyroscope unless switched off, magnetometer on request."""
    refuse("the SensorTag", gyro_range_dps=settings.gyro_range_dps)
    rate_hz = choose("the rate of a SensorTag", settings.rate_hz, RATES_HZ, default=10)
    range_g = choose("the acceleration range of a SensorTag", settings.acc_range_g, RANGE_CODES, default=8)
    gyro = settings.gyro is not False
    switches = _ACC_ON | (gyro and _GYRO_ON) | (settings.mag and _MAG_ON) | RANGE_CODES[int(range_g)] << 8
    # The packet always has nine columns (gyroscope, accelerometer, magnetometer); disabled sensors send zeros.
    columns = slice(0 if gyro else 3, 9 if settings.mag else 6)
    group = Group("motion", (GYRO + ACC + MAG)[columns], float(rate_hz))
    units = scale((DEGREE * GYRO_RANGE_DPS / 32768, 3), (G * range_g / 32768, 3), (1.0, 3))

    def decode(data: bytes) -> list[Packet]:
        expect_size(data, 18)
        return [Packet("motion", rows(data, "<i2", units)[:, columns])]

    return Plan(
        notify=(DATA,),
        decoder=lambda: Decoder((group,), {DATA: decode}),
        start=script(
            Write(PERIOD, bytes([round(100 / rate_hz)]), "set the period"),
            Subscribe(DATA),
            Write(CONFIG, struct.pack("<H", switches), "switch the sensors on"),
        ),
        stop=script(Write(CONFIG, bytes(2), "switch the sensors off")),
    )


PROFILE = Profile(
    name="sensortag",
    title="TI SensorTag CC2650",
    signature=Signature(("CC2650 SensorTag", "SensorTag"), (SERVICE, uuid16("aa80"))),
    plan=plan,
)
