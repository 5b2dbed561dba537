"""A scripted day: accuracy, energy, battery, deadlines and hops, against figures reckoned by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinestream.core.operating_table import OperatingTable, SensingRow
from kinestream.core.signals import Decision, Sensing, Subnet
from kinestream.lab import DevicePower, Phase, SubnetProbs, Supply, fixed
from kinestream.policy import FixedPolicy, PolicyState, make_policy
from tests.lab.conftest import MIDDLE, THIN, WIDE, Days


class Every:
    """A policy that runs one subnetwork on every ``hop``-th window and keeps its states."""

    kind: ClassVar[str] = "every"

    def __init__(self, subnet: Subnet, hop: int = 1, sensing: Sensing | None = None) -> None:
        self.subnet, self.hop, self.sensing = subnet, hop, sensing
        self.states: list[PolicyState] = []

    def decide(self, state: PolicyState) -> Decision:
        self.states.append(state)
        return Decision(self.subnet, "", self.hop, self.sensing)


def test_accuracy_and_energy_of_a_fixed_subnetwork_equal_a_manual_calculation(days: Days) -> None:
    outcome = days.day().run(Every(MIDDLE))
    assert outcome.accuracy == 0.75
    assert outcome.processor_j == pytest.approx(0.8)
    assert outcome.energy_j == pytest.approx(0.8 + 0.4)
    assert (outcome.predictions, outcome.switches, outcome.shares) == (400, 0, {"0.50x-96": 1.0})
    assert not outcome.empty
    assert math.isinf(outcome.hours)


def test_passed_over_windows_cost_nothing_and_keep_the_last_label(days: Days) -> None:
    """Asked on windows 0 and 2: right on both, and on 1 and 3, which are of the same class."""
    outcome = days.day().run(Every(WIDE, hop=2))
    assert (outcome.predictions, outcome.accuracy) == (200, 1.0)
    assert outcome.processor_j == pytest.approx(0.8)
    outcome = days.day().run(Every(WIDE, hop=4))
    assert (outcome.predictions, outcome.accuracy) == (100, 0.5)


def test_a_slower_sensor_changes_predictions_and_power_from_the_next_window_on(days: Days) -> None:
    rows = (SensingRow(Sensing(50.0), {}, 10.0), SensingRow(Sensing(25.0), {}, 4.0))
    table = replace(days.table, sensing=rows)
    asked: list[Sensing] = []

    def probs_under(sensing: Sensing) -> SubnetProbs:
        asked.append(sensing)
        wrong = np.where(np.arange(2) == 1 - days.material.truth[:, None], 0.9, 0.1)
        return replace(days.probs, probs=np.broadcast_to(wrong, days.probs.probs.shape).astype(np.float32))

    day = days.day(table=table, probs_under=probs_under, power=DevicePower(10.0))
    outcome = day.run(policy := Every(WIDE, sensing=Sensing(25.0)))
    assert asked == [Sensing(25.0)]
    assert outcome.accuracy == 1 / 400
    assert outcome.energy_j - outcome.processor_j == pytest.approx((10 + 399 * 4) / 1000)
    assert policy.states[-1].last == Decision(WIDE, "", sensing=Sensing(25.0))
    day.run(policy)
    assert len(asked) == 1


def test_the_gyroscope_sleeps_only_while_no_coming_window_needs_it(days: Days) -> None:
    """Of every four seconds, the window asked next needs two, and the sensor wakes half a second before."""
    day = days.day(power=DevicePower(10.0, 2.0, wake_s=0.5))
    outcome = day.run(Every(WIDE, hop=4))
    assert outcome.energy_j - outcome.processor_j == pytest.approx(100 * (2 * 10 + 2 + (10 + 2) / 2) / 1000, rel=0.02)
    awake = day.run(Every(WIDE, hop=2))
    assert awake.energy_j - awake.processor_j == pytest.approx(4.0)


def test_an_empty_battery_answers_nothing_and_that_is_wrong(days: Days) -> None:
    """1 mW and 4 mJ a second empty 1 J after 200 s."""
    outcome = days.day(supply=Supply(capacity_j=1.0)).run(Every(WIDE))
    assert outcome.empty
    assert outcome.hours == pytest.approx(200 / 3600, rel=0.01)
    assert outcome.accuracy == pytest.approx(0.5, abs=0.01)
    assert outcome.energy_j == pytest.approx(1.0, abs=0.006)


def test_a_battery_as_large_as_lasts_h_lasts_that_long_with_the_full_network(days: Days) -> None:
    assert days.day(supply=Supply(lasts_h=100 / 3600)).run(Every(WIDE)).hours == pytest.approx(100 / 3600, rel=0.02)
    half = days.day(supply=Supply(frac=0.5, lasts_h=1.0)).run(Every(WIDE))
    assert half.hours == pytest.approx(0.5)
    assert not half.empty


def test_a_charger_fills_what_a_phase_gives_and_never_more_than_the_battery_holds(days: Days) -> None:
    charged = days.day(Phase(), Phase(from_h=100 / 3600, charge_mw=100.0), supply=Supply(capacity_j=1.0))
    policy = Every(WIDE)
    assert not charged.run(policy).empty
    assert [state.battery.charging for state in policy.states if state.battery] == [False] * 100 + [True] * 300
    assert max(state.battery.frac for state in policy.states if state.battery) <= 1.0


def test_a_deadline_is_missed_where_load_makes_a_window_longer(days: Days) -> None:
    day = days.day(Phase(deadline_ms=30.0), Phase(from_h=100 / 3600, load=2.0, deadline=0.75))
    assert day.run(Every(THIN)).missed == 0.0
    assert day.run(Every(MIDDLE)).missed == pytest.approx(0.75)  # 20 ms, then 40 of 0.75 x 40 ms
    assert day.run(Every(WIDE)).missed == 1.0


def test_a_policy_sees_only_the_values_of_the_script(days: Days) -> None:
    supply = Supply(frac=0.55, capacity_j=100.0, gauge=0.1, tells_capacity=False, tells_base=0.5)
    policy = Every(MIDDLE)
    days.day(Phase(missing=0.1, age_s=2.0, extra_mw=500.0, temperature_c=41.0), supply=supply, seconds=20).run(policy)
    last = policy.states[-1]
    assert last.battery is not None
    assert last.battery.frac in (pytest.approx(0.4), pytest.approx(0.5))
    assert (last.battery.capacity_j, last.battery.base_mw, last.battery.temperature_c) == (None, 0.5, 41.0)
    assert last.coverage == pytest.approx(0.9)
    assert last.recent[-1].age_ms == pytest.approx(2020.0)
    assert len(last.recent) == 8


@pytest.mark.parametrize("policy", ["battery:hours=0.5", "slowdown", "latency", "persistence:hop=3", "loss"])
def test_every_policy_gets_through_a_day_and_the_same_seed_gives_the_same(
    days: Days, table: OperatingTable, policy: str
) -> None:
    phases = (Phase(deadline_ms=50.0), Phase(from_h=0.2, load=3.0, deadline_ms=50.0, missing=0.2))
    kwargs = {"seconds": 1800, "supply": Supply(capacity_j=6.0, gauge=0.01), "noise": 0.1, "seed": 3}
    one, two = (days.day(*phases, **kwargs).run(make_policy(policy, table)) for _ in range(2))
    assert one == two
    assert 0 < one.predictions <= 1800
    assert sum(one.shares.values()) == pytest.approx(1.0, abs=0.001)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([THIN, MIDDLE, WIDE]),
    st.integers(50, 3000).map(lambda mj: mj / 1000 + 0.0003),  # never empty just at the end of a window
    st.floats(0.0, 20.0),
    st.sampled_from([0.0, 5.0]),
    st.integers(1, 5),
)
def test_the_fast_path_for_a_fixed_subnetwork_equals_the_policy(
    days: Days, subnet: Subnet, capacity_j: float, extra_mw: float, charge_mw: float, hop: int
) -> None:
    phases = (Phase(deadline_ms=35.0), Phase(from_h=0.03, extra_mw=extra_mw, charge_mw=charge_mw, load=2.0))
    day = days.day(*phases, supply=Supply(capacity_j=capacity_j), power=DevicePower(3.0, 1.0), noise=0.2)
    if hop > 1 and fixed(day, subnet, hop).empty:
        return  # after recharging, a policy restarts its hops at another window
    slow, quick = day.run(Every(subnet, hop)), fixed(day, subnet, hop)
    assert replace(slow, name="", energy_j=0, processor_j=0, left=0, hours=0) == replace(
        quick, name="", energy_j=0, processor_j=0, left=0, hours=0, shares=slow.shares
    )
    assert (slow.energy_j, slow.left, slow.hours) == pytest.approx((quick.energy_j, quick.left, quick.hours))


def test_the_fixed_policy_is_one_of_the_fixed_rivals(days: Days, table: OperatingTable) -> None:
    day = days.day(supply=Supply(capacity_j=1.0))
    assert day.run(FixedPolicy(table, WIDE)).accuracy == fixed(day, WIDE).accuracy
