"""Policies that limit one another: ``slowdown+battery:hours=8``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Decision, Sensing

from ..external_policy import name_of
from ..interface import Limit, Limiter, Policy, PolicyState
from ..pareto import no_dearer


@dataclass(frozen=True, slots=True)
class ComposedPolicy:
    """The first policy chooses; each later one limits the choices of those before it.

    The last is asked first and sees the whole table. The longest hop of all holds, and so do the
    shortest deadline and the thriftiest mode of the sensor.

    Raises:
        ConfigError: fewer than two policies, or one kind twice.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> from kinestream.policy import PolicyState, make_policy
    >>> rows = [(0.5, 0.9, 1.0), (1.0, 0.95, 4.0)]  # width, accuracy, and both ms and mJ
    >>> points = [OperatingPoint(Subnet(width, 128), share, 1, cost, cost, cost) for width, share, cost in rows]
    >>> policy = make_policy("persistence+deadline=2", OperatingTable("tiny", "by hand", "none", tuple(points)))
    >>> state = PolicyState(0.0, 0.0, deadline_ms=None, battery=None, last=None, recent=(), hop_s=1.0)
    >>> print(policy.decide(state).subnet)
    0.50x-128
    """

    kind: ClassVar[str] = "composed"

    table: OperatingTable = field(repr=False)
    parts: tuple[Policy, ...]

    def __post_init__(self) -> None:
        kinds = [name_of(part) for part in self.parts]
        if len(kinds) < 2:
            raise ConfigError("a composition needs two policies or more, e.g. slowdown+battery:hours=8")
        twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
        if twice:
            raise ConfigError(f"policy {'+'.join(kinds)}: {twice} is given twice")

    def decide(self, state: PolicyState) -> Decision:
        limits: list[Limit] = []
        for part in reversed(self.parts[1:]):
            limit = limit_of(part, state, self.table)
            limits.append(limit)
            state = replace(
                state,
                allowed=limit.points,
                deadline_ms=state.deadline_ms if limit.deadline_ms is None else limit.deadline_ms,
            )
        decision = self.parts[0].decide(state)
        memory = dict(decision.memory)
        for limit in limits:
            memory |= limit.memory
        reason = " | ".join([decision.reason, *(limit.reason for limit in reversed(limits))])
        hop = max(decision.hop, *(limit.hop for limit in limits))
        sensing = _thriftiest([decision.sensing, *(limit.sensing for limit in limits)])
        return Decision(decision.subnet, reason, hop, sensing, memory)


def limit_of(policy: Policy, state: PolicyState, table: OperatingTable) -> Limit:
    """The choices that a policy leaves to those before it: by its own rule, else nothing dearer than its own choice."""
    if isinstance(policy, Limiter):
        return policy.limit(state)
    decision = policy.decide(state)
    points = no_dearer(state.choices(table), table[decision.subnet])
    return Limit(points, decision.reason, hop=decision.hop, sensing=decision.sensing, memory=decision.memory)


def _thriftiest(wanted: Iterable[Sensing | None]) -> Sensing | None:
    """The lowest rate of all, and a gyroscope only where all want it."""
    modes = [sensing for sensing in wanted if sensing]
    return Sensing(min(mode.fs_hz for mode in modes), all(mode.gyro for mode in modes)) if modes else None


def parts_of(policy: Policy) -> tuple[Policy, ...]:
    """The policies that a policy is composed of; the policy itself where it is not a composition.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> table = OperatingTable("tiny", "by hand", "none", (OperatingPoint(Subnet(1.0, 128), 0.9, 1, 2.0, 2.2, 1.0),))
    >>> from kinestream.policy import make_policy
    >>> [part.kind for part in parts_of(make_policy("persistence+deadline=20", table))]
    ['persistence', 'deadline']
    """
    return policy.parts if isinstance(policy, ComposedPolicy) else (policy,)
