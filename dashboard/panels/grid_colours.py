"""What the cells of the grid can be coloured by, and how bright each one is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..drawing.draw import number

if TYPE_CHECKING:
    from kinestream.core.operating_table import OperatingPoint, OperatingTable


class Figure(NamedTuple):
    """One figure of the operating table."""

    name: str
    of: Callable[[OperatingPoint], float]
    text: Callable[[float], str]
    is_cost: bool
    """Less is better, and costs differ by factors: bright is cheap, on a logarithmic scale."""


FIGURES = (
    Figure("accuracy", lambda point: point.accuracy, lambda value: f"{value:.0%}", False),
    Figure("latency", lambda point: point.p50_ms, lambda value: f"{number(value)} ms", True),
    Figure("energy", lambda point: point.energy_mj, lambda value: f"{number(value)} mJ", True),
)


class Scale:
    """From the worst of a table's points, by one figure, to the best."""

    def __init__(self, figure: Figure, table: OperatingTable) -> None:
        self._figure = figure
        known = [figure.of(point) for point in table.points]
        known = [value for value in known if math.isfinite(value) and (value > 0 or not figure.is_cost)]
        self._least, self._most = (min(known), max(known)) if known else (0.0, 1.0)

    def share(self, point: OperatingPoint) -> float:
        """Where a point lies between the worst (0) and the best (1); NaN where it is not known."""
        value = self._figure.of(point)
        if not self._figure.is_cost:
            return (value - self._least) / ((self._most - self._least) or 1.0)
        if not (math.isfinite(value) and value > 0):
            return math.nan
        return math.log(self._most / value) / (math.log(self._most / self._least) or 1.0)

    @property
    def worst(self) -> str:
        """The figure of the worst point, for people."""
        return self._figure.text(self._most if self._figure.is_cost else self._least)

    @property
    def best(self) -> str:
        """The figure of the best point, for people."""
        return self._figure.text(self._least if self._figure.is_cost else self._most)
