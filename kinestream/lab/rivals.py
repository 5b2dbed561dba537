"""The rivals of a policy: every fixed subnetwork, and an oracle that knows the day in advance."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import Subnet

from .day import NO_LABEL, Day
from .outcome import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fixed(day: Day, subnet: Subnet, hop: int = 1) -> Outcome:
    """The outcome of running one subnetwork all day, on every ``hop``-th window."""
    point, row = day.table[subnet], day.subnets.index(subnet)
    hop_s, phases = day.material.hop_s, day.scenario.phases
    predicted = np.arange(day.steps) % hop == 0
    resting = -np.arange(day.steps) % hop
    base_mw = np.array([day.base_mw(rest) for rest in range(hop)])[resting]
    drawn_j = (base_mw + np.array([p.extra_mw for p in phases])[day.phase]) * hop_s / 1000.0
    charged_j = np.array([p.charge_mw for p in phases])[day.phase] * hop_s / 1000.0
    spent_j = np.where(predicted, point.energy_mj / 1000.0, 0.0)
    alive, left_j = _alive(day, drawn_j, charged_j, spent_j)
    drawn_j[~alive] = 0.0
    last_predicted = np.maximum.accumulate(np.where(predicted, np.arange(day.steps), 0))
    said = np.where(alive, day.best[row][day.window[last_predicted]], NO_LABEL)
    limits = np.array([inf if ms is None else ms for ms in day.deadline_ms])[day.phase]
    due = alive & predicted & np.isfinite(limits)
    late = (point.p50_ms * day.slowdown > limits)[due]
    processor_j = float(spent_j[alive].sum())
    dead = np.flatnonzero(~alive)
    return day.outcome(
        str(subnet) if hop == 1 else f"{subnet} every {hop}",
        said,
        missed=float(late.mean()) if len(late) else 0.0,
        energy_j=float(drawn_j.sum()) + processor_j,
        processor_j=processor_j,
        empty_step=int(dead[0]) if len(dead) else day.steps if left_j <= 0 else None,
        left_j=left_j,
        switches=0,
        shares={str(subnet): 1.0},
        predictions=int((alive & predicted).sum()),
    )


def _alive(
    day: Day, drawn_j: NDArray[np.float64], charged_j: NDArray[np.float64], spent_j: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], float]:
    """(steps,) whether the battery has charge, and the energy left at the end in J."""
    if day.capacity_j is None:
        return np.ones(day.steps, bool), inf
    if not charged_j.any():
        before_j = day.initial_j - np.cumsum(drawn_j) - (np.cumsum(spent_j) - spent_j)
        return before_j > 0, float(before_j[-1] - spent_j[-1])
    alive, left_j = np.ones(day.steps, bool), day.initial_j
    for k, (drawn, charged, spent) in enumerate(zip(drawn_j, charged_j, spent_j, strict=True)):
        left_j = min(left_j + charged - (drawn if left_j > 0 else 0.0), day.capacity_j)
        alive[k] = left_j > 0
        left_j -= spent if alive[k] else 0.0
    return alive, float(left_j)


def budget_mj(day: Day) -> float:
    """The energy that inference may take for the battery to last the whole day; infinite without a battery.

    A charger's energy counts from the start, so the budget is never too small.
    """
    if day.capacity_j is None:
        return inf
    phases = day.scenario.phases
    drawn_mw = np.array([day.power.base_mw + p.extra_mw - p.charge_mw for p in phases])[day.phase]
    return day.initial_j * 1000.0 - float(drawn_mw.sum()) * day.material.hop_s


def oracle(day: Day, processor_mj: float) -> float:
    """The accuracy of the best plan that spends no more than ``processor_mj`` on inference and meets every deadline.

    It knows the whole day in advance, and how often each subnetwork is right in each phase on exactly these windows,
    but not on which of them: in each phase it divides the time among subnetworks. At equal energy, a policy that
    decides before it has seen a window's output beats it only by luck. The oracle predicts every window and leaves the
    sensor unchanged. NaN if no window can be judged, or if ``processor_mj`` is negative, which means that the battery
    does not last the day even without inference.

    The plan is a linear programme with one constraint, the energy, so a bisection over the price of a millijoule
    solves it.
    """
    pure = day.pure & (day.truth >= 0)
    if not pure.any() or processor_mj < 0:
        return float("nan")
    right = day.best[:, day.window] == day.truth
    energy_mj = np.array([day.table[subnet].energy_mj for subnet in day.subnets])
    p50_ms = np.array([day.table[subnet].p50_ms for subnet in day.subnets])
    parts: list[tuple[np.ndarray, np.ndarray]] = []  # per phase: right windows and energy by feasible subnetwork
    for number, deadline_ms in enumerate(day.deadline_ms):
        steps = day.phase == number
        if not steps.any():
            continue
        feasible = np.ones(len(day.subnets), bool)
        if deadline_ms is not None:
            feasible = p50_ms * np.median(day.slowdown[steps]) <= deadline_ms
            feasible[p50_ms.argmin()] = True
        parts.append((right[feasible][:, steps & pure].sum(1).astype(float), energy_mj[feasible] * int(steps.sum())))
    return _best_plan(parts, processor_mj) / int(pure.sum())


def _best_plan(parts: list[tuple[np.ndarray, np.ndarray]], budget: float) -> float:
    """The most right windows for the budget; a budget below the cheapest plan buys its share of that plan."""

    def at(price: float) -> tuple[float, float]:
        chosen = [np.lexsort((cost, price * cost - gain))[0] for gain, cost in parts]
        gains = sum(float(gain[i]) for i, (gain, _) in zip(chosen, parts, strict=True))
        return gains, sum(float(cost[i]) for i, (_, cost) in zip(chosen, parts, strict=True))

    gain, cost = at(0.0)
    if cost <= budget:
        return gain
    low, high = 0.0, 1.0
    while at(high)[1] > budget:
        if high > 1e12:
            gain, cost = at(high)
            return gain * max(budget, 0.0) / cost
        low, high = high, high * 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle)[1] > budget else (low, middle)
    (dear_gain, dear_cost), (cheap_gain, cheap_cost) = at(low), at(high)
    share = (budget - cheap_cost) / (dear_cost - cheap_cost) if dear_cost > cheap_cost else 0.0
    return cheap_gain + share * (dear_gain - cheap_gain)


def best_fixed(outcomes: list[Outcome], energy_j: float) -> Outcome | None:
    """The most accurate fixed subnetwork that drew at most ``energy_j``; ties: the cheapest. None if all drew more.

    >>> from dataclasses import replace
    >>> from kinestream.lab import Outcome
    >>> thin = Outcome("0.1x-96", 0.90, 0.89, 0.0, 10.0, 4.0, 8.0, False, 0.1, 1000, 0)
    >>> wide = replace(thin, name="1.0x-128", accuracy=0.97, energy_j=20.0)
    >>> best_fixed([thin, wide], energy_j=15.0).name
    '0.1x-96'
    """
    within = [outcome for outcome in outcomes if outcome.energy_j <= energy_j * (1 + 1e-9)]
    return max(within, key=lambda o: (o.accuracy, -o.energy_j), default=None)


def cheapest_as_accurate(outcomes: list[Outcome], accuracy: float) -> Outcome | None:
    """The cheapest fixed subnetwork with at least this accuracy; None if there is none.

    >>> from dataclasses import replace
    >>> from kinestream.lab import Outcome
    >>> thin = Outcome("0.1x-96", 0.90, 0.89, 0.0, 10.0, 4.0, 8.0, False, 0.1, 1000, 0)
    >>> wide = replace(thin, name="1.0x-128", accuracy=0.97, energy_j=20.0)
    >>> cheapest_as_accurate([thin, wide], accuracy=0.95).name
    '1.0x-128'
    """
    enough = [outcome for outcome in outcomes if outcome.accuracy >= accuracy]
    return min(enough, key=lambda o: o.energy_j, default=None)


def oracle_outcome(day: Day, processor_mj: float) -> Outcome:
    """The oracle as an outcome, to compare with the others."""
    spent_j = min(max(processor_mj, 0.0), float(max(day.table[s].energy_mj for s in day.subnets)) * day.steps) / 1000.0
    without_j = rest_j(day)
    nothing = day.outcome(
        "oracle",
        np.full(day.steps, NO_LABEL),
        missed=0.0,
        energy_j=without_j + spent_j,
        processor_j=spent_j,
        empty_step=None,
        left_j=day.initial_j - without_j - spent_j,
        switches=0,
        shares={},
        predictions=day.steps,
    )
    return replace(nothing, accuracy=oracle(day, processor_mj), accuracy_with_transitions=float("nan"))


def rest_j(day: Day) -> float:
    """The energy that the device draws over the whole day without inference, in J."""
    drawn_mw = np.array([day.power.base_mw + p.extra_mw for p in day.scenario.phases])[day.phase]
    return float(drawn_mw.sum()) * day.material.hop_s / 1000.0
