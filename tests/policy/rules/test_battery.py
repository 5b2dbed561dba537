"""The battery policy: state in, decision and reason out, and whole simulated days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil, inf, nan
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Decision, Subnet
from kinestream.policy import BatteryPolicy, BatteryReading, PolicyState, SimulatedBattery

HOUR_S = 3600.0


def state(battery: BatteryReading | None, hours_gone: float = 0.0, deadline_ms: float | None = None) -> PolicyState:
    return PolicyState(hours_gone * HOUR_S, 0.0, deadline_ms, battery, None, (), hop_s=1.0)


def joules(frac: float, base_mw: float = 0.0, charging: bool = False) -> BatteryReading:
    """A battery of 36 J: full, it affords 1 mW for ten hours, 1 mJ for every window of the tests."""
    return BatteryReading(frac, 36.0, charging, base_mw)


@pytest.mark.parametrize(
    ("now", "hours", "chosen", "because"),
    [
        (
            state(joules(1.0)),
            10,
            "0.10x-96",
            "battery 100%: 10 h to go at 1 mW allows 1 mJ a window; 0.25x-128 for 0% of the time, else 0.10x-96",
        ),
        (state(joules(1.0)), 5, "0.25x-128", "5 h to go at 2 mW allows 2 mJ"),
        # Between two points both run, the dearer in the first part of every minute.
        (state(joules(1.0)), 3, "0.50x-128", "allows 3.33 mJ a window; 0.50x-128 for 67% of the time, else 0.25x-128"),
        (state(joules(2.5 / 3), 0.5 + 39 / 3600), 3, "0.50x-128", "0.50x-128 for 67% of the time"),
        (state(joules(2.5 / 3), 0.5 + 41 / 3600), 3, "0.25x-128", "0.50x-128 for 67% of the time"),
        (state(joules(0.5), hours_gone=8.0), 10, "0.50x-128", "battery 50%: 2 h to go at 2.5 mW"),
        (state(joules(1.0)), 1, "1.00x-128", "allows 10 mJ"),
        # The device's own draw is subtracted first.
        (state(joules(1.0, base_mw=4.0)), 1, "1.00x-128", "allows 6 mJ a window; 1.00x-128 for 50% of the time"),
        (
            state(joules(1.0, base_mw=20.0)),
            1,
            "0.10x-96",
            "less than the device alone draws (20 mW): at best it lasts 0.476 h; even the cheapest, 0.10x-96, costs 1",
        ),
        (
            state(joules(0.5)),
            10,
            "0.10x-96",
            "allows 0.5 mJ a window: at best it lasts 5 h; even the cheapest, 0.10x-96, costs 1",
        ),
        (state(joules(0.0)), 10, "0.10x-96", "battery 0%"),
        # No reason to save.
        (state(joules(0.1, charging=True)), 10, "1.00x-128", "the battery is charging"),
        (state(joules(0.1), hours_gone=10.0), 10, "1.00x-128", "battery 10%: the 10 h are over"),
        # Charge unknown: the cheapest.
        (state(None), 10, "0.10x-96", "no battery can be read: the cheapest, to be safe"),
        (state(joules(nan)), 10, "0.10x-96", "the battery reports nan, not a charge from 0 to 1"),
        (state(joules(1.7)), 10, "0.10x-96", "the battery reports 1.7"),
        (state(joules(-0.1)), 10, "0.10x-96", "the battery reports -0.1"),
        # A charge without a capacity.
        (state(BatteryReading(1.0, None)), 10, "1.00x-128", "battery 100% for 100% of the 10 h"),
        (state(BatteryReading(0.5, None)), 10, "1.00x-128", "allows 4.5 mJ a window; 1.00x-128 for 12% of the time"),
        (state(BatteryReading(0.5, None), hours_gone=5.0), 10, "1.00x-128", "battery 50% for 50% of the 10 h"),
        (state(BatteryReading(0.0, None)), 10, "0.10x-96", "allows 1 mJ"),
        (state(BatteryReading(0.5, nan)), 10, "1.00x-128", "allows 4.5 mJ"),
        # A deadline comes first.
        (state(joules(1.0), deadline_ms=50.0), 1, "0.50x-128", "0.50x-128 costs 4; meets the deadline of 50 ms"),
        (state(joules(1.0), deadline_ms=100.0), 1, "1.00x-128", "costs 8"),
        (state(joules(1.0), deadline_ms=5.0), 1, "0.10x-96", "no subnetwork meets 5 ms: the fastest, p95 11 ms"),
        (state(None, deadline_ms=15.0), 1, "0.10x-96", "to be safe; meets the deadline of 15 ms"),
    ],
)
def test_the_battery_policy(table: OperatingTable, now: PolicyState, hours: float, chosen: str, because: str) -> None:
    decision = BatteryPolicy(table, hours, leave=0.0).decide(now)
    assert str(decision.subnet) == chosen
    assert because in decision.reason


def test_a_deadline_brings_back_points_beaten_in_energy() -> None:
    """A point beaten in energy may be the most accurate of the fast ones."""
    slow = OperatingPoint(Subnet(1.0, 128), 0.97, 3, 90.0, 99.0, 2.0)
    fast = OperatingPoint(Subnet(0.5, 128), 0.96, 2, 40.0, 44.0, 3.0)
    small = OperatingPoint(Subnet(0.1, 96), 0.93, 1, 10.0, 11.0, 1.0)
    table = OperatingTable("t", "by hand", "none", (slow, fast, small))
    assert BatteryPolicy(table, 1, leave=0.0).decide(state(joules(1.0))).subnet == slow.subnet
    assert BatteryPolicy(table, 1, leave=0.0).decide(state(joules(1.0), deadline_ms=50.0)).subnet == fast.subnet


points = st.builds(
    OperatingPoint,
    subnet=st.builds(Subnet, st.integers(1, 20).map(lambda k: k / 20), st.sampled_from([96, 112, 128])),
    accuracy=st.floats(0.2, 1.0) | st.just(nan),
    macs=st.integers(1, 10**8),
    p50_ms=st.floats(0.01, 100.0),
    p95_ms=st.floats(0.01, 200.0),
    energy_mj=st.floats(0.001, 100.0),
)
tables = st.lists(points, min_size=1, max_size=12, unique_by=lambda p: p.subnet).map(
    lambda rows: OperatingTable("any", "any", "any", tuple(rows))
)
fracs = st.floats(0.0, 1.0)
readings = st.builds(
    BatteryReading,
    frac=fracs | st.sampled_from([nan, -0.5, 1.5, inf]),
    capacity_j=st.none() | st.floats(0.1, 1e5) | st.just(nan),
    charging=st.booleans(),
    base_mw=st.floats(0.0, 100.0),
)
states = st.builds(
    state, st.none() | readings, hours_gone=st.floats(-1.0, 30.0), deadline_ms=st.none() | st.floats(0.01, 300.0)
)


@settings(max_examples=50)
@given(tables, st.floats(1.0, 48.0), states)
def test_a_period_spends_the_budget_unless_no_point_is_as_cheap_or_as_dear(
    table: OperatingTable, hours: float, now: PolicyState
) -> None:
    """Fifty periods place this moment at every fiftieth of a period."""
    now = replace(now, now_s=max(now.now_s, 1.0))
    phases = [(k + 0.5) / 50 for k in range(50)]
    policies = [BatteryPolicy(table, hours, leave=0.0, period_s=now.now_s / phase) for phase in phases]
    spent_mj = [table[policy.decide(now).subnet].energy_mj for policy in policies]
    budget_mj = policies[0].budget(now).mj
    allowed = [p for p in table.points if now.deadline_ms is None or p.p95_ms <= now.deadline_ms]
    evaluated = [p for p in allowed if p.accuracy == p.accuracy] or allowed
    cheap_mj, dear_mj = min(spent_mj), max(spent_mj)
    if not allowed:
        assert cheap_mj == dear_mj
    elif budget_mj < min(p.energy_mj for p in evaluated):
        assert spent_mj == [min(p.energy_mj for p in evaluated)] * 50
    elif cheap_mj < dear_mj:
        assert fmean(spent_mj) == pytest.approx(budget_mj, abs=(dear_mj - cheap_mj) / 50)


@given(tables, st.floats(0.1, 48.0), states, fracs, fracs)
def test_more_charge_never_means_a_cheaper_choice(
    table: OperatingTable, hours: float, now: PolicyState, a_frac: float, b_frac: float
) -> None:
    policy = BatteryPolicy(table, hours, leave=0.0)
    less, more = sorted((a_frac, b_frac))

    def energy_mj(frac: float) -> float:
        capacity_j = None if now.battery is None else now.battery.capacity_j
        battery = BatteryReading(frac, capacity_j, base_mw=1.0)
        charged = PolicyState(now.now_s, now.started_s, now.deadline_ms, battery, None, (), now.hop_s)
        return table[policy.decide(charged).subnet].energy_mj

    assert energy_mj(less) <= energy_mj(more)


def drained(
    policy: BatteryPolicy,
    battery: SimulatedBattery,
    hours: float,
    hop_s: float,
    gauge: Callable[[BatteryReading], BatteryReading] = lambda reading: reading,
) -> tuple[float, list[OperatingPoint], float]:
    """A run of so many hours: the charge at its end, what ran, and the last window's time.

    Args:
        gauge: turns what the battery knows into what it says.
    """
    last: Decision | None = None
    ran: list[OperatingPoint] = []
    now_s = 0.0
    while now_s < hours * HOUR_S:
        reading = gauge(battery.read(now_s))
        last = policy.decide(PolicyState(now_s, 0.0, None, reading, last, (), hop_s))
        ran.append(policy.table[last.subnet])
        battery.spend(now_s, ran[-1].energy_mj)
        now_s = len(ran) * hop_s
    return battery.read(hours * HOUR_S).frac, ran, now_s


def day_table(full_mj: float) -> OperatingTable:
    """Four points with 10, 30, 60 and 100 % of the full network's energy."""
    steps = (1, 3, 6, 10)
    points = tuple(
        OperatingPoint(Subnet(k / 10, 128), 0.9 + k / 200 - k * k / 5000, k, k, k, k * full_mj / 10) for k in steps
    )
    return OperatingTable("t", "by hand", "none", points)


