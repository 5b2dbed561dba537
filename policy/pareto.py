"""The points a policy steps over: a Pareto front that also copes with what was never measured."""

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
    """The points no other point beats in both cost and accuracy, cheapest first.

    Differs from ``OperatingTable.front`` in two ways: the cost can be the latency, and a point whose
    accuracy was never evaluated (NaN) is passed over. Where no point was evaluated, more
    multiply-accumulates are taken for more accuracy, so that a fresh model can still be steered.

    Returns:
        At least one point if there was one.
    """
    points = tuple(points)
    evaluated = [point for point in points if isfinite(point.accuracy)]

    def worth(point: OperatingPoint) -> float:
        return point.accuracy if evaluated else float(point.macs)

    rungs: list[OperatingPoint] = []
    for point in sorted(evaluated or points, key=lambda p: (cost(p), -worth(p), p.subnet)):
        if not rungs or worth(point) > worth(rungs[-1]):
            rungs.append(point)
    return tuple(rungs)


def meeting(points: Iterable[OperatingPoint], deadline_ms: float) -> tuple[OperatingPoint, ...]:
    """The points that keep the deadline in 95 of 100 windows; may be empty."""
    return tuple(point for point in points if point.p95_ms <= deadline_ms)


def hull(rungs: Iterable[OperatingPoint]) -> tuple[OperatingPoint, ...]:
    """The rungs that no mixture of two others beats at equal mean energy: the ladder's upper concave hull.

    Args:
        rungs: a ``ladder`` by energy.
    Returns:
        Its ends and some between, cheapest first.
    """
    kept: list[OperatingPoint] = []
    for point in rungs:
        while len(kept) > 1 and _gain(kept[-2], kept[-1]) <= _gain(kept[-1], point):
            kept.pop()
        kept.append(point)
    return tuple(kept)


def _gain(cheap: OperatingPoint, dear: OperatingPoint) -> float:
    """What a millijoule more buys between two neighbours of one ladder."""
    worth = dear.accuracy - cheap.accuracy if isfinite(dear.accuracy) else float(dear.macs - cheap.macs)
    cost = dear.energy_mj - cheap.energy_mj
    return worth / cost if cost > 0 else inf


def within(points: tuple[OperatingPoint, ...], deadline_ms: float | None) -> tuple[tuple[OperatingPoint, ...], str]:
    """The points that keep the deadline, else the fastest, and what to add to a reason because of it."""
    if deadline_ms is None:
        return points, ""
    fitting = meeting(points, deadline_ms)
    if not fitting:
        point = fastest(points)
        return (point,), f"; no subnetwork meets {number(deadline_ms)} ms: the fastest, p95 {number(point.p95_ms)} ms"
    return fitting, "" if len(fitting) == len(points) else f"; deadline {number(deadline_ms)} ms kept"


def no_dearer(
    points: Iterable[OperatingPoint], than: OperatingPoint, cost: Cost = by_energy
) -> tuple[OperatingPoint, ...]:
    """The points that cost at most as much as one of them."""
    return tuple(point for point in points if cost(point) <= cost(than))


def fastest(points: Iterable[OperatingPoint]) -> OperatingPoint:
    """The point with the least 95th percentile of latency: the choice when a deadline cannot be met."""
    return min(points, key=lambda p: (p.p95_ms, p.energy_mj, p.subnet))


def place_on_front(rungs: tuple[OperatingPoint, ...], subnet: Subnet) -> int | None:
    """The place of a subnetwork on a ladder; None if it is not on it."""
    return next((place for place, point in enumerate(rungs) if point.subnet == subnet), None)


def number(value: float) -> str:
    """A number as a person reads it in a reason: three digits, no exponent."""
    return (
        f"{value:,.0f}"
        if abs(value) >= 100
        else f"{value:.3g}"
        if abs(value) >= 0.001 or value == 0
        else f"{value:.6f}"
    )
