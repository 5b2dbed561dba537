"""Thin while the activity plainly goes on, wide when it may have changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite
from typing import ClassVar

import numpy as np

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Decision, Sensing, Subnet

from ..interface import PolicyState
from ..pareto import ladder, number, within

LOOKED = "persistence.looked_s"


@dataclass(frozen=True, slots=True)
class PersistencePolicy:
    """People go on doing what they do: a thin network is enough to notice that nothing has changed.

    Wide at the beginning of a stream, after a change of label, when the last prediction was unsure, and whenever
    the last wide look is long ago; thin otherwise. Each stream is judged by its own predictions.

    Raises:
        ConfigError: a setting outside its range, or a subnetwork the table does not have.
    """

    kind: ClassVar[str] = "persistence"

    table: OperatingTable = field(repr=False)
    thin: Subnet | None = None
    """None: the cheapest."""
    wide: Subnet | None = None
    """None: the most accurate."""
    sure: float = 0.8
    """The confidence below which the activity is in doubt."""
    margin: float = 0.7
    """How far the most probable activity must be before the next, as probability."""
    settle: int = 3
    """Windows of one label before it counts as going on, 1 to 8."""
    look_s: float = 30.0
    """The longest time without a wide look."""
    hop: int = 1
    """While the activity goes on, predict only every so many windows."""
    fs_hz: float | None = None
    """While the activity goes on, sample only so often; None: as ever."""

    def __post_init__(self) -> None:
        for name in ("sure", "margin"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"persistence {name}={getattr(self, name)}: expected a probability from 0 to 1")
        if not 1 <= self.settle <= 8:
            raise ConfigError(f"persistence settle={self.settle}: expected 1 to 8 windows")
        if not (isfinite(self.look_s) and self.look_s > 0):
            raise ConfigError(f"persistence look_s={self.look_s}: expected a positive number of seconds")
        if not 1 <= self.hop <= 100:
            raise ConfigError(f"persistence hop={self.hop}: expected 1 to 100 windows")
        if self.fs_hz is not None and not (isfinite(self.fs_hz) and self.fs_hz > 0):
            raise ConfigError(f"persistence fs_hz={self.fs_hz}: expected a positive rate in Hz")
        for subnet in (self.thin, self.wide):
            if subnet is not None:
                _ = self.table[subnet]

    def decide(self, state: PolicyState) -> Decision:
        points, limit = within(state.choices(self.table), state.deadline_ms)
        rungs = ladder(points)
        doubt = self._doubt(state)
        if doubt:
            chosen = self._named(self.wide, points) or rungs[-1]
            return Decision(chosen.subnet, f"{doubt}: wide{limit}", memory={LOOKED: state.now_s})
        last, looked_s = state.own[-1], state.own_memory[LOOKED]
        ago = f"last wide look {number(state.now_s - looked_s)} s ago"
        chosen = self._named(self.thin, points) or rungs[0]
        reason = f"{last.label} goes on, {last.confidence:.0%} sure, {ago}: thin{limit}"
        sensing = None
        if self.fs_hz is not None:
            sensing, reason = Sensing(self.fs_hz), f"{reason}, {self.fs_hz:g} Hz"
        return Decision(chosen.subnet, reason, self.hop, sensing, {LOOKED: looked_s})

    def _doubt(self, state: PolicyState) -> str:
        """Why the activity may have changed; empty where it plainly goes on."""
        settled = state.own[-self.settle :]
        if len(settled) < self.settle:
            return "not known for long"
        last = settled[-1]
        for before in settled:
            if before.label != last.label:
                return f"may have changed from {before.label} to {last.label}"
        if not last.confidence >= self.sure:
            return f"only {last.confidence:.0%} sure of {last.label}"
        if len(last.probs) > 1:
            second, first = np.partition(last.probs, -2)[-2:].tolist()
            if not first - second >= self.margin:
                return f"{last.label} is only {first - second:.0%} before the next"
        since_s = state.now_s - state.own_memory.get(LOOKED, -inf)
        return "" if since_s < self.look_s else "no wide look for long"

    def _named(self, subnet: Subnet | None, points: tuple[OperatingPoint, ...]) -> OperatingPoint | None:
        """The subnetwork a person named, where it may run."""
        point = None if subnet is None else self.table[subnet]
        return point if point in points else None
