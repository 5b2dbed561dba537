"""What a simulated day came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a day came to."""

    name: str
    accuracy: float
    """Of the windows inside one activity; a window nobody answered is wrong. NaN where there is none."""
    accuracy_with_transitions: float
    missed: float
    """Share of the predictions that took longer than the deadline of their time."""
    energy_j: float
    """All that the device drew."""
    processor_j: float
    """What inference drew of it."""
    hours: float
    """Until the battery was empty; if it was not, how long its charge would last at the mean power. Infinite without
    battery."""
    empty: bool
    left: float
    """Charge at the end, 0 to 1; NaN without battery."""
    predictions: int
    switches: int
    """Predictions by another subnetwork than the one before."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Share of the predictions by subnetwork, the most frequent first."""
