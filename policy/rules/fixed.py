"""Always the same subnetwork: the reference for every adaptive policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import ClassVar

from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Decision, Subnet

from ..interface import PolicyState
from ..pareto import by_energy, no_dearer, number, pareto_front
from ..settings import setting


@dataclass(frozen=True, slots=True)
class FixedPolicy:
    """Always runs the same subnetwork, unless another policy forbids it.

    Raises:
        ConfigError: the table has no such subnetwork.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> from kinestream.policy import PolicyState, make_policy
    >>> rows = [(0.5, 0.9, 1.0), (1.0, 0.95, 4.0)]  # width, accuracy, and both ms and mJ
    >>> points = [OperatingPoint(Subnet(width, 128), share, 1, cost, cost, cost) for width, share, cost in rows]
    >>> policy = make_policy("fixed:0.5x-128", OperatingTable("tiny", "by hand", "none", tuple(points)))
    >>> state = PolicyState(0.0, 0.0, deadline_ms=None, battery=None, last=None, recent=(), hop_s=1.0)
    >>> print(policy.decide(state).subnet)
    0.50x-128
    """

    kind: ClassVar[str] = "fixed"

    table: OperatingTable = field(repr=False)
    subnet: Subnet | None = setting(None, "the subnetwork; open: the most accurate on the front")
    _point: OperatingPoint = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        point = pareto_front(self.table.points)[-1] if self.subnet is None else self.table[self.subnet]
        object.__setattr__(self, "_point", point)

    def decide(self, state: PolicyState) -> Decision:
        point = self._point
        if state.allowed is not None and point not in state.allowed:
            point = pareto_front(no_dearer(state.allowed, point) or (min(state.allowed, key=by_energy),))[-1]
            reason = f"{self._point.subnet} is not allowed: the nearest cheaper"
        elif self.subnet is not None:
            reason = "fixed by the user"
        elif isfinite(point.accuracy):
            reason = f"fixed: the most accurate, {point.accuracy:.1%} on validation subjects"
        else:
            reason = "fixed: the largest, as no accuracy was measured"
        if state.deadline_ms is not None and point.p95_ms > state.deadline_ms:
            reason += f"; its p95 of {number(point.p95_ms)} ms misses the deadline of {number(state.deadline_ms)} ms"
        return Decision(point.subnet, reason)
