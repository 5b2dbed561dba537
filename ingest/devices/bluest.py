"""ST boards with the BlueST protocol: SensorTile, SensorTile.box, BlueCoin, STWIN, Nucleo with motion expansion.

Each bit of a characteristic's UUID stands for one feature; most firmware sends all three sensors in one characteristic.
Source: BlueSTSDK_Python (utils/ble_node_definitions.py, features/feature_accelerometer.py and its neighbours); ST's
firmware sends ``HAL_GetTick() >> 3`` as the time, so a tick is 8 ms.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial

from kinestream.core.signals import ACC, GYRO, MAG

from ..profile.decoder import DEGREE, Clock, Decoder, G, Group, Packet, expect_size, rows, scale
from ..profile.dialogue import Subscribe, script
from ..profile.profile import Plan, Profile, Settings, Signature, choose, refuse

SERVICE = "00000000-0001-11e1-9ab4-0002a5d5c51b"


def feature(mask: int) -> str:
    """The characteristic that carries the features in a mask.

    >>> feature(0x00E00000)
    '00e00000-0001-11e1-ac36-0002a5d5c51b'
    """
    return f"{mask:08x}-0001-11e1-ac36-0002a5d5c51b"


ALL = feature(0x00E00000)
ACC_GYRO = feature(0x00C00000)
"""The characteristic of boards without a magnetometer."""

RATES_HZ = range(1, 201)
"""The firmware sets the rate; most firmware sends motion every 50 ms."""
CLOCK = Clock(tick_s=0.008, time_modulus=2**16)

_UNITS = scale((G / 1000, 3), (0.1 * DEGREE, 3), (0.1, 3))  # mg, 0.1 deg/s, mGauss
_TIME = struct.Struct("<H")


def plan(settings: Settings) -> Plan:
    """All three sensors as the firmware sends them; ``rate_hz`` only describes the firmware's rate."""
    refuse("a BlueST board", acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps)
    rate_hz = choose("the rate of a BlueST board", settings.rate_hz, RATES_HZ, default=20)
    channels = ACC if settings.gyro is False else ACC + GYRO
    columns = [*range(len(channels)), *((6, 7, 8) if settings.mag else ())]
    group = Group("motion", channels + (MAG if settings.mag else ()), float(rate_hz), CLOCK)
    handlers: dict[str, Callable[[bytes], list[Packet]]] = {ALL: partial(_decode, 9, columns)}
    if not settings.mag:
        handlers[ACC_GYRO] = partial(_decode, 6, columns)
    return Plan(
        notify=(ALL,),
        decoder=lambda: Decoder((group,), handlers),
        start=script(Subscribe(ALL)),
    )


def _decode(width: int, columns: list[int], data: bytes) -> list[Packet]:
    expect_size(data, 2 + 2 * width)
    values = rows(data, "<i2", _UNITS[:width], offset=2)
    if len(columns) < width:
        values = values[:, columns]
    return [Packet("motion", values, _TIME.unpack_from(data)[0])]


PROFILE = Profile(
    name="bluest",
    title="ST BlueST boards",
    signature=Signature(("BlueMS", "BM2V", "BVBox", "STWIN"), (SERVICE,), (0x0030,)),
    plan=plan,
    tested_on="packets built from the vendor's library",
    configurable=False,
)