@settings(max_examples=25, deadline=None)
@given(
    frac=st.floats(0.3, 1.0),
    hours=st.floats(2.0, 12.0),
    spare_mw=st.floats(0.5, 5.0),
    hop_s=st.floats(20.0, 60.0),
    need=st.floats(0.1, 2.0),
)
def test_on_a_feasible_day_the_battery_lasts_to_the_hour_with_little_left(
    frac: float, hours: float, spare_mw: float, hop_s: float, need: float
) -> None:
    """``need``: the full network's power over the power available; up to 10 the cheapest still fits."""
    base_mw = 2.0
    table = day_table(spare_mw * hop_s * need)
    battery = SimulatedBattery((base_mw + spare_mw * 1.001) / 1000 * hours * HOUR_S / frac, frac, base_mw)
    left, ran, _ = drained(BatteryPolicy(table, hours, leave=0.0), battery, hours, hop_s)
    assert left > 0
    dearest_j = table.points[-1].energy_mj / 1000
    if need >= 1.01:
        assert left * battery.capacity_j <= 0.01 * battery.capacity_j + 3 * dearest_j
    elif need <= 0.98:
        assert {point.subnet.width for point in ran} == {1.0}


@settings(max_examples=25, deadline=None)
@given(told_mw=st.floats(0.0, 4.0), wrong=st.floats(0.5, 1.5), hours=st.floats(2.0, 8.0))
def test_the_battery_lasts_despite_a_coarse_gauge_and_wrong_estimates(
    told_mw: float, wrong: float, hours: float
) -> None:
    """The device draws 2 mW, inference 0.5 to 1.5 times the table's energy; the cheapest would last."""
    hop_s, spare_mw = 30.0, 2.0
    table = day_table(spare_mw * hop_s * 2)
    battery = SimulatedBattery((2.0 + spare_mw) / 1000 * hours * HOUR_S, 1.0, 2.0)

    def coarse(reading: BatteryReading) -> BatteryReading:
        return replace(reading, frac=ceil(reading.frac * 100) / 100, base_mw=told_mw)

    truly = replace(table, points=tuple(replace(p, energy_mj=p.energy_mj * wrong) for p in table.points))
    policy = BatteryPolicy(table, hours, leave=0.01)
    last: Decision | None = None
    for k in range(int(hours * HOUR_S / hop_s)):
        reading = battery.read(k * hop_s)
        assert reading.frac > 0, f"empty after {k * hop_s / HOUR_S:.2f} of {hours:.2f} h"
        last = policy.decide(PolicyState(k * hop_s, 0.0, None, coarse(reading), last, (), hop_s))
        battery.spend(k * hop_s, truly[last.subnet].energy_mj)
    assert battery.read(hours * HOUR_S).frac < 0.12


