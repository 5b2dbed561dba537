"""The slowdown policy: state in, decision and reason out, and how fast it follows a load."""

from __future__ import annotations

from math import exp, inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Prediction
from kinestream.policy import LatencyPolicy, PolicyState, SlowdownPolicy
from kinestream.policy.rules.slowdown import filtered
from tests.policy.situations import predicted, situation, under_load


@pytest.mark.parametrize(
    ("now", "chosen", "because"),
    [
        (situation(), "1.00x-128", "no deadline: the most accurate"),
        (
            situation(deadline_ms=100.0),
            "1.00x-128",
            "nothing measured yet: 1.00x-128 is expected within 96.8 ms of 100 ms",
        ),
        (situation(deadline_ms=50.0), "0.50x-128", "is expected within 48.4 ms"),
        (situation(deadline_ms=5.0), "0.10x-96", "no subnetwork meets 5 ms; the fastest is expected within 12"),
        # Twice as slow as the table: 1x takes 160 ms, 0.5x takes 80 ms.
        (situation(predicted("1x-128", latency_ms=160.0), deadline_ms=100.0), "0.25x-128", "1.68 x the table's"),
        (situation(*[predicted("1x-128", latency_ms=160.0)] * 4, deadline_ms=100.0), "0.50x-128", "2 x the table's"),
        # The latency of a thin subnetwork predicts that of a wide one.
        (situation(*[predicted("0.1x-96", latency_ms=10.0)] * 4, deadline_ms=110.0), "1.00x-128", "1 x the table's"),
        # A step up must leave a tenth of the deadline: 1x is expected within 92 ms.
        (situation(*[predicted("0.1x-96", latency_ms=10.0)] * 4, deadline_ms=100.0), "0.50x-128", "within 46"),
        (situation(*[predicted("1x-128", latency_ms=80.0)] * 4, deadline_ms=100.0), "1.00x-128", "within 92"),
        (situation(*[predicted("0.1x-96", latency_ms=25.0)] * 4, deadline_ms=100.0), "0.25x-128", "2.5 x the table's"),
        # Impossible latencies are ignored.
        (situation(predicted("1x-128", latency_ms=nan), deadline_ms=100.0), "1.00x-128", "1 x the table's"),
        (situation(predicted("1x-128", latency_ms=inf), deadline_ms=100.0), "1.00x-128", "1 x the table's"),
        (situation(predicted("1x-128", latency_ms=0.0), deadline_ms=100.0), "1.00x-128", "1 x the table's"),
        (situation(predicted("0.7x-128", latency_ms=500.0), deadline_ms=100.0), "1.00x-128", "1 x the table's"),
    ],
)
def test_the_slowdown_policy(table: OperatingTable, now: PolicyState, chosen: str, because: str) -> None:
    decision = SlowdownPolicy(table).decide(now)
    assert str(decision.subnet) == chosen
    assert because in decision.reason


@pytest.mark.parametrize(("load", "deadline_ms"), [(2.0, 100.0), (4.0, 100.0), (8.0, 100.0), (1.5, 50.0)])
def test_the_deadline_is_met_again_within_two_windows_of_a_new_load(
    table: OperatingTable, load: float, deadline_ms: float
) -> None:
    """The paper's band goes down a step at a time, and believes a load when two of three windows show it."""

    def late(policy: SlowdownPolicy | LatencyPolicy) -> int:
        _, latencies_ms = under_load(policy, table, [1.0] * 10 + [load] * 10, deadline_ms)
        return sum(ms > deadline_ms for ms in latencies_ms[10:])

    assert late(SlowdownPolicy(table)) <= 1, "the first window under the load cannot be foreseen"
    assert late(LatencyPolicy(table)) >= 2


def test_slowdown_is_accurate_again_within_three_windows_after_a_load(table: OperatingTable) -> None:
    decisions, _ = under_load(SlowdownPolicy(table), table, [3.5] * 10 + [1.0] * 4, 110.0)
    assert str(decisions[9].subnet) == "0.25x-128"
    assert str(decisions[12].subnet) == "1.00x-128"


def test_a_steady_load_causes_no_switching(table: OperatingTable) -> None:
    decisions, _ = under_load(SlowdownPolicy(table), table, [1.9] * 40, 100.0)
    assert len({decision.subnet for decision in decisions[6:]}) == 1


@settings(max_examples=50)
@given(st.lists(st.floats(0.05, 20.0), min_size=8, max_size=8))
def test_the_factor_lies_between_the_observed_loads_and_the_table(loads: list[float]) -> None:
    seen = [predicted("1x-128", latency_ms=80.0 * load) for load in loads]
    factor = exp(filtered(TABLE, seen).mean)
    assert min(*loads, 1.0) * 0.999 <= factor <= max(*loads, 1.0) * 1.001


@given(st.lists(st.floats(5e-324, 1.7e308), min_size=1, max_size=8), st.floats(0.5, 1, exclude_max=True))
def test_every_measured_latency_gives_a_finite_prediction(latencies_ms: list[float], sure: float) -> None:
    seen = [predicted(cut, latency_ms=ms) for ms, cut in zip(latencies_ms, ("1x-128", "0.1x-96") * 4, strict=False)]
    policy = SlowdownPolicy(TABLE, sure=sure)
    slowdown = filtered(TABLE, seen)
    assert all(0 < policy.predicted_ms(point, slowdown) < inf for point in TABLE.points)


@settings(max_examples=50)
@given(st.lists(st.floats(0.1, 10.0), max_size=8), st.floats(1.0, 500.0), st.floats(1.0, 500.0))
def test_a_longer_deadline_never_means_a_less_accurate_choice(loads: list[float], a_ms: float, b_ms: float) -> None:
    recent: list[Prediction] = [predicted("1x-128", latency_ms=80.0 * load) for load in loads]
    short, long = (
        TABLE[SlowdownPolicy(TABLE).decide(situation(*recent, deadline_ms=ms)).subnet].accuracy
        for ms in sorted((a_ms, b_ms))
    )
    assert short <= long


def _table() -> OperatingTable:
    from kinestream.core.operating_table import OperatingPoint
    from kinestream.core.signals import Subnet

    rows = [(0.1, 0.93, 10.0), (0.25, 0.95, 20.0), (0.5, 0.96, 40.0), (1.0, 0.97, 80.0)]
    points = tuple(OperatingPoint(Subnet(w, 128), a, 1, ms, ms * 1.1, ms / 10) for w, a, ms in rows)
    return OperatingTable("t", "by hand", "none", points)


TABLE = _table()
