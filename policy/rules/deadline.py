"""A deadline as a limit on other policies: ``battery:hours=8+deadline=20``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Decision

from ..interface import Limit, PolicyState
from ..pareto import fastest, meeting, number, pareto_front
from ..settings import check_settings, positive, setting


@dataclass(frozen=True, slots=True)
class DeadlinePolicy:
    """Allows the subnetworks whose measured p95 meets a deadline; alone, it runs the most accurate of them.

    It trusts the table, whatever the load; ``slowdown`` looks at the latencies of the last windows.

    Raises:
        ConfigError: the time is not positive.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> from kinestream.policy import PolicyState, make_policy
    >>> rows = [(0.5, 0.9, 1.0), (1.0, 0.95, 4.0)]  # width, accuracy, and both ms and mJ
    >>> points = [OperatingPoint(Subnet(width, 128), share, 1, cost, cost, cost) for width, share, cost in rows]
    >>> policy = make_policy("deadline=2", OperatingTable("tiny", "by hand", "none", tuple(points)))
    >>> state = PolicyState(0.0, 0.0, deadline_ms=None, battery=None, last=None, recent=(), hop_s=1.0)
    >>> print(policy.decide(state).subnet)
    0.50x-128
    """

    kind: ClassVar[str] = "deadline"

    table: OperatingTable = field(repr=False)
    ms: float | None = setting(
        None,
        "the longest time for a window; open: the run's `--deadline`. The shorter of both holds",
        within=positive("number of milliseconds"),
    )

    def __post_init__(self) -> None:
        check_settings(self)

    def decide(self, state: PolicyState) -> Decision:
        limit = self.limit(state)
        return Decision(pareto_front(limit.points)[-1].subnet, f"{limit.reason}: the most accurate")

    def limit(self, state: PolicyState) -> Limit:
        choices = state.choices(self.table)
        given_ms = [ms for ms in (self.ms, state.deadline_ms) if ms is not None]
        if not given_ms:
            return Limit(choices, "no deadline")
        deadline_ms = min(given_ms)
        fitting = meeting(choices, deadline_ms)
        if not fitting:
            point = fastest(choices)
            reason = f"no subnetwork meets {number(deadline_ms)} ms; {point.subnet} is the fastest, "
            return Limit((point,), f"{reason}p95 {number(point.p95_ms)} ms", deadline_ms)
        return Limit(fitting, f"{len(fitting)} of {len(choices)} meet {number(deadline_ms)} ms", deadline_ms)
