"""A thin subnetwork while the activity clearly continues, a wide one when it may have changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import ClassVar

import numpy as np

from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Decision, Sensing, Subnet

from ..interface import PolicyState
from ..pareto import number, pareto_front, within
from ..settings import HOP, HOPS_TO_TRY, PROBABILITY, Interval, check_settings, positive, setting

LOOKED = "persistence.looked_s"

TRIED_SUBNETS = 6
"""Subnetworks of the front that a search tries as the thin and as the wide one."""


def _spread_over_front(table: OperatingTable) -> list[str]:
    """Subnetworks spread evenly over the front, the cheapest and the most accurate included."""
    front = table.front
    places = np.linspace(0, len(front) - 1, min(TRIED_SUBNETS, len(front))).round().astype(int)
    return [str(front[place].subnet) for place in places]


def _rates_that_save(table: OperatingTable) -> list[float]:
    """The model's own rate and the lower ones that save power with the same gyroscope; none if no other saves."""
    rates_hz = [
        row.sensing.fs_hz
        for number, row in enumerate(table.sensing)
        if number == 0 or (row.sensing.gyro == table.sensing[0].sensing.gyro and table.saved_mw(row.sensing) > 0)
    ]
    return rates_hz if len(rates_hz) > 1 else []


@dataclass(frozen=True, slots=True)
class PersistencePolicy:
    """Thin while the activity clearly continues, wide when it may have changed.

    Activities last: a thin network is enough to notice that nothing has changed. Wide runs at the beginning of a
    stream, after a change of label, after an unsure prediction, and whenever the last wide window is long ago. Each
    stream is judged by its own predictions.

    Raises:
        ConfigError: a setting outside its range, or a subnetwork the table does not have.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> from kinestream.policy import PolicyState, make_policy
    >>> rows = [(0.5, 0.9, 1.0), (1.0, 0.95, 4.0)]  # width, accuracy, and both ms and mJ
    >>> points = [OperatingPoint(Subnet(width, 128), share, 1, cost, cost, cost) for width, share, cost in rows]
    >>> policy = make_policy("persistence", OperatingTable("tiny", "by hand", "none", tuple(points)))
    >>> state = PolicyState(0.0, 0.0, deadline_ms=None, battery=None, last=None, recent=(), hop_s=1.0)
    >>> print(policy.decide(state).subnet)
    1.00x-128
    """

    kind: ClassVar[str] = "persistence"

    table: OperatingTable = field(repr=False)
    thin: Subnet | None = setting(
        None, "the subnetwork while the activity continues; open: the cheapest", search=_spread_over_front
    )
    wide: Subnet | None = setting(
        None, "the subnetwork while it may have changed; open: the most accurate", search=_spread_over_front
    )
    sure: float = setting(
        0.8,
        "the confidence below which the activity is in doubt",
        within=PROBABILITY,
        search=(0.5, 0.7, 0.8, 0.9, 0.95, 0.98),
    )
    margin: float = setting(
        0.7,
        "the lead in probability that the most probable activity needs over the next",
        within=PROBABILITY,
        search=(0.0, 0.5, 0.7, 0.9, 0.95),
    )
    settle: int = setting(
        3,
        "the windows of one label from which the activity continues",
        within=Interval("number of windows", 1, 8),
        search=(1, 2, 3),
    )
    look_s: float = setting(
        30.0,
        "the longest time without a wide window",
        within=positive("number of seconds"),
        search=(10.0, 30.0, 60.0, 120.0),
    )
    hop: int = setting(
        1, "while the activity continues, one window in so many is predicted", within=HOP, search=HOPS_TO_TRY
    )
    fs_hz: float | None = setting(
        None,
        "the sampling rate while the activity continues; open: unchanged",
        within=positive("rate in Hz"),
        search=_rates_that_save,
    )

    def __post_init__(self) -> None:
        check_settings(self)
        for subnet in (self.thin, self.wide):
            if subnet is not None:
                _ = self.table[subnet]

    def decide(self, state: PolicyState) -> Decision:
        points, limit = within(state.choices(self.table), state.deadline_ms)
        front = pareto_front(points)
        doubt = self._doubt(state)
        if doubt:
            chosen = self._named(self.wide, points) or front[-1]
            return Decision(chosen.subnet, f"{doubt}: wide{limit}", memory={LOOKED: state.now_s})
        last, looked_s = state.own[-1], state.own_memory[LOOKED]
        ago = f"last wide window {number(state.now_s - looked_s)} s ago"
        chosen = self._named(self.thin, points) or front[0]
        reason = f"still {last.label}, {last.confidence:.0%} sure, {ago}: thin{limit}"
        sensing = None
        if self.fs_hz is not None:
            sensing, reason = Sensing(self.fs_hz), f"{reason}, {self.fs_hz:g} Hz"
        return Decision(chosen.subnet, reason, self.hop, sensing, {LOOKED: looked_s})

    def _doubt(self, state: PolicyState) -> str:
        """The reason why the activity may have changed; empty where it clearly continues."""
        settled = state.own[-self.settle :]
        if len(settled) < self.settle:
            return "not settled yet"
        last = settled[-1]
        for before in settled:
            if before.label != last.label:
                return f"may have changed from {before.label} to {last.label}"
        if not last.confidence >= self.sure:
            return f"only {last.confidence:.0%} sure of {last.label}"
        if len(last.probs) > 1:
            second, first = np.partition(last.probs, -2)[-2:].tolist()
            if not first - second >= self.margin:
                return f"{last.label} leads the next by only {first - second:.0%}"
        since_s = state.now_s - state.own_memory.get(LOOKED, -inf)
        return "" if since_s < self.look_s else "last wide window too long ago"

    def _named(self, subnet: Subnet | None, points: tuple[OperatingPoint, ...]) -> OperatingPoint | None:
        """The subnetwork that the setting names, where it may run."""
        point = None if subnet is None else self.table[subnet]
        return point if point in points else None
