"""Xsens DOT, now Movella DOT: rate quantities over the medium payload.

The magnetic field is left out: it comes in units of the local field, not in uT.
Source: Movella DOT BLE Services Specification; adamkewley/xdc.
"""

from __future__ import annotations

import struct

from kinestream.core.errors import DecodeError
from kinestream.core.signals import ACC, GYRO

from ..profile.decoder import BATTERY, DEGREE, NO_SAMPLES, Clock, Decoder, Group, Packet, floats, scale
from ..profile.dialogue import Dialogue, Periodic, Read, Subscribe, Write, script
from ..profile.profile import Plan, Profile, Settings, Signature, choose, refuse

_BASE = "-4947-11e9-8646-d663bd873d93"
CONFIGURATION_SERVICE = f"15171000{_BASE}"
DEVICE_CONTROL = f"15171002{_BASE}"
MEASUREMENT_SERVICE = f"15172000{_BASE}"
CONTROL = f"15172001{_BASE}"
MEDIUM = f"15172003{_BASE}"
BATTERY_INFO = f"15173001{_BASE}"

RATES_HZ = (1, 4, 10, 12, 15, 20, 30, 60)
"""120 Hz exists only for recording inside the device."""
RATE_QUANTITIES = 21

VISIT_RATE = 0x10
"""First byte of a device control write: the field to change."""
RATE_AT = 24

CLOCK = Clock(tick_s=1e-6, time_modulus=2**32)
_UNITS = scale((1.0, 3), (DEGREE, 3))
_TIME = struct.Struct("<I")
MIN_BYTES, MAX_BYTES = 28, 40
"""Time and six floats, possibly padded."""


def plan(settings: Settings) -> Plan:
    """Acceleration and angular rate together; the device chooses its own ranges."""
    refuse("the DOT", acc_range_g=settings.acc_range_g, gyro_range_dps=settings.gyro_range_dps, mag=settings.mag)
    rate_hz = choose("the rate of a DOT", settings.rate_hz, RATES_HZ, default=60)
    group = Group("motion", ACC + GYRO, float(rate_hz), CLOCK)
    return Plan(
        notify=(MEDIUM,),
        decoder=lambda: Decoder((group,), {MEDIUM: _decode, BATTERY_INFO: _battery}),
        start=lambda decoder: _start(int(rate_hz)),
        stop=script(Write(CONTROL, bytes([1, 0, RATE_QUANTITIES]), "stop measuring")),
        periodic=(Periodic(60.0, Read(BATTERY_INFO, "read the battery level")),),
    )


def _start(rate_hz: int) -> Dialogue:
    control = yield Read(DEVICE_CONTROL, "read the device's settings")
    if len(control) < RATE_AT + 2:
        raise DecodeError(f"device settings of {len(control)} bytes; expected {RATE_AT + 2} or more", control)
    control = bytes([VISIT_RATE]) + control[1:RATE_AT] + struct.pack("<H", rate_hz) + control[RATE_AT + 2 :]
    state = yield Read(CONTROL, "read whether it is measuring")
    if len(state) == 3 and state[1] == 1:  # left on by a crash; a measuring device takes no new rate
        yield Write(CONTROL, bytes([1, 0, state[2]]), "stop measuring")
    yield Write(DEVICE_CONTROL, control, "set the rate")
    yield Subscribe(MEDIUM)
    yield Write(CONTROL, bytes([1, 1, RATE_QUANTITIES]), "start measuring")


def _decode(data: bytes) -> list[Packet]:
    if not MIN_BYTES <= len(data) <= MAX_BYTES:
        raise DecodeError(f"a packet of {len(data)} bytes; expected {MIN_BYTES} to {MAX_BYTES}", data)
    return [Packet("motion", floats(data, "<f4", _UNITS, offset=4), _TIME.unpack_from(data)[0])]


def _battery(data: bytes) -> list[Packet]:
    if len(data) != 2 or data[0] > 100:
        raise DecodeError("a battery level; expected one byte of 0 to 100 and one for charging", data)
    return [Packet(BATTERY, NO_SAMPLES, battery_frac=data[0] / 100)]


PROFILE = Profile(
    name="dot",
    title="Xsens / Movella DOT",
    signature=Signature(("Xsens DOT", "Movella DOT"), (CONFIGURATION_SERVICE, MEASUREMENT_SERVICE), (0x0886,)),
    plan=plan,
    tested_on="packets built from the vendor's specification",
)
