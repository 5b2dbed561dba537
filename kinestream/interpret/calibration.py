"""Calibration of a trained model: how far to trust its confidence, and how often people change activity.

``train/judge/calibrate.py`` learns it, the model file stores it, ``concluder.py`` uses it. A model file without
calibration gets the defaults: unchanged probabilities, and a change to any other activity once a minute.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.errors import ConfigError

from .reliability import Reliability

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from kinestream.core.signals import Subnet

DEFAULT_CHANGES_PER_S = 1 / 60
"""How often wearers change activity, for a model without learnt rates."""

DEFAULT_EVIDENCE = 2.0
"""The value learnt on the validation people of the bundled ``uci_cnn``."""

SMALLEST = 1e-30
"""Lower bound of every probability: float32 rounds some to zero, which no evidence could outweigh."""


@dataclass(frozen=True)
class Calibration:
    """How a model's probabilities become decisions.

    Raises:
        ConfigError: a number is out of its range.

    >>> from kinestream.core.signals import Subnet
    >>> calibration = Calibration(temperature={0.5: 2.0})
    >>> calibration.probs([0.9, 0.1], Subnet(0.5, 96)).round(2).tolist()
    [0.75, 0.25]
    >>> calibration.probs([0.9, 0.1], Subnet(1.0, 96)).round(2).tolist()
    [0.9, 0.1]
    """

    temperature: Mapping[float, float] = field(default_factory=dict)
    """By width: above 1 corrects overconfident subnetworks, below 1 underconfident ones; a missing width means 1."""
    rates_per_s: tuple[tuple[float, ...], ...] = ()
    """(classes, classes) changes from the row's to the column's activity per second of the row's; diagonal 0."""
    evidence: float = DEFAULT_EVIDENCE
    """Weight of a window: this times the share of it that is new, at most 1. Windows overlap, and a network that is
    wrong now is often wrong in the same way a moment later."""
    about: str = ""
    """The people and data it was learnt from, in a sentence."""
    reliability: Reliability | None = None
    """The probability that a label is right, learnt over several datasets; None: the temperatures say it."""

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
        """Whether it differs from the defaults."""
        return bool(self.temperature or self.rates_per_s or self.reliability)

    def rates(self, classes: int) -> NDArray[np.float64]:
        """(classes, classes) per second; without learnt rates, every change is equally frequent."""
        if self.rates_per_s:
            return np.array(self.rates_per_s)
        return np.full((classes, classes), DEFAULT_CHANGES_PER_S / max(1, classes - 1)) * (1 - np.eye(classes))

    def probs(self, probs: ArrayLike, subnet: Subnet) -> NDArray[np.float64]:
        """(..., classes) the subnetwork's probabilities, calibrated; the most probable class stays the same."""
        return tempered(probs, self.temperature.get(subnet.width, 1.0))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, which ``from_json`` reads."""
        return {
            "temperature": {f"{width:g}": value for width, value in sorted(self.temperature.items())},
            "rates_per_s": [list(row) for row in self.rates_per_s],
            "evidence": self.evidence,
            "about": self.about,
            **({"reliability": self.reliability.to_json()} if self.reliability else {}),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """The calibration that ``to_json`` wrote.

        Raises:
            ConfigError, KeyError, TypeError, ValueError, AttributeError: the values are not a calibration.
        """
        temperature = values["temperature"]
        if not isinstance(temperature, Mapping):
            raise TypeError(f"temperature {str(temperature)[:60]!r} is not an object")
        return cls(
            temperature={float(width): float(value) for width, value in temperature.items()},
            rates_per_s=tuple(tuple(float(rate) for rate in row) for row in values["rates_per_s"]),
            evidence=float(values["evidence"]),
            about=str(values["about"]),
            reliability=Reliability.from_json(values["reliability"]) if "reliability" in values else None,
        )


def tempered(probs: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """(..., classes) the softmax of the logits divided by ``temperature``, computed from the plain softmax.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    >>> tempered([0.8, 0.2], 0.5).round(3).tolist()
    [0.941, 0.059]
    """
    logits = np.log(np.maximum(np.asarray(probs, np.float64), SMALLEST)) / temperature
    scaled = np.exp(logits - logits.max(-1, keepdims=True))
    return scaled / scaled.sum(-1, keepdims=True)
