"""eSense earbuds of Nokia Bell Labs.

Numbers are big-endian; each packet has a checksum over length and values, and an index that counts packets.
Source: OpenEarable/open_earable_flutter (esense_sensor_handler.dart, esense_sensor_value_parser.dart), the eSense BLE
specification as implemented there.
"""

from __future__ import annotations

from functools import partial

from kinestream.core.errors import DecodeError
from kinestream.core.signals import ACC, GYRO

from ..profile.decoder import DEGREE, Clock, Decoder, G, Group, Packet, expect_size, rows, scale, uuid16
from ..profile.dialogue import Dialogue, Read, Subscribe, Write, script
from ..profile.profile import Plan, Profile, Settings, Signature, choose, refuse

SERVICE = uuid16("ff06")
CONTROL = uuid16("ff07")
DATA = uuid16("ff08")
IMU_CONFIG = uuid16("ff0e")

SAMPLING, MOTION, CONFIG = 0x53, 0x55, 0x59
RATES_HZ = range(1, 101)
ACC_RANGES_G = (2, 4, 8, 16)
GYRO_RANGES_DPS = (250, 500, 1000, 2000)
GYRO_PER_DPS = (131.0, 65.5, 32.8, 16.4)
CLOCK = Clock(counter_modulus=2**8)

_RANGE_BITS = 0b11000
GYRO_BYTE, ACC_BYTE = 4, 5
"""Positions in the seven bytes of the sensor settings."""


def command(header: int, payload: bytes) -> bytes:
    """A command: header, checksum of the rest, length, payload.

    >>> command(0x53, bytes([1, 50])).hex()
    '5335020132'
    """
    return bytes([header, (len(payload) + sum(payload)) & 0xFF, len(payload)]) + payload


def plan(settings: Settings) -> Plan:
    """Accelerometer and gyroscope in one packet."""
    refuse("eSense", mag=settings.mag)
    rate_hz = choose("the rate of eSense", settings.rate_hz, RATES_HZ, default=50)
    acc_g = choose("the acceleration range of eSense", settings.acc_range_g, ACC_RANGES_G, default=4)
    gyro_dps = choose("the gyroscope range of eSense", settings.gyro_range_dps, GYRO_RANGES_DPS, default=500)
    acc_code, gyro_code = ACC_RANGES_G.index(int(acc_g)), GYRO_RANGES_DPS.index(int(gyro_dps))
    channels = ACC if settings.gyro is False else GYRO + ACC
    group = Group("motion", channels, float(rate_hz), CLOCK)
    units = scale((DEGREE / GYRO_PER_DPS[gyro_code], 3), (G * acc_g / 32768, 3))
    return Plan(
        notify=(DATA,),
        decoder=lambda: Decoder((group,), {DATA: partial(_decode, units, 6 - len(channels))}),
        start=lambda decoder: _start(acc_code, gyro_code, int(rate_hz)),
        stop=script(Write(CONTROL, command(SAMPLING, b"\0\0"), "stop sampling")),
    )


def _start(acc_code: int, gyro_code: int, rate_hz: int) -> Dialogue:
    config = yield Read(IMU_CONFIG, "read the sensor settings")
    if len(config) != 7 or config[0] != CONFIG or config != command(CONFIG, config[3:]):
        raise DecodeError("sensor settings with a wrong checksum; expected 59, sum, 04 and four bytes", config)
    wanted = bytearray(config)
    wanted[GYRO_BYTE] = config[GYRO_BYTE] & ~_RANGE_BITS | gyro_code << 3
    wanted[ACC_BYTE] = config[ACC_BYTE] & ~_RANGE_BITS | acc_code << 3
    yield Write(IMU_CONFIG, command(CONFIG, bytes(wanted[3:])), "set the ranges")
    yield Subscribe(DATA)
    yield Write(CONTROL, command(SAMPLING, bytes([1, rate_hz])), "start sampling")


def _decode(units, first: int, data: bytes) -> list[Packet]:
    expect_size(data, 16)
    if data[0] != MOTION or data[3] != 12 or (sum(data) - data[0] - data[1] - data[2]) & 0xFF != data[2]:
        raise DecodeError("a packet with a wrong checksum; expected 55, index, sum, 0c and twelve bytes", data)
    return [Packet("motion", rows(data, ">i2", units, offset=4)[:, first:], counter=data[1])]


PROFILE = Profile(
    name="esense",
    title="eSense earbuds",
    signature=Signature(("eSense-",), (SERVICE,)),
    plan=plan,
    tested_on="packets built from a library that reads them",
)