def test_a_charge_without_capacity_is_spent_by_the_measured_drain() -> None:
    """Each plan lasts; the straight line alone would run out early or leave much."""
    for base_mw in (0.5, 2.0, 3.0):
        table = day_table(60 * 4.0)
        battery = SimulatedBattery(4.0 / 1000 * 8 * HOUR_S, 1.0, base_mw)

        def without(reading: BatteryReading) -> BatteryReading:
            return BatteryReading(round(reading.frac, 2), None)

        left, _, _ = drained(BatteryPolicy(table, 8.0, leave=0.0), battery, 8.0, 60.0, without)
        assert 0 < left < 0.15, base_mw


def test_time_sharing_skips_a_point_below_the_line_between_its_neighbours() -> None:
    rows = [("0.1x-96", 0.90, 1.0), ("0.3x-96", 0.91, 4.0), ("0.5x-96", 0.95, 5.0), ("1x-96", 0.96, 10.0)]
    points = tuple(OperatingPoint(Subnet.parse(name), accuracy, 1, mj, mj, mj) for name, accuracy, mj in rows)
    policy = BatteryPolicy(OperatingTable("t", "by hand", "none", points), 8000 / 3600, leave=0.0)
    reason = policy.decide(state(joules(1.0))).reason
    assert "0.50x-96 for 88% of the time, else 0.10x-96" in reason


