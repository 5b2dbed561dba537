"""Spend what is left in the battery evenly until a wished-for hour."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite
from typing import ClassVar

from kinestream.errors import ConfigError
from kinestream.operating_table import OperatingPoint, OperatingTable
from kinestream.signals import Decision

from .ladder import fastest, ladder, meeting, number
from .state import BatteryReading, PolicyState


@dataclass(frozen=True, slots=True)
class BatteryPolicy:
    """The most accurate subnetwork whose energy fits the share of the battery that one window may take.

    That share is recomputed for every window from what is left, so a wrong energy model or a cold
    battery corrects itself. Points that miss the deadline are left out first.
    """

    kind: ClassVar[str] = "battery"

    table: OperatingTable = field(repr=False)
    hours: float = 8.0
    """How long the battery shall last, counted from the start of the run."""
    _rungs: tuple[OperatingPoint, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (isfinite(self.hours) and self.hours > 0):
            raise ConfigError(f"battery hours={self.hours}: expected a positive number of hours")
        object.__setattr__(self, "_rungs", ladder(self.table.points))

    def decide(self, state: PolicyState) -> Decision:
        rungs, limit = self._within(state.deadline_ms)
        budget_mj, why = self._budget(state)
        affordable = [point for point in rungs if point.energy_mj <= budget_mj]
        point = affordable[-1] if affordable else rungs[0]
        if budget_mj == inf:
            reason = f"{why}: the most accurate"
        elif budget_mj == -inf:
            reason = f"{why}: the cheapest, to be safe"
        elif affordable:
            reason = f"{why}; {point.subnet} costs {number(point.energy_mj)}"
        else:
            reason = f"{why}; even the cheapest, {point.subnet}, costs {number(point.energy_mj)}"
        return Decision(point.subnet, reason + limit)

    def budget_mj(self, state: PolicyState) -> float:
        """What this window may cost, in mJ.

        Infinite where nothing limits it, minus infinity where the battery is not known: the cheapest is safe.
        """
        return self._budget(state)[0]

    def _budget(self, state: PolicyState) -> tuple[float, str]:
        battery = state.battery
        if battery is None:
            return -inf, "no battery can be read"
        if battery.charging:
            return inf, "the battery is charging"
        if not battery.known:
            return -inf, f"the battery says {battery.frac}, which is no share from 0 to 1"
        left_s = self.hours * 3600.0 - (state.now_s - state.started_s)
        charge = f"battery {battery.frac:.0%}"
        if left_s <= 0:
            return inf, f"{charge}: the {number(self.hours)} h are over"
        energy_mj = battery.energy_mj
        if energy_mj is None:
            return self._by_charge(battery, left_s, charge)
        power_mw = energy_mj / left_s
        budget_mj = (power_mw - battery.base_mw) * state.hop_s
        hours = f"{charge}: {number(left_s / 3600)} h to go at {_power(power_mw)}"
        if budget_mj <= 0:
            return budget_mj, f"{hours} is less than the device alone draws ({_power(battery.base_mw)})"
        return budget_mj, f"{hours} allows {number(budget_mj)} mJ a window"

    def _by_charge(self, battery: BatteryReading, left_s: float, charge: str) -> tuple[float, str]:
        """Without a capacity joules mean nothing: the charge is set against the share of time to go.

        A charge on or above the straight line from full to empty affords the dearest point, an empty
        battery the cheapest; a battery that drains faster than the line steps down until it does not.
        """
        time_frac = left_s / (self.hours * 3600.0)
        cheapest, dearest = self._rungs[0].energy_mj, self._rungs[-1].energy_mj
        budget_mj = cheapest + min(battery.frac / time_frac, 1.0) * (dearest - cheapest)
        return (
            budget_mj,
            f"{charge} for {time_frac:.0%} of the {number(self.hours)} h allows {number(budget_mj)} mJ a window",
        )

    def _within(self, deadline_ms: float | None) -> tuple[tuple[OperatingPoint, ...], str]:
        """The ladder of the points that meet the deadline, and what to say of those left out."""
        if deadline_ms is None:
            return self._rungs, ""
        fitting = meeting(self.table.points, deadline_ms)
        if not fitting:
            point = fastest(self.table.points)
            return (
                point,
            ), f"; no subnetwork meets {number(deadline_ms)} ms: the fastest, p95 {number(point.p95_ms)} ms"
        if len(fitting) == len(self.table.points):
            return self._rungs, ""
        return ladder(fitting), f"; deadline {number(deadline_ms)} ms kept"


def _power(power_mw: float) -> str:
    return f"{number(power_mw / 1000)} W" if power_mw >= 1000 else f"{number(power_mw)} mW"
