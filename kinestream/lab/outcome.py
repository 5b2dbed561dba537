"""The result of a simulated day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one day.

    >>> Outcome("0.1x-96", 0.90, 0.89, 0.0, 10.0, 4.0, 8.0, False, 0.1, 1000, 0).processor_j
    4.0
    """

    name: str
    accuracy: float
    """Share of right windows among those inside one activity; windows without a prediction are wrong. NaN: none."""
    accuracy_with_transitions: float
    """The same with the windows that straddle a change."""
    missed: float
    """Share of the predictions that took longer than the deadline at that time."""
    energy_j: float
    """Drawn by the whole device."""
    processor_j: float
    """Drawn by inference; part of ``energy_j``."""
    hours: float
    """Until the battery was empty; otherwise how long its charge would last at the mean power. Infinite without a
    battery."""
    empty: bool
    left: float
    """Charge at the end, 0 to 1; NaN without a battery."""
    predictions: int
    switches: int
    """Predictions by another subnetwork than the previous one."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Share of the predictions by subnetwork, the most frequent first."""