@pytest.mark.parametrize(
    ("temperature_c", "chosen", "because"),
    [
        (None, "1.00x-128", "1.00x-128 costs 8"),
        (nan, "1.00x-128", "1.00x-128 costs 8"),
        (39.0, "1.00x-128", "1.00x-128 costs 8"),
        (42.5, "1.00x-128", "42 C of at most 45 C; battery 100%"),  # half way: 4.5 mJ
        (44.9, "0.25x-128", "45 C of at most 45 C"),
        (45.0, "0.10x-96", "0.25x-128 for 0% of the time"),
        (60.0, "0.10x-96", "60 C of at most 45 C"),
    ],
)
def test_heat_reduces_the_budget_before_the_limit(
    table: OperatingTable, temperature_c: float | None, chosen: str, because: str
) -> None:
    for charging in (False, True):
        now = state(replace(joules(1.0, charging=charging), temperature_c=temperature_c))
        decision = BatteryPolicy(table, 1, leave=0.0).decide(now)
        assert str(decision.subnet) == chosen
        assert charging or because in decision.reason


def test_a_low_charge_runs_the_cheapest_and_a_reserve_is_not_spent(table: OperatingTable) -> None:
    decision = BatteryPolicy(table, 0.1, leave=0.0, low=0.2).decide(state(joules(0.2)))
    assert (str(decision.subnet), decision.reason) == (
        "0.10x-96",
        "battery 20% is at its limit of 20%: the cheapest, to be safe",
    )
    assert str(BatteryPolicy(table, 0.1, leave=0.0, low=0.2).decide(state(joules(0.21))).subnet) == "1.00x-128"
    assert "allows 2 mJ" in BatteryPolicy(table, 4, leave=0.2).decide(state(joules(1.0))).reason


