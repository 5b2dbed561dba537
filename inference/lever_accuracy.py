"""A model's accuracy with levers beyond the network: measured on its validation people, stored in its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kinestream.core.signals import Sensing, Subnet

Accuracy = dict[Subnet, float]
"""Share of correct windows by subnetwork, for the subnetworks worth running."""


@dataclass(frozen=True, slots=True)
class Levers:
    """Accuracies on windows inside one activity, from whole recordings; empty until measured.

    >>> levers = Levers({Sensing(25.0): {Subnet(0.5, 96): 0.9}}, {2: {Subnet(0.5, 96): 0.88}})
    >>> Levers.from_json(levers.to_json()) == levers
    True
    """

    sensing: dict[Sensing, Accuracy] = field(default_factory=dict)
    """Accuracy by the way the sensor runs, the model's own first."""
    hops: dict[int, Accuracy] = field(default_factory=dict)
    """Accuracy by the number of windows that one prediction serves."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "sensing": [
                {"fs_hz": sensing.fs_hz, "gyro": sensing.gyro, "accuracy": _plain(accuracy)}
                for sensing, accuracy in self.sensing.items()
            ],
            "hops": {str(hop): _plain(accuracy) for hop, accuracy in self.hops.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Levers:
        """Return the accuracies that ``to_json`` described.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, ConfigError: the values have another form.
        """
        return cls(
            {
                Sensing(float(row["fs_hz"]), row["gyro"] is True): _accuracy(row["accuracy"])
                for row in values["sensing"]
            },
            {int(hop): _accuracy(accuracy) for hop, accuracy in values["hops"].items()},
        )


def _plain(accuracy: Accuracy) -> dict[str, float]:
    return {str(subnet): share for subnet, share in sorted(accuracy.items())}


def _accuracy(values: Mapping[str, Any]) -> Accuracy:
    accuracy = {Subnet.parse(subnet): float(share) for subnet, share in values.items()}
    if wrong := [share for share in accuracy.values() if not 0 <= share <= 1]:
        raise ValueError(f"an accuracy of {wrong[0]}, expected 0 to 1")
    return accuracy
