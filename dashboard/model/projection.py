"""How long the battery lasts at a given cost of a window. Plain arithmetic on what battery and table say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kinestream.policy import BatteryReading

LEAST_FALL = 0.005
"""A charge must have fallen by so much before its rate says anything: gauges count in steps."""


def power_mw(battery: BatteryReading, energy_mj: float, hop_s: float) -> float:
    """What the device draws if every ``hop_s`` seconds a window of ``energy_mj`` is computed."""
    return battery.base_mw + energy_mj / hop_s


def hours_at(battery: BatteryReading, energy_mj: float, hop_s: float) -> float | None:
    """How long the charge lasts at that; None where the battery does not tell its capacity."""
    left_mj = battery.energy_mj
    if left_mj is None:
        return None
    power = power_mw(battery, energy_mj, hop_s)
    return left_mj / power / 3600.0 if power > 0 else math.inf


def hours_seen(charges: Sequence[tuple[float, float]]) -> float | None:
    """How long the charge lasts if it goes on falling as it did; None while it has hardly fallen, or was charged.

    Args:
        charges: (seconds, charge 0 to 1), oldest first.
    """
    if len(charges) < 2:
        return None
    (start_s, before), (end_s, now) = charges[0], charges[-1]
    fall = before - now
    rises = any(later > earlier + LEAST_FALL for (_, earlier), (_, later) in pairwise(charges))
    if rises or fall < LEAST_FALL or end_s <= start_s:
        return None
    return now / (fall / (end_s - start_s)) / 3600.0


def hours_text(hours: float) -> str:
    """``0.2`` -> ``12 min``; ``5.33`` -> ``5.3 h``; ``400`` -> ``17 days``."""
    if math.isinf(hours):
        return "for ever"
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 100 else f"{hours / 24:.0f} days"
