"""Lines about a phone's stream, for the user: what was repaired, and which sensor does not send what it should."""

from __future__ import annotations

from collections.abc import Mapping

from kinestream.core.signals import GYRO

from .axis_convention import Conversion
from .reference_points import ReferencePoints
from .sensor_logger import GYRO as GYRO_SENSOR
from .sensor_logger import RAW_GYRO
from .sensor_rate import SensorRate

SLOW_HZ = 16.0
"""A gyroscope below this rate, and below half of the accelerometer's, is reported: no bundled model reads less."""
_FASTER = "set its sampling frequency to 50 Hz or more in the app"


def stream_remarks(
    conversion: Conversion | None,
    unusable: tuple[str, ...],
    points: ReferencePoints,
    rates: Mapping[str, SensorRate],
) -> tuple[str, ...]:
    """Return one line for each assumption, repair or shortcoming that the user should know.

    Args:
        conversion: how the stream is made; None before the first seconds are over, or without acceleration.
        unusable: the sensors of a phone that sends no acceleration.
        points: the clocks of its sensors.
        rates: the rate of every sensor that sends.

    >>> stream_remarks(None, ("gyroscope",), ReferencePoints(), {})
    ('no acceleration from gyroscope: switch on Accelerometer, and on an iPhone Gravity',)
    """
    if conversion is None:
        if not unusable:
            return ()
        return (f"no acceleration from {', '.join(unusable)}: switch on Accelerometer, and on an iPhone Gravity",)
    remarks = [
        describe_offset(sensor, points.leader, offset_s)
        for sensor, offset_s in points.offset_s.items()
        if sensor in conversion.sensors
    ]
    if conversion.doubt:
        remarks.append(conversion.doubt)
    return (*remarks, *_about_gyroscope(conversion, rates))


def describe_offset(sensor: str, leader: str, offset_s: float) -> str:
    """Return a line about a sensor whose clock is ahead of the leader's.

    >>> describe_offset("gyroscope", "gravity", -18000.0)
    "the times of gyroscope are 5.0 h behind gravity's in the same messages: it has another clock; shifted to match"
    """
    amount_s = abs(offset_s)
    amount = f"{amount_s / 3600:.1f} h" if amount_s >= 3600 else f"{amount_s:.2f} s"
    way = "ahead of" if offset_s > 0 else "behind"
    where = f"{amount} {way} {leader}'s in the same messages"
    return f"the times of {sensor} are {where}: it has another clock; shifted to match"


def _about_gyroscope(conversion: Conversion, rates: Mapping[str, SensorRate]) -> tuple[str, ...]:
    used = next((sensor for sensor, columns in conversion.sensors.items() if columns == GYRO), None)
    if used is None:
        present = next((sensor for sensor in (GYRO_SENSOR, RAW_GYRO) if sensor in rates), None)
        if present is None:
            return ()
        if rates[present].hz is None:
            slow = f"{rates[present].slow_hz:.1f} readings a second: too few to be paired, so it is not used"
            return (f"{present} sends {slow}; {_FASTER}",)
        return (f"{present} began after the first seconds and is not used; start the recording again",)
    leader = next(iter(conversion.sensors))
    hz, leader_hz = rates[used].hz, rates[leader].hz
    if hz is not None and leader_hz is not None and hz < SLOW_HZ and hz < leader_hz / 2:
        return (
            f"{used} sends {hz:.1f} readings a second beside {leader_hz:.0f} of {leader}: the angular rates in between "
            f"are straight lines; {_FASTER}",
        )
    return ()
