"""Battery lifetime: arithmetic on the battery's reading and the operating table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kinestream.policy import BatteryReading

MIN_FALL = 0.005
"""A charge must fall by this much before its rate means anything: gauges count in steps."""


def power_mw(battery: BatteryReading, energy_mj: float, hop_s: float) -> float:
    """Return the device's power with one window of ``energy_mj`` every ``hop_s`` seconds."""
    return battery.base_mw + energy_mj / hop_s


def hours_at(battery: BatteryReading, energy_mj: float, hop_s: float) -> float | None:
    """Return how long the charge lasts at that power; None where the battery's capacity is unknown.

    >>> from kinestream.policy import BatteryReading
    >>> half_of_72_j = BatteryReading(0.5, 72.0, base_mw=8.0)
    >>> hours_at(half_of_72_j, energy_mj=4.0, hop_s=2.0)
    1.0
    """
    left_mj = battery.energy_mj
    if left_mj is None:
        return None
    power = power_mw(battery, energy_mj, hop_s)
    return left_mj / power / 3600.0 if power > 0 else math.inf


def hours_at_past_rate(charges: Sequence[tuple[float, float]]) -> float | None:
    """Return how long the charge lasts if it keeps falling at its past rate; None if it hardly fell or was charged.

    Args:
        charges: (seconds, charge 0 to 1), oldest first.
    """
    if len(charges) < 2:
        return None
    (start_s, before), (end_s, now) = charges[0], charges[-1]
    fall = before - now
    rises = any(later > earlier + MIN_FALL for (_, earlier), (_, later) in pairwise(charges))
    if rises or fall < MIN_FALL or end_s <= start_s:
        return None
    return now / (fall / (end_s - start_s)) / 3600.0


def hours_text(hours: float) -> str:
    """Return hours in the unit that suits them.

    >>> hours_text(0.2), hours_text(5.33), hours_text(400)
    ('12 min', '5.3 h', '17 days')
    """
    if math.isinf(hours):
        return "forever"
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 100 else f"{hours / 24:.0f} days"
