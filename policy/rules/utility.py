"""Weights on accuracy, latency and energy: what one is worth against the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import ClassVar

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Decision

from ..interface import PolicyState
from ..pareto import by_energy, by_latency, within


@dataclass(frozen=True, slots=True)
class UtilityPolicy:
    """The subnetwork with the highest ``accuracy x gain - latency x delay - energy x drain``.

    Gain, delay and drain are 0 at the table's least and 1 at its greatest value, so a weight means the same on
    every model and machine. Points that miss the deadline, or were never evaluated where others were, are left out.

    Raises:
        ConfigError: a weight that is negative or not finite, or all of them 0.
    """

    kind: ClassVar[str] = "utility"

    table: OperatingTable = field(repr=False)
    accuracy: float = 1.0
    latency: float = 0.2
    energy: float = 0.2
    _score: dict[OperatingPoint, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        weights = {"accuracy": self.accuracy, "latency": self.latency, "energy": self.energy}
        for name, weight in weights.items():
            if not (isfinite(weight) and weight >= 0):
                raise ConfigError(f"utility {name}={weight}: expected a weight of 0 or more")
        if not any(weights.values()):
            raise ConfigError("utility: all weights are 0, so nothing is better than anything; raise one of them")
        # Scores depend on the table alone: a limit takes points away, it does not make others dearer.
        evaluated = [point for point in self.table.points if isfinite(point.accuracy)]
        points = evaluated or self.table.points
        gain = _scaled(points, (lambda p: p.accuracy) if evaluated else (lambda p: float(p.macs)))
        delay, drain = _scaled(points, by_latency), _scaled(points, by_energy)
        score = {p: self.accuracy * gain(p) - self.latency * delay(p) - self.energy * drain(p) for p in points}
        object.__setattr__(self, "_score", score)

    def decide(self, state: PolicyState) -> Decision:
        points, limit = within(state.choices(self.table), state.deadline_ms)
        scored = [point for point in points if point in self._score]
        if not scored:
            point = min(points, key=lambda p: (p.energy_mj, p.subnet))
            return Decision(point.subnet, f"none of those left was evaluated: the cheapest{limit}")
        best = max(scored, key=lambda p: (self._score[p], -p.energy_mj, p.subnet))
        return Decision(best.subnet, f"utility {self._score[best]:.2f}, the highest of {len(scored)}{limit}")


def _scaled(points: Sequence[OperatingPoint], of: Callable[[OperatingPoint], float]) -> Callable[..., float]:
    """A figure of a point as a share of the way from the least to the greatest; 0 where all are equal."""
    least, greatest = min(map(of, points)), max(map(of, points))
    return lambda point: (of(point) - least) / (greatest - least) if greatest > least else 0.0
