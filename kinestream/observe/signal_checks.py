"""Checks of a stream's values: gravity, units, NaN, and whether the gyroscope turns as gravity does.

Each check takes the evidence under one name and returns a finding, or None.
"""

from __future__ import annotations

import math

from kinestream.core.signals import GYRO, STANDARD_GRAVITY

from .evidence import Evidence
from .findings import Finding, problem
from .rotation import GYRO_UNITS
from .units import ACC_UNITS, unit_of

LEAST_BLOCKS = 3
"""Blocks of 2 s from which on values are judged."""
NO_GRAVITY = 0.3
"""A lower mean, in any unit, means that gravity was removed."""
LINEAR, LINEAR_SPREAD = 0.9, 2.5
"""So does a lower mean than the first, with a spread of more than the second times the mean: gravity in g does not move
as much."""
GRAVITY_ERROR = 0.2
"""Allowed relative error of gravity while calm: sensors of published datasets are off by up to 0.18."""
FAR = 2.5
"""Factor by which the mean acceleration misses gravity in the wrong unit, however the sensor moves."""
NEAR = 1.6
"""Factor within which the mean acceleration of a moving sensor suggests a unit; measuring ranges differ by 2."""
SOME_NAN = 0.01
"""Share of samples with NaN that is reported."""
FASTEST = 75.0
"""rad/s: no gyroscope of a wearable measures faster turns."""
SLOW_NEWS = 0.3
"""A gyroscope that says something new with fewer samples is repeated or interpolated."""
UNIT_SCALE = 0.15
"""Allowed relative distance of a scale from that of another unit."""


def check_values(e: Evidence) -> Finding | None:
    """Samples hold NaN or infinite values."""
    share = e.signal.not_finite
    if share < SOME_NAN:
        return None
    text = f"{values_text(f'{share:.0%} of the samples')} and are left out"
    return problem("values", text, "drop them in the sensor's driver, and find out why it sends them")


def values_text(where: str) -> str:
    """Say that these samples or columns hold NaN."""
    return f"{where} hold NaN or infinite values"


def check_gravity(e: Evidence) -> Finding | None:
    """Gravity is missing from the acceleration."""
    s = e.signal
    if s.gravity is None or s.blocks < LEAST_BLOCKS or not _lacks_gravity(s.gravity, s.spread):
        return None
    return problem("gravity", gravity_text(s.gravity), "choose the raw accelerometer in the sensor's app or profile")


def gravity_text(gravity: float) -> str:
    """Say that gravity is missing."""
    return f"the mean acceleration is {gravity:.2g}: gravity is missing, so this is linear acceleration"


def _lacks_gravity(gravity: float, spread: float) -> bool:
    return gravity < NO_GRAVITY or (gravity < LINEAR and spread > LINEAR_SPREAD * gravity)


def check_units(e: Evidence) -> Finding | None:
    """The acceleration is in another unit, or of a wrong scale."""
    s = e.signal
    if s.gravity is None or s.blocks < LEAST_BLOCKS or _lacks_gravity(s.gravity, s.spread):
        return None
    advice = "name the unit in the source's address or profile, or let kinestream wear write a file for --axes"
    if s.rest_gravity is not None:
        if abs(s.rest_gravity / STANDARD_GRAVITY - 1) <= GRAVITY_ERROR:
            return None
        return problem("units", units_text(s.rest_gravity, unit_of(s.rest_gravity)), advice)
    if 1 / FAR < s.gravity / STANDARD_GRAVITY < FAR:
        return None  # a moving sensor's mean can be far from gravity
    unit = _nearest_unit(s.gravity)
    if not 1 / NEAR < s.gravity / ACC_UNITS[unit] < NEAR:
        amount = f"{s.gravity / STANDARD_GRAVITY:.2g} times"
        return problem("units", f"{units_text(s.gravity, None)}: {amount} as large, in no known unit", advice)
    return problem("units", f"{units_text(s.gravity, None)}: it may be in {unit}", advice)


