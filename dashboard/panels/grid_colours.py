"""The metrics that can colour the grid, and the brightness of each cell."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..drawing.draw import number

if TYPE_CHECKING:
    from kinestream.core.operating_table import OperatingPoint, OperatingTable


class Metric(NamedTuple):
    """One metric of the operating table."""

    name: str
    value: Callable[[OperatingPoint], float]
    text: Callable[[float], str]
    is_cost: bool
    """Lower is better and costs differ by factors, so the scale is logarithmic and cheap is bright."""


METRICS = (
    Metric("accuracy", lambda point: point.accuracy, lambda value: f"{value:.0%}", False),
    Metric("latency", lambda point: point.p50_ms, lambda value: f"{number(value)} ms", True),
    Metric("energy", lambda point: point.energy_mj, lambda value: f"{number(value)} mJ", True),
)


class Scale:
    """The scale of one metric from a table's worst point to its best.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> points = [OperatingPoint(Subnet(w, 128), 0.5 + 0.4 * w, 1, 1.0, 1.0, 1.0) for w in (0.25, 0.5, 1.0)]
    >>> scale = Scale(METRICS[0], OperatingTable("model", "a machine", "none", tuple(points)))
    >>> scale.worst, scale.best, round(scale.share(points[1]), 2)
    ('60%', '90%', 0.33)
    """

    def __init__(self, metric: Metric, table: OperatingTable) -> None:
        self._metric = metric
        values = [metric.value(point) for point in table.points]
        values = [value for value in values if math.isfinite(value) and (value > 0 or not metric.is_cost)]
        self._least, self._most = (min(values), max(values)) if values else (0.0, 1.0)

    def share(self, point: OperatingPoint) -> float:
        """Return the position of a point between the worst (0) and the best (1); NaN if its value is unknown."""
        value = self._metric.value(point)
        if not self._metric.is_cost:
            return (value - self._least) / ((self._most - self._least) or 1.0)
        if not (math.isfinite(value) and value > 0):
            return math.nan
        return math.log(self._most / value) / (math.log(self._most / self._least) or 1.0)

    @property
    def worst(self) -> str:
        """The worst point's value as text."""
        return self._metric.text(self._most if self._metric.is_cost else self._least)

    @property
    def best(self) -> str:
        """The best point's value as text."""
        return self._metric.text(self._least if self._metric.is_cost else self._most)
