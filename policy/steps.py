"""Steps of a setting: the value that follows when a person asks for more or for less."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from kinestream.core.operating_table import OperatingTable

Steps = Callable[[Any, int, OperatingTable], Any]
"""From a value, a direction (1: more, -1: less) and the operating table to the next value; None is an open setting."""

TIMES = tuple(float(f"{digit}e{power}") for power in range(-1, 4) for digit in (1, 1.5, 2, 3, 4, 5, 6, 8))
RATES_HZ = (5.0, 10.0, 12.5, 20.0, 25.0, 50.0)
DEADLINES_MS = tuple(float(f"{digit}e{power}") for power in range(-2, 3) for digit in (1, 1.5, 2, 3, 5, 7))
SHARE_STEP = 0.05


def stepped(values: Sequence[float], value: float, step: int) -> float:
    """Return the next of some ascending values above (``step`` 1) or below (-1) ``value``, the end where none is left.

    >>> stepped((1.0, 2.0, 5.0), 2.5, 1), stepped((1.0, 2.0, 5.0), 2.5, -1), stepped((1.0, 2.0, 5.0), 5.0, 1)
    (5.0, 2.0, 5.0)
    """
    place = bisect_right(values, value) if step > 0 else bisect_left(values, value) - 1
    return values[min(max(place, 0), len(values) - 1)]


def through(values: Sequence[float]) -> Steps:
    """Return steps through ascending values."""
    return lambda value, step, _: stepped(values, value, step)


def by(distance: float) -> Steps:
    """Return steps of one distance from wherever the value is."""
    return lambda value, step, _: value + step * distance


def next_multiple(distance: float, value: float, step: int) -> float:
    """Return the next multiple of a distance above (``step`` 1) or below (-1) a value.

    >>> next_multiple(0.05, 0.02, 1), next_multiple(0.05, 0.1, -1)
    (0.05, 0.05)
    """
    place = value / distance  # a value within a millionth of a multiple counts as one
    place = math.floor(place + 1e-6) + 1 if step > 0 else math.ceil(place - 1e-6) - 1
    return round(place * distance, 4)


def to_multiples(distance: float) -> Steps:
    """Return steps to the next multiple of a distance."""
    return lambda value, step, _: next_multiple(distance, value, step)


def among(choices: Sequence[Any]) -> Steps:
    """Return steps through choices in their order; a value that is not among them steps to the first."""

    def next_value(value: Any, step: int, _: OperatingTable) -> Any:
        place = choices.index(value) + step if value in choices else 0
        return choices[min(max(place, 0), len(choices) - 1)]

    return next_value


def open_below(steps: Steps, lowest: Any) -> Steps:
    """Return steps of a setting that may be left open: open comes below its lowest value."""

    def next_value(value: Any, step: int, table: OperatingTable) -> Any:
        if value is None:
            return lowest if step > 0 else None
        return None if step < 0 and value == lowest else steps(value, step, table)

    return next_value


def open_above(values: Sequence[float]) -> Steps:
    """Return steps through ascending values of a setting that may be left open: open comes above the last value."""

    def next_value(value: float | None, step: int, _: OperatingTable) -> float | None:
        if value is None:
            return values[-1] if step < 0 else None
        return None if step > 0 and value >= values[-1] else stepped(values, value, step)

    return next_value


def over_front(value: Any, step: int, table: OperatingTable) -> Any:
    """Return the next subnetwork on the table's front; open comes below the cheapest."""
    return among((None, *(point.subnet for point in table.front)))(value, step, table)


def next_deadline_ms(deadline_ms: float | None, step: int, table: OperatingTable) -> float | None:
    """Return a deadline one step shorter or longer; from none, the first that every subnetwork meets.

    None, no deadline, comes above the longest.
    """
    if deadline_ms is None and step < 0:
        return stepped(DEADLINES_MS, max(point.p95_ms for point in table.points), 1)
    return open_above(DEADLINES_MS)(deadline_ms, step, table)


def switch(value: bool | None, step: int, table: OperatingTable) -> bool:
    """Return on for more and off for less."""
    return step > 0


def unchanged(value: Any, step: int, table: OperatingTable) -> Any:
    """Return the value: a text has no next one."""
    return value
