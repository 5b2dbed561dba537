"""What levers beyond the network cost a model: measured on its validation people, kept in its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kinestream.core.signals import Sensing, Subnet

Accuracy = dict[Subnet, float]
"""Share of right windows, of the subnetworks worth running."""


@dataclass(frozen=True, slots=True)
class Levers:
    """Accuracies on windows inside one activity, out of whole recordings; empty before they were measured."""

    sensing: dict[Sensing, Accuracy] = field(default_factory=dict)
    """By how the sensor runs, the model's own way first."""
    hops: dict[int, Accuracy] = field(default_factory=dict)
    """By how many windows one prediction has to serve."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "sensing": [
                {"fs_hz": sensing.fs_hz, "gyro": sensing.gyro, "accuracy": _plain(accuracy)}
                for sensing, accuracy in self.sensing.items()
            ],
            "hops": {str(hop): _plain(accuracy) for hop, accuracy in self.hops.items()},
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Levers:
        """What ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, ConfigError: it is something else.
        """
        return cls(
            {Sensing(float(row["fs_hz"]), row["gyro"] is True): _accuracy(row["accuracy"]) for row in told["sensing"]},
            {int(hop): _accuracy(accuracy) for hop, accuracy in told["hops"].items()},
        )


def _plain(accuracy: Accuracy) -> dict[str, float]:
    return {str(subnet): share for subnet, share in sorted(accuracy.items())}


def _accuracy(told: Mapping[str, Any]) -> Accuracy:
    found = {Subnet.parse(subnet): float(share) for subnet, share in told.items()}
    if wrong := [share for share in found.values() if not 0 <= share <= 1]:
        raise ValueError(f"an accuracy of {wrong[0]}, expected 0 to 1")
    return found
