"""State in, decision and reason out; and whole days simulated."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.errors import ConfigError
from kinestream.operating_table import OperatingPoint, OperatingTable
from kinestream.policy import BatteryPolicy, BatteryReading, PolicyState, SimulatedBattery
from kinestream.signals import Subnet

HOUR_S = 3600.0


def state(battery: BatteryReading | None, hours_gone: float = 0.0, deadline_ms: float | None = None) -> PolicyState:
    return PolicyState(hours_gone * HOUR_S, 0.0, deadline_ms, battery, None, (), hop_s=1.0)


def joules(frac: float, base_mw: float = 0.0, charging: bool = False) -> BatteryReading:
    """A battery of 36 J: full, it gives 1 mW for ten hours, 1 mJ for every window of the tests."""
    return BatteryReading(frac, 36.0, charging, base_mw)


@pytest.mark.parametrize(
    ("now", "hours", "chosen", "because"),
    [
        (state(joules(1.0)), 10, "0.10x-96", "battery 100%: 10 h to go at 1 mW allows 1 mJ a window; 0.10x-96 costs 1"),
        (state(joules(1.0)), 5, "0.25x-128", "5 h to go at 2 mW allows 2 mJ"),
        (state(joules(1.0)), 3, "0.25x-128", "allows 3.33 mJ a window; 0.25x-128 costs 2"),
        (state(joules(0.5), hours_gone=8.0), 10, "0.25x-128", "battery 50%: 2 h to go at 2.5 mW"),
        (state(joules(1.0)), 1, "1.00x-128", "allows 10 mJ"),
        # The device's own draw comes off first.
        (state(joules(1.0, base_mw=4.0)), 1, "0.50x-128", "allows 6 mJ"),
        (
            state(joules(1.0, base_mw=20.0)),
            1,
            "0.10x-96",
            "less than the device alone draws (20 mW); even the cheapest",
        ),
        (state(joules(0.5)), 10, "0.10x-96", "allows 0.5 mJ a window; even the cheapest, 0.10x-96, costs 1"),
        (state(joules(0.0)), 10, "0.10x-96", "battery 0%"),
        # Nothing to save for.
        (state(joules(0.1, charging=True)), 10, "1.00x-128", "the battery is charging"),
        (state(joules(0.1), hours_gone=10.0), 10, "1.00x-128", "battery 10%: the 10 h are over"),
        # Nothing known: the cheapest.
        (state(None), 10, "0.10x-96", "no battery can be read: the cheapest, to be safe"),
        (state(joules(nan)), 10, "0.10x-96", "the battery says nan, which is no share from 0 to 1"),
        (state(joules(1.7)), 10, "0.10x-96", "the battery says 1.7"),
        (state(joules(-0.1)), 10, "0.10x-96", "the battery says -0.1"),
        # A charge without a capacity.
        (state(BatteryReading(1.0, None)), 10, "1.00x-128", "battery 100% for 100% of the 10 h"),
        (state(BatteryReading(0.5, None)), 10, "0.50x-128", "allows 4.5 mJ a window"),
        (state(BatteryReading(0.5, None), hours_gone=5.0), 10, "1.00x-128", "battery 50% for 50% of the 10 h"),
        (state(BatteryReading(0.0, None)), 10, "0.10x-96", "allows 1 mJ"),
        (state(BatteryReading(0.5, nan)), 10, "0.50x-128", "allows 4.5 mJ"),
        # A deadline comes first.
        (state(joules(1.0), deadline_ms=50.0), 1, "0.50x-128", "0.50x-128 costs 4; deadline 50 ms kept"),
        (state(joules(1.0), deadline_ms=100.0), 1, "1.00x-128", "costs 8"),
        (state(joules(1.0), deadline_ms=5.0), 1, "0.10x-96", "no subnetwork meets 5 ms: the fastest, p95 11 ms"),
        (state(None, deadline_ms=15.0), 1, "0.10x-96", "to be safe; deadline 15 ms kept"),
    ],
)
def test_the_battery_policy(table: OperatingTable, now: PolicyState, hours: float, chosen: str, because: str) -> None:
    decision = BatteryPolicy(table, hours).decide(now)
    assert str(decision.subnet) == chosen
    assert because in decision.reason


def test_a_deadline_brings_back_what_the_front_leaves_out() -> None:
    """A point beaten in energy may be the most accurate of those fast enough."""
    slow = OperatingPoint(Subnet(1.0, 128), 0.97, 3, 90.0, 99.0, 2.0)
    fast = OperatingPoint(Subnet(0.5, 128), 0.96, 2, 40.0, 44.0, 3.0)
    small = OperatingPoint(Subnet(0.1, 96), 0.93, 1, 10.0, 11.0, 1.0)
    table = OperatingTable("t", "by hand", "none", (slow, fast, small))
    assert BatteryPolicy(table, 1).decide(state(joules(1.0))).subnet == slow.subnet
    assert BatteryPolicy(table, 1).decide(state(joules(1.0), deadline_ms=50.0)).subnet == fast.subnet


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


@given(tables, st.floats(0.1, 48.0), states)
def test_it_never_picks_dearer_than_the_budget_unless_nothing_is_cheaper(
    table: OperatingTable, hours: float, now: PolicyState
) -> None:
    policy = BatteryPolicy(table, hours)
    chosen = table[policy.decide(now).subnet]
    allowed = [p for p in table.points if now.deadline_ms is None or p.p95_ms <= now.deadline_ms]
    evaluated = [p for p in allowed if p.accuracy == p.accuracy] or allowed
    if not allowed:
        assert chosen.p95_ms == min(p.p95_ms for p in table.points)
    elif chosen.energy_mj > policy.budget_mj(now):
        assert chosen.energy_mj == min(p.energy_mj for p in evaluated)


@given(tables, st.floats(0.1, 48.0), states, fracs, fracs)
def test_more_charge_never_means_a_cheaper_choice(
    table: OperatingTable, hours: float, now: PolicyState, one: float, other: float
) -> None:
    policy = BatteryPolicy(table, hours)
    less, more = sorted((one, other))

    def energy_mj(frac: float) -> float:
        capacity_j = None if now.battery is None else now.battery.capacity_j
        battery = BatteryReading(frac, capacity_j, base_mw=1.0)
        charged = PolicyState(now.now_s, now.started_s, now.deadline_ms, battery, None, (), now.hop_s)
        return table[policy.decide(charged).subnet].energy_mj

    assert energy_mj(less) <= energy_mj(more)


@given(frac=st.floats(0.3, 1.0), hours=st.floats(2.0, 12.0), spare_mw=st.floats(0.5, 5.0), hop_s=st.floats(20.0, 60.0))
def test_a_simulated_day_lasts_until_the_wished_for_hour_and_little_is_left(
    frac: float, hours: float, spare_mw: float, hop_s: float
) -> None:
    """Feasible days: beyond the device's 2 mW there is always more to spend than the cheapest point takes."""
    base_mw = 2.0
    table = OperatingTable(
        "t",
        "by hand",
        "none",
        tuple(
            OperatingPoint(Subnet(k / 10, 128), 0.9 + k / 200, k, k, k, k * spare_mw * hop_s / 5) for k in (1, 3, 6, 10)
        ),
    )
    battery = SimulatedBattery((base_mw + spare_mw) / 1000 * hours * HOUR_S / frac, frac, base_mw)
    policy = BatteryPolicy(table, hours)
    windows = int(hours * HOUR_S / hop_s)
    now_s = 0.0
    for k in range(windows):
        now_s = k * hop_s
        reading = battery.read(now_s)
        assert reading.frac > 0, f"empty after {now_s / HOUR_S:.2f} of {hours:.2f} h"
        decision = policy.decide(PolicyState(now_s, 0.0, None, reading, None, (), hop_s))
        battery.spend(now_s, table[decision.subnet].energy_mj)
    left_j = battery.read(now_s).frac * battery.capacity_j
    last_windows_j = 3 * (10 * spare_mw * hop_s / 5 + base_mw * hop_s) / 1000
    assert left_j <= 0.1 * battery.capacity_j * frac + last_windows_j


@pytest.mark.parametrize("hours", [0.0, -1.0, nan, inf])
def test_a_wish_that_is_no_time_is_refused(table: OperatingTable, hours: float) -> None:
    with pytest.raises(ConfigError, match="hours"):
        BatteryPolicy(table, hours)
