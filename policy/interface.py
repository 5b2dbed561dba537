"""The interface of a policy: the state it sees, and what it must offer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Decision, Prediction, Sensing


@dataclass(frozen=True, slots=True)
class BatteryReading:
    """A battery's report of itself; trust it only where ``known`` is true.

    >>> BatteryReading(0.5, capacity_j=1332.0).energy_mj
    666000.0
    """

    frac: float
    """Charge left, 0 to 1."""
    capacity_j: float | None
    """Energy of the full battery in joules; None where the device does not report it."""
    charging: bool = False
    base_mw: float = 0.0
    """Power that the device draws without inference, as far as the battery knows."""
    temperature_c: float | None = None
    """Temperature of the battery; None where the device does not report it."""

    @property
    def known(self) -> bool:
        """Whether the charge is a number from 0 to 1."""
        return 0.0 <= self.frac <= 1.0  # False for NaN too

    @property
    def energy_mj(self) -> float | None:
        """The energy left in millijoules; None where the capacity or the charge is unknown."""
        return self.frac * self.full_j * 1000.0 if self.known and self.full_j is not None else None

    @property
    def full_j(self) -> float | None:
        """The capacity in joules if it is a positive number, else None."""
        capacity_j = self.capacity_j
        return capacity_j if capacity_j is not None and math.isfinite(capacity_j) and capacity_j > 0 else None


@dataclass(frozen=True, slots=True)
class PolicyState:
    """Everything known when the next window is about to run.

    >>> PolicyState(2.56, 0.0, deadline_ms=20.0, battery=None, last=None, recent=(), hop_s=1.28).memory
    {}
    """

    now_s: float
    """Stream time of this window's end; it must run on evenly over epochs."""
    started_s: float
    """Stream time at which the run began, on the same clock."""
    deadline_ms: float | None
    """Longest time that one window may take; None: no deadline."""
    battery: BatteryReading | None
    """None where there is no battery, or none that can be read."""
    last: Decision | None
    """The decision for the previous window."""
    recent: tuple[Prediction, ...]
    """The last predictions, newest last, at most 8."""
    hop_s: float
    """Seconds between two windows, all streams together: how often a window's energy is spent."""
    own: tuple[Prediction, ...] = ()
    """The last predictions of the window's own stream, newest last, at most 8."""
    coverage: float = 1.0
    """Share of this window's samples that were received and not interpolated, 0 to 1."""
    allowed: tuple[OperatingPoint, ...] | None = None
    """The points that the policies asked before this one leave to choose from, at least one; None: the whole table."""

    def choices(self, table: OperatingTable) -> tuple[OperatingPoint, ...]:
        """The points that may be chosen."""
        return table.points if self.allowed is None else self.allowed

    @property
    def memory(self) -> Mapping[str, float]:
        """The memory that the policy left in its last decision, for whichever stream."""
        return {} if self.last is None else self.last.memory

    @property
    def own_memory(self) -> Mapping[str, float]:
        """The memory that the policy left in its last decision on the window's own stream."""
        return self.own[-1].decision.memory if self.own else {}


class Policy(Protocol):
    """Chooses the subnetwork of the next window.

    A policy is a frozen dataclass of its settings and the operating table; ``decide`` is a pure
    function of these and the state: the same state gives the same decision, in a test as in a run.
    Numbers that it needs later go into ``Decision.memory``, under keys that begin with its kind.
    """

    kind: ClassVar[str]

    def decide(self, state: PolicyState) -> Decision:
        """The subnetwork to run now, one of ``state.choices``, and the reason in words."""
        ...


@dataclass(frozen=True, slots=True)
class Limit:
    """The choices that a policy leaves to another."""

    points: tuple[OperatingPoint, ...]
    """At least one."""
    reason: str
    deadline_ms: float | None = None
    """The deadline from here on; None: unchanged."""
    hop: int = 1
    """The shortest hop allowed, in windows."""
    sensing: Sensing | None = None
    """The most that the sensor may run; None: unchanged."""
    memory: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Limiter(Protocol):
    """A policy that limits others by its own rule instead of by \"nothing dearer than my own choice\"."""

    def limit(self, state: PolicyState) -> Limit:
        """The part of ``state.choices`` that is left."""
        ...
