"""Keep the latency in a band below the deadline, one step along the front at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from statistics import median
from typing import ClassVar

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Decision, Prediction, Subnet

from ..interface import Limit, PolicyState
from ..pareto import by_latency, fastest, meeting, no_dearer, number, pareto_front, place_on_front
from ..settings import Interval, check_settings, setting


@dataclass(frozen=True, slots=True)
class LatencyPolicy:
    """The paper's hysteresis band: one step cheaper above its upper edge, one step dearer below its lower edge.

    It takes a dearer step only if that point's latency under the present load, its table value times the slowdown
    seen now, stays below the upper edge: so the policy cannot swing between two points.

    Source: the demonstration under time-varying CPU load in Qin et al., IEEE TAI 2024 (band 50-70 ms).

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> from kinestream.policy import PolicyState, make_policy
    >>> rows = [(0.5, 0.9, 1.0), (1.0, 0.95, 4.0)]  # width, accuracy, and both ms and mJ
    >>> points = [OperatingPoint(Subnet(width, 128), share, 1, cost, cost, cost) for width, share, cost in rows]
    >>> policy = make_policy("latency", OperatingTable("tiny", "by hand", "none", tuple(points)))
    >>> state = PolicyState(0.0, 0.0, deadline_ms=2.0, battery=None, last=None, recent=(), hop_s=1.0)
    >>> print(policy.decide(state).subnet)
    0.50x-128
    """

    kind: ClassVar[str] = "latency"

    table: OperatingTable = field(repr=False)
    low: float = setting(0.7, "the lower edge of the band, as a share of the deadline", search=(0.5, 0.6, 0.7, 0.8))
    high: float = setting(1.0, "the upper edge of the band, as a share of the deadline", search=(0.85, 0.9, 0.95, 1.0))
    span: int = setting(
        3,
        "the recent latency is the median of this many windows, so that one outlier changes nothing",
        within=Interval("number of windows", 1, 8),
        search=(1, 2, 3, 5),
    )

    def __post_init__(self) -> None:
        if not (0 < self.low < self.high and isfinite(self.high)):
            raise ConfigError(
                f"latency band low={self.low}, high={self.high}: expected 0 < low < high, shares of the deadline"
            )
        check_settings(self)

    def decide(self, state: PolicyState) -> Decision:
        front = pareto_front(state.choices(self.table), by_latency)
        if state.deadline_ms is None:
            return Decision(front[-1].subnet, "no deadline: the most accurate")
        upper_ms, lower_ms = self.high * state.deadline_ms, self.low * state.deadline_ms
        place = None if state.last is None else place_on_front(front, state.last.subnet)
        seen_ms = None if state.last is None else self._seen_ms(state.last.subnet, state.recent)
        if place is None or seen_ms is None:
            return _enter(state.choices(self.table), front, upper_ms)
        seen = f"{number(seen_ms)} ms"
        if seen_ms > upper_ms:
            return _down(front, place, seen, upper_ms)
        if seen_ms < lower_ms:
            return _up(front, place, seen_ms, lower_ms, upper_ms)
        return Decision(front[place].subnet, f"{seen} is in the band of {number(lower_ms)} to {number(upper_ms)} ms")

    def limit(self, state: PolicyState) -> Limit:
        """Nothing slower than the band's own choice."""
        choices, decision = state.choices(self.table), self.decide(state)
        return Limit(no_dearer(choices, self.table[decision.subnet], by_latency), decision.reason)

    def _seen_ms(self, subnet: Subnet, recent: tuple[Prediction, ...]) -> float | None:
        """The median latency of the last windows, as far back as this subnetwork ran; None if it has not run yet."""
        latencies: list[float] = []
        for prediction in reversed(recent):
            if prediction.decision.subnet != subnet or len(latencies) == self.span:
                break
            if isfinite(prediction.latency_ms):
                latencies.append(prediction.latency_ms)
        return median(latencies) if latencies else None


def _enter(choices: tuple[OperatingPoint, ...], front: tuple[OperatingPoint, ...], upper_ms: float) -> Decision:
    fitting = meeting(front, upper_ms)
    if not fitting:
        point = fastest(choices)
        return Decision(
            point.subnet,
            f"no subnetwork meets {number(upper_ms)} ms: the fastest, p95 {number(point.p95_ms)} ms",
        )
    point = fitting[-1]
    return Decision(point.subnet, f"the most accurate with p95 {number(point.p95_ms)} ms within {number(upper_ms)} ms")


def _down(front: tuple[OperatingPoint, ...], place: int, seen: str, upper_ms: float) -> Decision:
    if place == 0:
        return Decision(front[0].subnet, f"{seen} is over {number(upper_ms)} ms, but nothing is faster")
    place -= 1
    # A step that the table rules out would waste a window: a deadline cut to a tenth is met at once.
    while place > 0 and front[place].p50_ms > upper_ms:
        place -= 1
    point = front[place]
    return Decision(point.subnet, f"{seen} is over {number(upper_ms)} ms: down to {point.subnet}")


def _up(front: tuple[OperatingPoint, ...], place: int, seen_ms: float, lower_ms: float, upper_ms: float) -> Decision:
    here = front[place]
    under = f"{number(seen_ms)} ms is under {number(lower_ms)} ms"
    if place + 1 == len(front):
        return Decision(here.subnet, f"{under}: already the most accurate")
    dearer = front[place + 1]
    expected_ms = dearer.p50_ms * seen_ms / here.p50_ms
    if expected_ms > upper_ms:
        return Decision(
            here.subnet,
            f"{under}, but {dearer.subnet} would take {number(expected_ms)} ms, over {number(upper_ms)} ms",
        )
    return Decision(dearer.subnet, f"{under}: up to {dearer.subnet}, expected at {number(expected_ms)} ms")
