"""Spend the charge evenly until a chosen hour."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil, inf, isfinite
from typing import ClassVar

from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Decision, Sensing

from ..interface import BatteryReading, PolicyState
from ..pareto import hull, number, pareto_front, within
from ..settings import SHARE, Interval, check_settings, positive, setting
from .battery_drain import Drain, observed
from .sensing import describe, thriftiest

COOLER_C = 5.0
"""Within this many degrees of the highest temperature the budget shrinks gradually, which prevents oscillation."""

PLENTY = 1.5
"""A thrifty sensor returns to normal only when the budget is this many times the cheapest subnetwork's energy."""


_CHARGE = Interval("charge", 0, 1, closed="left")


@dataclass(frozen=True, slots=True)
class Budget:
    """The energy that one window may cost."""

    mj: float
    """Infinite without a limit, minus infinity where the charge is unknown: the cheapest is safe."""
    why: str
    windows: float = inf
    """Windows to come, this one included; infinite where the budget is not in joules."""
    drain: Drain | None = None


@dataclass(frozen=True, slots=True)
class BatteryPolicy:
    """Makes the charge last until a chosen hour: two neighbours on the front share the time so that it is just spent.

    Every window's budget comes from the charge left and the drain measured by then, so a wrong energy model or a cold
    battery corrects itself. Points that miss the deadline are left out first.

    Source: two-point time-sharing on the convex front is optimal, Bhat et al., REAP, DAC 2019.

    Raises:
        ConfigError: a setting outside its range.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> from kinestream.policy import BatteryReading, PolicyState, make_policy
    >>> rows = [(0.5, 0.9, 1.0), (1.0, 0.95, 4.0)]  # width, accuracy, and both ms and mJ
    >>> points = [OperatingPoint(Subnet(width, 128), share, 1, cost, cost, cost) for width, share, cost in rows]
    >>> policy = make_policy("battery:hours=8", OperatingTable("tiny", "by hand", "none", tuple(points)))
    >>> battery = BatteryReading(0.5, capacity_j=100.0)
    >>> state = PolicyState(0.0, 0.0, deadline_ms=None, battery=battery, last=None, recent=(), hop_s=1.0)
    >>> print(policy.decide(state).subnet)
    1.00x-128
    """

    kind: ClassVar[str] = "battery"

    table: OperatingTable = field(repr=False)
    hours: float = setting(
        8.0, "the time the battery must last, from the start of the run", within=positive("number of hours")
    )
    leave: float = setting(
        0.02, "the charge left at that hour, for unforeseen uses", within=_CHARGE, search=(0.0, 0.01, 0.02)
    )
    low: float = setting(0.0, "at or below this charge the cheapest subnetwork runs, whatever the plan", within=_CHARGE)
    hot_c: float = setting(
        45.0,
        "at or above this battery temperature the cheapest subnetwork runs",
        within=Interval("temperature in degrees Celsius"),
    )
    period_s: float = setting(
        60.0,
        "in each such period the dearer neighbour runs first, then the cheaper",
        within=positive("number of seconds"),
        search=(20.0, 60.0, 180.0, 600.0),
    )
    lose: float = setting(
        0.02,
        "the share of right windows that a thriftier sensor may cost where even the cheapest subnetwork is too dear",
        within=SHARE,
    )

    def __post_init__(self) -> None:
        check_settings(self)

    def decide(self, state: PolicyState) -> Decision:
        points, limit = within(state.choices(self.table), state.deadline_ms)
        front = hull(pareto_front(points))
        budget = self._cooled(self._budget(state, front), state.battery, front)
        point, how = self._share(front, budget, state)
        before = {name: value for name, value in state.memory.items() if name.startswith("battery.")}
        memory = budget.drain.memory() if budget.drain else before
        sensing, slower = self._sensing(budget, front[0], state)
        return Decision(point.subnet, f"{budget.why}{how}{slower}{limit}", sensing=sensing, memory=memory)

    def _sensing(self, budget: Budget, cheapest: OperatingPoint, state: PolicyState) -> tuple[Sensing | None, str]:
        """A thriftier sensor mode where nothing else reaches the hour, and the words that it adds to the reason."""
        enough_mj = cheapest.energy_mj
        if state.last and state.last.sensing:
            # The budget has room because the sensor is thrifty: return to normal only with plenty to spare.
            enough_mj = PLENTY * enough_mj + self.table.saved_mw(state.last.sensing) * state.hop_s
        row = thriftiest(self.table, self.lose) if isfinite(budget.mj) and budget.mj < enough_mj else None
        return (row.sensing, f"; sensor at {describe(self.table, row)}") if row else (None, "")

    def budget(self, state: PolicyState) -> Budget:
        """The energy that this window may cost, and the reason."""
        front = hull(pareto_front(within(state.choices(self.table), state.deadline_ms)[0]))
        return self._cooled(self._budget(state, front), state.battery, front)

    def _share(
        self, front: tuple[OperatingPoint, ...], budget: Budget, state: PolicyState
    ) -> tuple[OperatingPoint, str]:
        """The point whose turn it is, and how it was chosen."""
        cheapest, dearest = front[0], front[-1]
        if budget.mj == inf:
            return dearest, ": the most accurate"
        if budget.mj == -inf:
            return cheapest, ": the cheapest, to be safe"
        if budget.mj < cheapest.energy_mj:
            return cheapest, f"; even the cheapest, {cheapest.subnet}, costs {number(cheapest.energy_mj)}"
        if budget.mj >= dearest.energy_mj:
            return dearest, f"; {dearest.subnet} costs {number(dearest.energy_mj)}"
        place = max(k for k, point in enumerate(front) if point.energy_mj <= budget.mj)
        low, high = front[place], front[place + 1]
        share = (budget.mj - low.energy_mj) / (high.energy_mj - low.energy_mj)
        how = f"; {high.subnet} for {share:.0%} of the time, else {low.subnet}"
        phase = (state.now_s - state.started_s) / self.period_s % 1.0
        # The first part of a period exceeds the budget: near the end, only if the rest can still be paid.
        paid = budget.windows == inf or (
            high.energy_mj + low.energy_mj * (budget.windows - 1) <= budget.mj * budget.windows
        )
        return (high if phase < share and paid else low), how

    def _budget(self, state: PolicyState, front: tuple[OperatingPoint, ...]) -> Budget:
        battery = state.battery
        before = Drain.remembered(state.memory)
        if battery is None:
            return Budget(-inf, "no battery can be read" if before is None else "the battery can no longer be read")
        if not battery.known:
            return Budget(-inf, f"the battery reports {battery.frac}, not a charge from 0 to 1")
        ran = state.last.subnet if state.last else None
        ran_mj = self.table[ran].energy_mj if ran is not None and ran in self.table else 0.0
        drain = observed(before, state.now_s, battery, ran_mj)
        if battery.charging:
            return Budget(inf, "the battery is charging", drain=drain)
        charge = f"battery {drain.frac:.0%}"
        if drain.doubts:
            charge += f" (the {battery.frac:.0%} it now reports is doubted: no charger)"
        left_s = self.hours * 3600.0 - (state.now_s - state.started_s)
        if drain.frac <= self.low and self.low > 0:
            return Budget(-inf, f"{charge} is at its limit of {self.low:.0%}", drain=drain)
        if left_s <= 0:
            return Budget(inf, f"{charge}: the {number(self.hours)} h are over", drain=drain)
        if battery.energy_mj is None:
            return self._by_charge(drain, state, left_s, charge, front)
        assert battery.full_j is not None
        left_mj = (drain.frac - self.leave) * battery.full_j * 1000.0
        base_mw = drain.base_mw(battery)
        windows = max(ceil(left_s / state.hop_s - 1e-9), 1)
        budget_mj = (left_mj - base_mw * left_s) / windows
        power_mw = left_mj / left_s
        why = f"{charge}: {number(left_s / 3600)} h to go at {_power(power_mw)}"
        if budget_mj <= 0:
            why += f" is less than the device alone draws ({_power(base_mw)})"
        else:
            why += f" allows {number(budget_mj)} mJ a window"
        least_mw = base_mw + front[0].energy_mj / state.hop_s
        if budget_mj < front[0].energy_mj and least_mw > 0:
            why += f": at best it lasts {number(max(left_mj, 0.0) / least_mw / 3600)} h"
        return Budget(budget_mj, why, windows, drain)

    def _by_charge(
        self, drain: Drain, state: PolicyState, left_s: float, charge: str, front: tuple[OperatingPoint, ...]
    ) -> Budget:
        """The budget without a capacity, where joules mean nothing: a level from the cheapest to the dearest point.

        Until a drain is measured, a charge on or above the straight line from full to empty affords the dearest
        point, an empty battery the cheapest. From then on every measurement moves the level towards the rate at
        which the charge lasts.
        """
        spare = max(drain.frac - self.leave, 0.0)
        wanted = spare / left_s
        if drain.rate is None:
            time_frac = left_s / (self.hours * 3600.0)
            level = min(spare / time_frac, 1.0)
            why = f"{charge} for {time_frac:.0%} of the {number(self.hours)} h"
        else:
            level = drain.level if drain.level is not None else 0.5
            if drain.measured_s == state.now_s:
                level = min(max(level + 0.5 * (wanted / drain.rate - 1.0), 0.0), 1.0)
            why = f"{charge}: drains {drain.rate * 3600:.1%} an hour, {wanted * 3600:.1%} would last"
            if level == 0.0 and drain.rate > wanted:
                why += ", too much even with the cheapest;"
        mj = front[0].energy_mj + level * (front[-1].energy_mj - front[0].energy_mj)
        return Budget(mj, f"{why} allows {number(mj)} mJ a window", drain=replace(drain, level=level))

    def _cooled(self, budget: Budget, battery: BatteryReading | None, front: tuple[OperatingPoint, ...]) -> Budget:
        """The budget, reduced where the battery is hot."""
        temperature_c = None if battery is None else battery.temperature_c
        if temperature_c is None or not isfinite(temperature_c) or temperature_c <= self.hot_c - COOLER_C:
            return budget
        cool = max((self.hot_c - temperature_c) / COOLER_C, 0.0)
        most_mj = front[0].energy_mj + cool * (front[-1].energy_mj - front[0].energy_mj)
        hot = f"{temperature_c:.0f} C of at most {self.hot_c:.0f} C"
        return replace(budget, mj=most_mj, why=f"{hot}; {budget.why}") if most_mj < budget.mj else budget


def _power(power_mw: float) -> str:
    return f"{number(power_mw / 1000)} W" if power_mw >= 1000 else f"{number(power_mw)} mW"