def asked_on(policy: BatteryPolicy, readings: list[BatteryReading | None]) -> list[str]:
    """The reasons at one window a minute."""
    last: Decision | None = None
    reasons: list[str] = []
    for k, reading in enumerate(readings):
        last = policy.decide(PolicyState(60.0 * k, 0.0, None, reading, last, (), 60.0))
        reasons.append(last.reason)
    return reasons


def test_a_sudden_rise_of_the_charge_is_doubted_for_two_windows(table: OperatingTable) -> None:
    reasons = asked_on(BatteryPolicy(table, 10, leave=0.0), [joules(f) for f in (0.3, 0.8, 0.8, 0.8)])
    assert reasons[1].startswith("battery 30% (the 80% it now reports is doubted: no charger)")
    assert reasons[2].startswith("battery 30% (the 80%")
    assert reasons[3].startswith("battery 80%: ")
    wavering = asked_on(BatteryPolicy(table, 10, leave=0.0), [joules(f) for f in (0.30, 0.31, 0.30)])
    assert not any("doubted" in reason for reason in wavering)
    charged = asked_on(BatteryPolicy(table, 10, leave=0.0), [joules(0.3), joules(0.8, charging=True), joules(0.79)])
    assert charged[2].startswith("battery 79%: ")


def test_a_lost_battery_is_reported_and_believed_again_on_its_return(table: OperatingTable) -> None:
    policy = BatteryPolicy(table, 10, leave=0.0)
    reasons = asked_on(policy, [joules(0.9), None, joules(nan), joules(-1.0), joules(0.9)])
    assert reasons[1] == "the battery can no longer be read: the cheapest, to be safe"
    assert reasons[2].startswith("the battery reports nan")
    assert reasons[4].startswith("battery 90%: ")


def test_the_measured_drain_replaces_the_reported_one(table: OperatingTable) -> None:
    """The device reports 0 mW and draws 1 mW besides inference: measured after one per cent of charge."""
    battery = SimulatedBattery(36.0, 1.0, base_mw=1.0)
    last: Decision | None = None
    policy = BatteryPolicy(table, 5, leave=0.0)
    budgets_mj: list[float] = []
    for k in range(3):
        now = PolicyState(600.0 * k, 0.0, None, replace(battery.read(600.0 * k), base_mw=0.0), last, (), 600.0)
        budgets_mj.append(policy.budget(now).mj / 600)
        last = policy.decide(now)
        battery.spend(now.now_s, table[last.subnet].energy_mj)
    assert budgets_mj[0] == pytest.approx(2.0)
    assert budgets_mj[1] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"hours": 0.0}, "hours"), ({"hours": -1.0}, "hours"), ({"hours": nan}, "hours"), ({"hours": inf}, "hours"),
        ({"leave": 1.0}, "leave"), ({"low": -0.1}, "low"), ({"hot_c": nan}, "hot_c"), ({"period_s": 0.0}, "period_s"),
    ],
)  # fmt: skip
def test_a_setting_outside_its_range_is_refused(table: OperatingTable, setting: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError, match=f"battery {says}="):
        BatteryPolicy(table, **setting)
