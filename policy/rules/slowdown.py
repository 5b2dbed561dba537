"""One factor, how much slower than the table the machine is now, predicts every subnetwork's latency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import exp, isfinite, log, sqrt
from statistics import NormalDist
from typing import ClassVar

from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Decision, Prediction

from ..interface import Limit, PolicyState
from ..pareto import number, pareto_front
from ..settings import Interval, check_settings, setting

STEADY = 0.05
"""Standard deviation of the slowdown's logarithm from window to window under a steady load."""

FORGET = 0.3
"""Weight of the process noise so far against the last surprise; ALERT's value."""

FARTHEST = log(1e6)
"""No load makes a window a million times slower or faster: a measurement beyond that is a clock's mistake, and
believing it would predict times beyond any number."""

TAIL_SD = NormalDist().inv_cdf(0.95)
"""From the median to the 95th percentile, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Slowdown:
    """The estimated slowdown of the next window."""

    mean: float = 0.0
    """Natural logarithm of latency over the table's p50."""
    variance: float = 0.1**2


def filtered(table: OperatingTable, recent: Iterable[Prediction]) -> Slowdown:
    """The slowdown estimated from some windows, oldest first, whatever subnetworks they ran.

    A scalar Kalman filter on the logarithm of latency over the table's p50. The noise of one measurement is the
    spread of that row of the table; the process noise grows with the last surprise, so a new load is believed at once.
    The filter runs again over all windows that a policy remembers: older ones weigh nothing, and no state is kept.

    Source: the global slowdown factor of Wan et al., ALERT, USENIX ATC 2020, there without the logarithm.
    """
    believed = Slowdown()
    mean, variance = believed.mean, believed.variance
    process = STEADY**2
    for prediction in recent:
        if (
            prediction.decision.subnet not in table
            or not prediction.latency_ms > 0
            or not isfinite(prediction.latency_ms)
        ):
            continue
        point = table[prediction.decision.subnet]
        gain = variance / (variance + _spread(point) ** 2)
        seen = log(prediction.latency_ms) - log(point.p50_ms)
        surprise = gain * (min(max(seen, -FARTHEST), FARTHEST) - mean)
        mean += surprise
        process = max(STEADY**2, FORGET * process + (1 - FORGET) * surprise**2)
        known = (1 - gain) * variance
        variance = known + process
        # Only a slower window than expected raises the variance: a faster one makes no late window more probable.
        believed = Slowdown(mean, variance if surprise > 0 else known + STEADY**2)
    return believed


def _spread(point: OperatingPoint) -> float:
    """Standard deviation of one latency's logarithm, from the row's p50 and p95."""
    return max(log(point.p95_ms / point.p50_ms) / TAIL_SD, STEADY) if point.p95_ms > point.p50_ms else STEADY


@dataclass(frozen=True, slots=True)
class SlowdownPolicy:
    """Runs the most accurate subnetwork whose predicted p95 under the present load meets the deadline.

    Raises:
        ConfigError: a setting outside its range.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> from kinestream.policy import PolicyState, make_policy
    >>> rows = [(0.5, 0.9, 1.0), (1.0, 0.95, 4.0)]  # width, accuracy, and both ms and mJ
    >>> points = [OperatingPoint(Subnet(width, 128), share, 1, cost, cost, cost) for width, share, cost in rows]
    >>> policy = make_policy("slowdown", OperatingTable("tiny", "by hand", "none", tuple(points)))
    >>> state = PolicyState(0.0, 0.0, deadline_ms=2.0, battery=None, last=None, recent=(), hop_s=1.0)
    >>> print(policy.decide(state).subnet)
    0.50x-128
    """

    kind: ClassVar[str] = "slowdown"

    table: OperatingTable = field(repr=False)
    sure: float = setting(
        0.95,
        "the probability with which the next window must meet the deadline",
        within=Interval("probability", 0.5, 1, closed="left"),
        search=(0.8, 0.9, 0.95, 0.98, 0.99, 0.999),
    )
    calm: float = setting(
        0.1,
        "the share of the deadline that a slower subnetwork than the last must leave, which prevents oscillation",
        within=Interval("share of the deadline", 0, 1, closed="left"),
        search=(0.0, 0.05, 0.1, 0.2),
    )
    _deviations: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_settings(self)
        object.__setattr__(self, "_deviations", NormalDist().inv_cdf(self.sure))

    def decide(self, state: PolicyState) -> Decision:
        limit = self.limit(state)
        point = pareto_front(limit.points)[-1]
        return Decision(point.subnet, limit.reason)

    def limit(self, state: PolicyState) -> Limit:
        """The points whose predicted latency meets the deadline, else the one that comes closest."""
        choices = state.choices(self.table)
        if state.deadline_ms is None:
            return Limit(choices, "no deadline: the most accurate")
        slowdown = filtered(self.table, state.recent)
        seen = f"{number(exp(slowdown.mean))} x the table's latency" if state.recent else "nothing measured yet"
        limit = f"{number(state.deadline_ms)} ms"
        fitting = tuple(point for point in choices if self.predicted_ms(point, slowdown) <= state.deadline_ms)
        if not fitting:
            point = min(choices, key=lambda p: (self.predicted_ms(p, slowdown), p.energy_mj, p.subnet))
            least = f"{number(self.predicted_ms(point, slowdown))} ms"
            return Limit((point,), f"{seen}: no subnetwork meets {limit}; the fastest is expected within {least}")
        if state.last is not None and state.last.subnet in self.table:
            here_ms, calm_ms = self.table[state.last.subnet].p50_ms, (1 - self.calm) * state.deadline_ms
            steady = tuple(p for p in fitting if p.p50_ms <= here_ms or self.predicted_ms(p, slowdown) <= calm_ms)
            fitting = steady or fitting
        best = pareto_front(fitting)[-1]
        expected = f"{number(self.predicted_ms(best, slowdown))} ms"
        return Limit(fitting, f"{seen}: {best.subnet} is expected within {expected} of {limit}")

    def predicted_ms(self, point: OperatingPoint, slowdown: Slowdown) -> float:
        """The latency that the point's next window stays within with probability ``sure``."""
        deviation = sqrt(slowdown.variance + _spread(point) ** 2)
        return point.p50_ms * exp(slowdown.mean + self._deviations * deviation)
