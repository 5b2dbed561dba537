"""PineTime and other watches with InfiniTime.

The firmware reads its accelerometer ten times a second and sends only changes, so a watch that lies still is silent.
Source: InfiniTime doc/MotionService.md, src/components/ble/MotionService.cpp, src/systemtask/SystemTask.cpp.
"""

from __future__ import annotations

from kinestream.core.signals import ACC

from ..profile.decoder import Decoder, G, Group, Packet, expect_size, rows, scale
from ..profile.dialogue import Subscribe, script
from ..profile.profile import Plan, Profile, Settings, Signature, choose, refuse

SERVICE = "00030000-78fc-48fe-8e23-433b3a1942d0"
MOTION = "00030002-78fc-48fe-8e23-433b3a1942d0"

RATE_HZ = 10.0
_UNITS = scale((G / 1024, 3))  # binary milli-g


def plan(settings: Settings) -> Plan:
    """Acceleration as the firmware sends it; it has no settings."""
    refuse("the PineTime", acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps)
    refuse("the PineTime", gyro=settings.gyro, mag=settings.mag)
    choose("the rate of a PineTime", settings.rate_hz, (RATE_HZ,), RATE_HZ)
    group = Group("motion", ACC, RATE_HZ, on_change=True)
    return Plan(
        notify=(MOTION,),
        decoder=lambda: Decoder((group,), {MOTION: _decode}),
        start=script(Subscribe(MOTION)),
    )


def _decode(data: bytes) -> list[Packet]:
    expect_size(data, 6)
    return [Packet("motion", rows(data, "<i2", _UNITS))]


PROFILE = Profile(
    name="infinitime",
    title="PineTime with InfiniTime",
    signature=Signature(("InfiniTime", "Pinetime-JF"), (SERVICE,)),
    plan=plan,
    tested_on="packets built from the documented unit",
)
