"""The points a policy steps over: a Pareto front that also copes with what was never measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite

from kinestream.operating_table import OperatingPoint
from kinestream.signals import Subnet

Cost = Callable[[OperatingPoint], float]


def by_energy(point: OperatingPoint) -> float:
    """The point's energy of one window, mJ."""
    return point.energy_mj


def by_latency(point: OperatingPoint) -> float:
    """The point's typical latency, ms."""
    return point.p50_ms


def ladder(points: Iterable[OperatingPoint], cost: Cost = by_energy) -> tuple[OperatingPoint, ...]:
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


def fastest(points: Iterable[OperatingPoint]) -> OperatingPoint:
    """The point with the least 95th percentile of latency: the choice when a deadline cannot be met."""
    return min(points, key=lambda p: (p.p95_ms, p.energy_mj, p.subnet))


def rung_of(rungs: tuple[OperatingPoint, ...], subnet: Subnet) -> int | None:
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
