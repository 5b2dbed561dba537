"""The Pareto front that policies choose from, also for points that were never evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf, isfinite

from kinestream.core.operating_table import OperatingPoint
from kinestream.core.signals import Subnet

Cost = Callable[[OperatingPoint], float]


def by_energy(point: OperatingPoint) -> float:
    """The point's energy of one window, mJ."""
    return point.energy_mj


def by_latency(point: OperatingPoint) -> float:
    """The point's typical latency, ms."""
    return point.p50_ms


def pareto_front(points: Iterable[OperatingPoint], cost: Cost = by_energy) -> tuple[OperatingPoint, ...]:
    """The points that no other point beats in both cost and accuracy, cheapest first.

    It differs from ``OperatingTable.front`` in two ways: the cost can be the latency, and points whose accuracy was
    never evaluated (NaN) are left out. Where no point was evaluated, multiply-accumulates stand in for accuracy, so
    that a new model can still be steered.

    Returns:
        At least one point if there was one.

    >>> from kinestream.core.signals import Subnet
    >>> rows = [(0.5, 0.9, 1.0), (0.8, 0.8, 2.0), (1.0, 0.95, 3.0)]  # width, accuracy, energy in mJ
    >>> points = [OperatingPoint(Subnet(width, 128), share, 1, 1.0, 1.0, mj) for width, share, mj in rows]
    >>> [point.subnet.width for point in pareto_front(points)]
    [0.5, 1.0]
    """
    points = tuple(points)
    evaluated = [point for point in points if isfinite(point.accuracy)]

    def worth(point: OperatingPoint) -> float:
        return point.accuracy if evaluated else float(point.macs)

    front: list[OperatingPoint] = []
    for point in sorted(evaluated or points, key=lambda p: (cost(p), -worth(p), p.subnet)):
        if not front or worth(point) > worth(front[-1]):
            front.append(point)
    return tuple(front)


def meeting(points: Iterable[OperatingPoint], deadline_ms: float) -> tuple[OperatingPoint, ...]:
    """The points that meet the deadline in 95 of 100 windows; may be empty."""
    return tuple(point for point in points if point.p95_ms <= deadline_ms)


def hull(front: Iterable[OperatingPoint]) -> tuple[OperatingPoint, ...]:
    """The points that no mixture of two others beats at equal mean energy: the front's upper concave hull.

    Args:
        front: a ``pareto_front`` by energy.
    Returns:
        Its ends and some between, cheapest first.
    """
    points: list[OperatingPoint] = []
    for point in front:
        while len(points) > 1 and _gain(points[-2], points[-1]) <= _gain(points[-1], point):
            points.pop()
        points.append(point)
    return tuple(points)


def _gain(cheap: OperatingPoint, dear: OperatingPoint) -> float:
    """The accuracy that one more millijoule buys between two neighbours on a front."""
    worth = dear.accuracy - cheap.accuracy if isfinite(dear.accuracy) else float(dear.macs - cheap.macs)
    cost = dear.energy_mj - cheap.energy_mj
    return worth / cost if cost > 0 else inf


def within(points: tuple[OperatingPoint, ...], deadline_ms: float | None) -> tuple[tuple[OperatingPoint, ...], str]:
    """The points that meet the deadline, else the fastest alone, and the words that this adds to a reason."""
    if deadline_ms is None:
        return points, ""
    fitting = meeting(points, deadline_ms)
    if not fitting:
        point = fastest(points)
        return (point,), f"; no subnetwork meets {number(deadline_ms)} ms: the fastest, p95 {number(point.p95_ms)} ms"
    return fitting, "" if len(fitting) == len(points) else f"; meets the deadline of {number(deadline_ms)} ms"


def no_dearer(
    points: Iterable[OperatingPoint], than: OperatingPoint, cost: Cost = by_energy
) -> tuple[OperatingPoint, ...]:
    """The points that cost at most as much as a given one."""
    return tuple(point for point in points if cost(point) <= cost(than))


def fastest(points: Iterable[OperatingPoint]) -> OperatingPoint:
    """The point with the least 95th percentile of latency: the choice when no point meets a deadline."""
    return min(points, key=lambda p: (p.p95_ms, p.energy_mj, p.subnet))


def place_on_front(front: tuple[OperatingPoint, ...], subnet: Subnet) -> int | None:
    """The index of a subnetwork on a front; None if it is not on it."""
    return next((place for place, point in enumerate(front) if point.subnet == subnet), None)


def number(value: float) -> str:
    """A number for a reason: three digits, no exponent.

    >>> number(1234.5), number(0.012345), number(0.000045)
    ('1,234', '0.0123', '0.000045')
    """
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.6f}"
