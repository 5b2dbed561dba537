"""Predict only one window in several, under any other policy: ``battery:hours=8+hop=4``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Decision

from ..interface import Limit, PolicyState
from ..pareto import pareto_front, within
from ..settings import HOP, HOPS_TO_TRY, check_settings, setting


@dataclass(frozen=True, slots=True)
class HopPolicy:
    """Predicts only one window in several; alone, it runs the most accurate subnetwork that meets the deadline.

    Raises:
        ConfigError: the hop is outside its range.
    """

    kind: ClassVar[str] = "hop"

    table: OperatingTable = field(repr=False)
    hop: int = setting(
        2,
        "one window in this many is predicted; the longest hop of all parts applies",
        within=HOP,
        search=HOPS_TO_TRY,
    )

    def __post_init__(self) -> None:
        check_settings(self)

    def decide(self, state: PolicyState) -> Decision:
        limit = self.limit(state)
        points, deadline = within(limit.points, state.deadline_ms)
        return Decision(pareto_front(points)[-1].subnet, limit.reason + deadline, limit.hop)

    def limit(self, state: PolicyState) -> Limit:
        reason = "every window" if self.hop == 1 else f"every {self.hop} windows, as set"
        return Limit(state.choices(self.table), reason, hop=self.hop)
