"""Calibration of a trained model: how far to trust its confidence, and how often people change activity.

``train/judge/calibrate.py`` learns it, the model file stores it, ``concluder.py`` uses it. A model file without
calibration gets the defaults: probabilities unchanged, and a wearer who changes activity once a minute, to any other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from kinestream.core.signals import Subnet

DEFAULT_CHANGES_PER_S = 1 / 60
"""How often a wearer changes what he does, where nothing was learnt."""

DEFAULT_EVIDENCE = 2.0
"""What the validation people of the bundled ``uci_cnn`` chose."""

SMALLEST = 1e-30
"""No probability is taken for less: float32 rounds those to zero that no evidence could ever outweigh."""


@dataclass(frozen=True)
class Calibration:
    """How a model's probabilities become decisions.

    Raises:
        ConfigError: a number is not what it should be.
    """

    temperature: Mapping[float, float] = field(default_factory=dict)
    """By width: above 1 the subnetworks were too sure of themselves, below 1 not sure enough; 1 where it is missing."""
    rates_per_s: tuple[tuple[float, ...], ...] = ()
    """(classes, classes) changes from the row's to the column's activity in a second of the row's; diagonal 0."""
    evidence: float = DEFAULT_EVIDENCE
    """What a window says counts for this times the share of it that is new, and never for more than one window: windows
    overlap, and a network that is wrong now is often wrong in the same way a moment later."""
    about: str = ""
    """Whom it was learnt from, in a sentence."""

    def __post_init__(self) -> None:
        for width, temperature in self.temperature.items():
            if not 0.01 <= temperature <= 100:
                raise ConfigError(f"temperature {temperature} of width {width:g}: expected 0.01 to 100")
        n = len(self.rates_per_s)
        for i, row in enumerate(self.rates_per_s):
            if len(row) != n or row[i] != 0 or not all(math.isfinite(rate) and rate >= 0 for rate in row):
                raise ConfigError(f"rates {row}: expected {n} numbers, none below 0, and 0 from an activity to itself")
        if not 0 < self.evidence < math.inf:
            raise ConfigError(f"evidence {self.evidence}: expected a number above 0")

    @property
    def is_learnt(self) -> bool:
        return bool(self.temperature or self.rates_per_s)

    def rates(self, classes: int) -> NDArray[np.float64]:
        """(classes, classes) per second; from everything to everything else alike, where none were learnt."""
        if self.rates_per_s:
            return np.array(self.rates_per_s)
        return np.full((classes, classes), DEFAULT_CHANGES_PER_S / max(1, classes - 1)) * (1 - np.eye(classes))

    def probs(self, probs: ArrayLike, subnet: Subnet) -> NDArray[np.float64]:
        """(..., classes) what the subnetwork's probabilities are worth; the most probable class stays the same."""
        return tempered(probs, self.temperature.get(subnet.width, 1.0))

    def to_json(self) -> dict[str, Any]:
        return {
            "temperature": {f"{width:g}": value for width, value in sorted(self.temperature.items())},
            "rates_per_s": [list(row) for row in self.rates_per_s],
            "evidence": self.evidence,
            "about": self.about,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """Back out of ``to_json``.

        Raises:
            ConfigError, KeyError, TypeError, ValueError: it is something else.
        """
        temperature = values["temperature"]
        if not isinstance(temperature, Mapping):
            raise TypeError(f"temperature {str(temperature)[:60]!r} is not an object")
        return cls(
            temperature={float(width): float(value) for width, value in temperature.items()},
            rates_per_s=tuple(tuple(float(rate) for rate in row) for row in values["rates_per_s"]),
            evidence=float(values["evidence"]),
            about=str(values["about"]),
        )


def tempered(probs: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """(..., classes) the softmax of the logits divided by ``temperature``, from the softmax of the logits themselves.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    logits = np.log(np.maximum(np.asarray(probs, np.float64), SMALLEST)) / temperature
    scaled = np.exp(logits - logits.max(-1, keepdims=True))
    return scaled / scaled.sum(-1, keepdims=True)
