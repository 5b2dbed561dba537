"""PineTime and other watches with InfiniTime.

The firmware reads its accelerometer ten times a second and sends only changes, so a watch that lies still is silent.
It sends the chip's y, x and z as x, y and z (``Bma421::Process``; only its first drafts did not), which is a mirror
image; the profile returns the chip's own, right-handed axes. A firmware that turns its axes itself, as pull request
1307 proposes, needs ``--axes "y x z mirrored"``.
Source: InfiniTime doc/MotionService.md, src/components/ble/MotionService.cpp, src/systemtask/SystemTask.cpp,
src/drivers/Bma421.cpp.
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
_CHIP_AXES = [1, 0, 2]
"""Position of the chip's x, y and z in a packet."""


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
    return [Packet("motion", rows(data, "<i2", _UNITS)[:, _CHIP_AXES])]


PROFILE = Profile(
    name="infinitime",
    title="PineTime with InfiniTime",
    signature=Signature(("InfiniTime", "Pinetime-JF"), (SERVICE,)),
    plan=plan,
    tested_on="packets built from the documented unit",
)