def _nearest_unit(gravity: float) -> str:
    return min(ACC_UNITS, key=lambda name: abs(math.log(ACC_UNITS[name] / gravity)))


def units_text(gravity: float, unit: str | None) -> str:
    """Say what the accelerometer reads instead of gravity, and in which unit that is gravity.

    >>> units_text(0.99, "g")
    'gravity reads 0.99, not 9.81: acceleration is in g'
    """
    return f"gravity reads {gravity:.4g}, not {STANDARD_GRAVITY:.2f}" + (f": acceleration is in {unit}" if unit else "")


def check_gyroscope(e: Evidence) -> Finding | None:
    """The gyroscope repeats one value while the sensor moves."""
    s = e.signal
    if not _has_gyro(e) or s.moved_blocks < LEAST_BLOCKS or s.gyro_still_blocks < s.moved_blocks:
        return None
    advice = "switch it on in the sensor's app or profile, or use a model without gyroscope"
    return problem("gyroscope", gyroscope_text(zero=s.gyro_zero), advice)


def gyroscope_text(*, zero: bool) -> str:
    """Say that the gyroscope does not turn with the sensor."""
    return f"the gyroscope {'reads only zeros' if zero else 'repeats one value'} while the sensor moves"


def check_slow_gyroscope(e: Evidence) -> Finding | None:
    """The gyroscope is slower than the samples that carry it."""
    s, f = e.signal, e.figures
    if f is None or not _has_gyro(e) or s.gyro_news is None or s.blocks < LEAST_BLOCKS or s.gyro_news > SLOW_NEWS:
        return None
    rate_hz = f.rate_hz or f.announced_hz
    text = f"the gyroscope changes at {s.gyro_news * rate_hz:.2g} Hz, the samples come at {rate_hz:.3g} Hz"
    return problem("slow_gyroscope", text, "set the gyroscope to the rate of the accelerometer")


def check_gyroscope_range(e: Evidence) -> Finding | None:
    """Angular rates are faster than any gyroscope measures."""
    if not _has_gyro(e) or e.signal.gyro_peak <= FASTEST:
        return None
    text = f"the gyroscope reads up to {e.signal.gyro_peak:.0f} rad/s; no wearable measures more than {FASTEST:.0f}"
    advice = "it probably sends deg/s: name its unit in the address or profile, or let kinestream wear write a file"
    return problem("gyroscope_range", text, advice)


def check_gyroscope_scale(e: Evidence) -> Finding | None:
    """The gyroscope reports another turning than gravity shows."""
    share = e.signal.turning.share
    if not _has_gyro(e) or share is None or check_gyroscope_range(e) is not None:
        return None
    return problem("gyroscope_scale", scale_text(share), SCALE_ADVICE)


SCALE_ADVICE = "correct its range or unit in the profile, or let kinestream wear write a file for --axes"


def scale_text(share: float) -> str:
    """Say which scale a gyroscope has.

    >>> scale_text(0.268)
    'the gyroscope reports 0.27 of the turning that gravity shows'
    >>> scale_text(-57.0)
    'the gyroscope reports -57 times the turning that gravity shows: it is in deg/s, all signs reversed'
    """
    amount = f"{share:.2g} of" if abs(share) < 0.95 else f"{share:.2g} times"
    unit = unit_of_scale(share)
    reasons = [f"it is in {unit}"] if unit and unit != "rad/s" else []
    reasons += ["all signs reversed"] if share < 0 else []
    why = f": {', '.join(reasons)}" if reasons else ""
    return f"the gyroscope reports {amount} the turning that gravity shows{why}"


def unit_of_scale(share: float) -> str | None:
    """The unit of angular rates that are this multiple of rad/s; None: no known unit is close."""
    unit = min(GYRO_UNITS, key=lambda name: abs(math.log(abs(share) * GYRO_UNITS[name])))
    return unit if abs(abs(share) * GYRO_UNITS[unit] - 1) <= UNIT_SCALE else None


def _has_gyro(e: Evidence) -> bool:
    return e.figures is not None and set(GYRO) <= set(e.figures.channels)
