"""Fewer samples and longer hops while the link is poor."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from statistics import fmean, median
from typing import ClassVar

from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Decision

from ..interface import Limit, PolicyState
from ..pareto import number, pareto_front, within
from ..settings import HOP, SHARE, Interval, check_settings, positive, setting
from .sensing import sparsest


@dataclass(frozen=True, slots=True)
class LossPolicy:
    """Spares a poor link: the worse it is, the lower the resolution, the longer the hop, the fewer the samples.

    The link is judged over the stream's remembered windows and this one: by the mean share of missing samples (lost
    or interpolated) and the median age of the data. Each counts one step at its limit, two at twice the limit, and so
    on; a step is the next lower resolution of the table and one more window in the hop. From the first step on, the
    sensor is asked for the fewest samples that cost at most ``lose`` by the table.

    Raises:
        ConfigError: a setting outside its range.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> from kinestream.policy import PolicyState, make_policy
    >>> rows = [(0.5, 0.9, 1.0), (1.0, 0.95, 4.0)]  # width, accuracy, and both ms and mJ
    >>> points = [OperatingPoint(Subnet(width, 128), share, 1, cost, cost, cost) for width, share, cost in rows]
    >>> policy = make_policy("loss", OperatingTable("tiny", "by hand", "none", tuple(points)))
    >>> state = PolicyState(0.0, 0.0, deadline_ms=None, battery=None, last=None, recent=(), hop_s=1.0)
    >>> print(policy.decide(state).subnet)
    1.00x-128
    """

    kind: ClassVar[str] = "loss"

    table: OperatingTable = field(repr=False)
    missing: float = setting(
        0.05,
        "the share of missing samples from which the link is poor",
        within=Interval("share", 0, 1, closed="right"),
        search=(0.02, 0.05, 0.1),
    )
    age_s: float = setting(
        2.0,
        "the age of the newest sample, when its prediction comes out, from which the link is poor",
        within=positive("number of seconds"),
    )
    hop: int = setting(4, "the longest hop, in windows", within=HOP, search=(2, 4, 8))
    lose: float = setting(0.005, "the share of right windows that fewer samples may cost", within=SHARE)

    def __post_init__(self) -> None:
        check_settings(self)

    def decide(self, state: PolicyState) -> Decision:
        limit = self.limit(state)
        points, deadline = within(limit.points, state.deadline_ms)
        return Decision(pareto_front(points)[-1].subnet, limit.reason + deadline, limit.hop, limit.sensing)

    def limit(self, state: PolicyState) -> Limit:
        choices = state.choices(self.table)
        missing = 1 - fmean([*(prediction.coverage for prediction in state.own), state.coverage])
        ages_s = [prediction.age_ms / 1000 for prediction in state.own if isfinite(prediction.age_ms)]
        age_s = median(ages_s) if ages_s else 0.0
        seen = f"{missing:.0%} of the samples missing, data {number(max(age_s, 0.0))} s old"
        steps = int(max(missing / self.missing, age_s / self.age_s))
        if steps < 1:
            return Limit(choices, f"{seen}: a good link")
        resolutions = sorted({point.subnet.resolution for point in choices}, reverse=True)
        most = resolutions[min(steps, len(resolutions) - 1)]
        hop = min(1 + steps, self.hop)
        points = tuple(point for point in choices if point.subnet.resolution <= most)
        every = "every window" if hop == 1 else f"every {hop} windows"
        row = sparsest(self.table, self.lose)
        slower = f", sensor at {row.sensing}" if row else ""
        return Limit(
            points,
            f"{seen}: at most {most} samples, {every}{slower}",
            hop=hop,
            sensing=row.sensing if row else None,
        )
