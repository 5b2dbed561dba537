"""Units in which accelerometers read gravity, recognised by its amount."""

from __future__ import annotations

import numpy as np

from kinestream.core.signals import STANDARD_GRAVITY

ACC_UNITS = {
    "m/s^2": STANDARD_GRAVITY,
    "g": 1.0,
    "milli-g": 1000.0,
    "m/s^2, doubled (a measuring range set to half of what is assumed)": 2 * STANDARD_GRAVITY,
    "m/s^2, halved (a measuring range set to twice what is assumed)": STANDARD_GRAVITY / 2,
    "m/s^2, four times too large": 4 * STANDARD_GRAVITY,
    "m/s^2, four times too small": STANDARD_GRAVITY / 4,
    "raw counts, 16384 a g": 16384.0,
    "raw counts, 8192 a g": 8192.0,
    "raw counts, 4096 a g": 4096.0,
    "raw counts, 2048 a g": 2048.0,
}
"""Readings at rest in the units that occur in practice."""
UNIT_ERROR = 0.1
"""Allowed relative error of an uncalibrated accelerometer's reading of gravity."""


def unit_of(gravity: float) -> str | None:
    """The unit in which a sensor at rest reads ``gravity``; None: no known unit is close.

    >>> unit_of(0.98)
    'g'
    """
    name = min(ACC_UNITS, key=lambda unit: abs(np.log(gravity / ACC_UNITS[unit])))
    return name if abs(gravity / ACC_UNITS[name] - 1) <= UNIT_ERROR else None
