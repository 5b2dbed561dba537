"""Always the same subnetwork: the reference every adaptive policy is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import ClassVar

from kinestream.operating_table import OperatingTable
from kinestream.signals import Decision, Subnet

from .ladder import by_energy, ladder, no_dearer, number
from .state import PolicyState


@dataclass(frozen=True, slots=True)
class FixedPolicy:
    """Runs one subnetwork whatever happens, unless another policy forbids it.

    Raises:
        ConfigError: the table has no such subnetwork.
    """

    kind: ClassVar[str] = "fixed"

    table: OperatingTable = field(repr=False)
    subnet: Subnet | None = None
    """None: the most accurate on the Pareto front."""

    def __post_init__(self) -> None:
        if self.subnet is not None:
            _ = self.table[self.subnet]

    def decide(self, state: PolicyState) -> Decision:
        choices = state.choices(self.table)
        point = ladder(choices)[-1]
        if self.subnet is not None:
            wished = self.table[self.subnet]
            if wished in choices:
                point, reason = wished, "fixed by the user"
            else:
                point = ladder(no_dearer(choices, wished) or (min(choices, key=by_energy),))[-1]
                reason = f"{wished.subnet} is not allowed: the nearest cheaper"
        elif isfinite(point.accuracy):
            reason = f"fixed: the most accurate, {point.accuracy:.1%} on validation subjects"
        else:
            reason = "fixed: the largest, as no accuracy was measured"
        if state.deadline_ms is not None and point.p95_ms > state.deadline_ms:
            reason += f"; its p95 of {number(point.p95_ms)} ms misses the deadline of {number(state.deadline_ms)} ms"
        return Decision(point.subnet, reason)
