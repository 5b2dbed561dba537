"""Compositions: each later policy limits the choices of those before it."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Prediction, Subnet
from kinestream.policy import POLICIES, BatteryReading, ComposedPolicy, FixedPolicy, PolicyState, make_policy
from tests.policy.situations import predicted, situation

FULL = BatteryReading(1.0, 36.0)
"""1 mW for ten hours."""


@pytest.mark.parametrize(
    ("text", "now", "chosen", "because"),
    [
        # A battery plan under a deadline: the battery affords 1x, the deadline only 0.25x.
        ("battery:hours=1+deadline=30", situation(battery=FULL), "0.25x-128", "0.25x-128 costs 2 | 2 of 6 meet 30 ms"),
        ("battery:hours=10,leave=0+deadline=100", situation(battery=FULL), "0.10x-96", "allows 1 mJ"),
        ("battery:hours=1+deadline=5", situation(battery=FULL), "0.10x-96", "no subnetwork meets 5 ms; 0.10x-96"),
        # A load under a battery plan: the deadline allows 1x, the battery only 0.25x.
        ("slowdown+battery:hours=5", situation(battery=FULL, deadline_ms=100.0), "0.25x-128", "0.25x-128 is expected"),
        ("slowdown+battery:hours=1", situation(battery=FULL, deadline_ms=30.0), "0.25x-128", "of 30 ms | battery 100%"),
        # The load limits more: at three times the latency, only 0.25x meets 100 ms.
        (
            "slowdown+battery:hours=1",
            situation(*[predicted(latency_ms=240.0)] * 4, battery=FULL, deadline_ms=100.0),
            "0.25x-128",
            "3 x the table's latency: 0.25x-128",
        ),
        # Wide, but not wider than the battery affords.
        (
            "persistence+battery:hours=5",
            situation(battery=FULL),
            "0.25x-128",
            "not settled yet: wide | battery 100%",
        ),
        ("fixed:1x-128+battery:hours=5", situation(battery=FULL), "0.25x-128", "1.00x-128 is not allowed: the nearest"),
        ("fixed:0.1x-96+battery:hours=5", situation(battery=FULL), "0.10x-96", "fixed by the user"),
        ("battery:hours=1+loss", situation(battery=FULL, coverage=0.5), "0.50x-96", "at most 96 samples, every 4"),
        ("latency+battery:hours=5", situation(battery=FULL, deadline_ms=100.0), "0.25x-128", "p95 22 ms"),
        ("battery:hours=1+latency", situation(battery=FULL, deadline_ms=50.0), "0.50x-128", "p95 44 ms within 50 ms"),
        ("slowdown+battery:hours=1+deadline=30", situation(battery=FULL), "0.25x-128", "of 30 ms | battery 100%"),
    ],
)
def test_a_composition(table: OperatingTable, text: str, now: PolicyState, chosen: str, because: str) -> None:
    decision = make_policy(text, table).decide(now)
    assert str(decision.subnet) == chosen
    assert because in decision.reason


def test_the_longest_hop_holds_and_every_part_keeps_its_memory(table: OperatingTable) -> None:
    policy = make_policy("persistence:hop=2+battery:hours=9+loss", table)
    decision = policy.decide(situation(battery=FULL, coverage=0.5))
    assert decision.hop == 4
    assert {name.partition(".")[0] for name in decision.memory} == {"persistence", "battery"}


def test_a_composition_needs_two_policies(table: OperatingTable) -> None:
    with pytest.raises(ConfigError, match="two policies or more"):
        ComposedPolicy(table, (FixedPolicy(table),))


points = st.builds(
    OperatingPoint,
    subnet=st.builds(Subnet, st.integers(1, 20).map(lambda k: k / 20), st.sampled_from([96, 112, 128])),
    accuracy=st.floats(0.2, 1.0) | st.just(nan),
    macs=st.integers(1, 10**8),
    p50_ms=st.floats(0.01, 100.0),
    p95_ms=st.floats(0.01, 200.0),
    energy_mj=st.floats(0.001, 100.0),
)
tables = st.lists(points, min_size=1, max_size=8, unique_by=lambda p: p.subnet).map(
    lambda rows: OperatingTable("any", "any", "any", tuple(rows))
)
batteries = st.none() | st.builds(
    BatteryReading,
    frac=st.floats(0.0, 1.0) | st.sampled_from([nan, -0.5, 1.5]),
    capacity_j=st.none() | st.floats(0.1, 1e5) | st.just(nan),
    charging=st.booleans(),
    base_mw=st.floats(0.0, 100.0),
    temperature_c=st.none() | st.floats(-20.0, 80.0) | st.just(nan),
)
windows = st.tuples(
    st.sampled_from(["walking", "sitting"]), st.floats(0.5, 1.0), st.floats(0.0, 300.0) | st.just(nan),
    st.floats(0.0, 1.0), batteries, st.none() | st.floats(0.01, 300.0), st.floats(0.1, 5000.0),
)  # fmt: skip
texts = st.lists(st.sampled_from(list(POLICIES)), min_size=1, max_size=4, unique=True).map("+".join)


@settings(max_examples=150, deadline=None)
@given(tables, texts, st.lists(windows, min_size=1, max_size=6))
def test_every_state_gives_a_subnetwork_of_the_table_and_always_the_same(
    table: OperatingTable, text: str, happens: list[tuple]
) -> None:
    """Any battery, latency and deadline, nonsense included; every policy under any others."""
    policy, again = make_policy(text, table), make_policy(text, table)
    recent: tuple[Prediction, ...] = ()
    now_s = 0.0
    for label, confidence, latency_ms, coverage, battery, deadline_ms, step_s in happens:
        now_s += step_s
        now = situation(*recent, now_s=now_s, deadline_ms=deadline_ms, battery=battery, coverage=coverage)
        decision = policy.decide(now)
        assert decision.subnet in table
        assert decision.hop >= 1
        assert decision.reason
        assert again.decide(now) == decision
        assert again.decide(now).memory == decision.memory
        last = predicted(
            label=label, confidence=confidence, latency_ms=latency_ms, coverage=coverage, decision=decision
        )
        recent = (*recent, last)[-8:]


@settings(max_examples=50, deadline=None)
@given(tables, st.sampled_from([kind for kind in POLICIES if kind != "deadline"]), st.floats(0.1, 250.0), batteries)
def test_a_deadline_limits_any_policy_wherever_the_table_can_meet_it(
    table: OperatingTable, kind: str, ms: float, battery: BatteryReading | None
) -> None:
    chosen = table[make_policy(f"{kind}+deadline={ms}", table).decide(situation(battery=battery)).subnet]
    assert chosen.p95_ms <= ms or chosen.p95_ms == min(point.p95_ms for point in table.points)


@settings(max_examples=50, deadline=None)
@given(tables, st.sampled_from(["fixed", "persistence", "slowdown"]), st.floats(0.0, 1.0))
def test_a_policy_under_a_battery_plan_spends_no_more_than_the_plan(
    table: OperatingTable, kind: str, frac: float
) -> None:
    now = situation(battery=BatteryReading(frac, 36.0))
    plan = make_policy("battery:hours=1", table).decide(now)
    under = make_policy(f"{kind}+battery:hours=1", table).decide(now)
    assert table[under.subnet].energy_mj <= table[plan.subnet].energy_mj


def test_a_policy_sees_only_the_choices_that_its_limits_leave(table: OperatingTable) -> None:
    left = (table[Subnet(0.25, 128)], table[Subnet(0.9, 128)])
    for kind in POLICIES:
        assert table[make_policy(kind, table).decide(replace(situation(), allowed=left)).subnet] in left, kind
