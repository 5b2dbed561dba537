"""Nordic Thingy:52: its raw motion characteristic.

Source: m_motion.c and ble_tms.h of Nordic-Thingy52-FW, lib/thingy.js of Nordic-Thingy52-Nodejs.
"""

from __future__ import annotations

import struct

from kinestream.core.errors import DecodeError
from kinestream.core.signals import ACC, GYRO, MAG

from ..profile.decoder import DEGREE, Decoder, G, Group, Packet, expect_size, rows, scale
from ..profile.dialogue import Dialogue, Read, Subscribe, Write
from ..profile.profile import Plan, Profile, Settings, Signature, choose, refuse

CONFIGURATION_SERVICE = "ef680100-9b35-4933-9b10-52ffa9740042"
SERVICE = "ef680400-9b35-4933-9b10-52ffa9740042"
CONFIG = "ef680401-9b35-4933-9b10-52ffa9740042"
RAW = "ef680406-9b35-4933-9b10-52ffa9740042"

RATES_HZ = range(5, 201)
CONFIG_BYTES = 9
RATE_AT = 6
"""Position of the rate: after the pedometer, temperature and compass intervals, before the wake-on-motion byte."""

# Fixed point: Q6.10 g, Q11.5 deg/s, Q12.4 uT.
_UNITS = scale((G / 1024, 3), (DEGREE / 32, 3), (1 / 16, 3))


def plan(settings: Settings) -> Plan:
    """All nine axes in one notification, at the firmware's ranges."""
    refuse("the Thingy:52", acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps)
    rate_hz = choose("the rate of a Thingy:52", settings.rate_hz, RATES_HZ, default=50)
    group = Group("motion", ACC + GYRO + MAG, float(rate_hz))
    return Plan(
        notify=(RAW,),
        decoder=lambda: Decoder((group,), {RAW: _decode}),
        start=lambda decoder: _start(int(rate_hz)),
    )


def _start(rate_hz: int) -> Dialogue:
    config = yield Read(CONFIG, "read the motion settings")
    if len(config) != CONFIG_BYTES:
        raise DecodeError(f"motion settings of {len(config)} bytes; expected {CONFIG_BYTES}", config)
    config = config[:RATE_AT] + struct.pack("<H", rate_hz) + config[RATE_AT + 2 :]
    yield Write(CONFIG, config, "set the rate")
    yield Subscribe(RAW)


def _decode(data: bytes) -> list[Packet]:
    expect_size(data, 18)
    return [Packet("motion", rows(data, "<i2", _UNITS))]


PROFILE = Profile(
    name="thingy52",
    title="Nordic Thingy:52",
    signature=Signature(("Thingy",), (CONFIGURATION_SERVICE, SERVICE)),
    plan=plan,
    tested_on="packets built from the firmware's number formats",
)
