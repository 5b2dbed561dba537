"""The fixed and the latency policy: state in, decision and reason out."""

from __future__ import annotations

from itertools import pairwise
from math import nan

import numpy as np
import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Decision, Prediction, Subnet
from kinestream.policy import FixedPolicy, LatencyPolicy, PolicyState


def prediction(subnet: str, latency_ms: float) -> Prediction:
    return Prediction(
        stream="wrist", session="a", index=0, t_start_s=0.0, t_end_s=2.56, label="walking", confidence=1.0,
        probs=np.ones(1, np.float32), labels=("walking",), decision=Decision(Subnet.parse(subnet), ""),
        latency_ms=latency_ms, energy_mj=1.0, age_ms=nan, coverage=1.0,
    )  # fmt: skip


def state(
    deadline_ms: float | None = None, ran: str | None = None, latencies_ms: tuple[float, ...] = ()
) -> PolicyState:
    """The state after windows that all ran ``ran``."""
    return PolicyState(
        now_s=100.0,
        started_s=0.0,
        deadline_ms=deadline_ms,
        battery=None,
        last=None if ran is None else Decision(Subnet.parse(ran), ""),
        recent=tuple(prediction(ran or "1x-128", latency_ms) for latency_ms in latencies_ms),
        hop_s=1.28,
    )


def test_fixed_runs_the_most_accurate_unless_another_is_named(table: OperatingTable) -> None:
    assert str(FixedPolicy(table).decide(state()).subnet) == "1.00x-128"
    assert "97.0%" in FixedPolicy(table).decide(state()).reason
    assert FixedPolicy(table, Subnet(0.5, 96)).decide(state(deadline_ms=1.0)).subnet == Subnet(0.5, 96)


def test_fixed_reports_a_missed_deadline(table: OperatingTable) -> None:
    assert FixedPolicy(table).decide(state(50.0)).reason.endswith("its p95 of 88 ms misses the deadline of 50 ms")
    assert "misses" not in FixedPolicy(table).decide(state(88.0)).reason


def test_fixed_refuses_a_subnetwork_that_the_model_lacks(table: OperatingTable) -> None:
    with pytest.raises(ConfigError, match=r"test_cnn has no subnetwork 0.30x-128"):
        FixedPolicy(table, Subnet(0.3, 128))


@pytest.mark.parametrize(
    ("now", "chosen", "because"),
    [
        (state(), "1.00x-128", "no deadline"),
        # At the beginning, the table decides.
        (state(100.0), "1.00x-128", "p95 88 ms within 100 ms"),
        (state(70.0), "0.50x-128", "p95 44 ms within 70 ms"),
        (state(22.0), "0.25x-128", "p95 22 ms within 22 ms"),
        (state(5.0), "0.10x-96", "no subnetwork meets 5 ms: the fastest, p95 11 ms"),
        # The paper's band, 49 to 70 ms at a deadline of 70 ms.
        (state(70.0, "0.5x-128", (60.0,)), "0.50x-128", "60 ms is in the band of 49 to 70 ms"),
        (state(70.0, "0.5x-128", (70.0,)), "0.50x-128", "in the band"),
        (state(70.0, "0.5x-128", (75.0,)), "0.25x-128", "75 ms is over 70 ms: down to 0.25x-128"),
        (state(70.0, "0.25x-128", (30.0,)), "0.50x-128", "30 ms is under 49 ms: up to 0.50x-128, expected at 60 ms"),
        (state(70.0, "0.25x-128", (36.0,)), "0.25x-128", "0.50x-128 would take 72 ms, over 70 ms"),
        (state(70.0, "0.5x-128", (40.0,)), "0.50x-128", "1.00x-128 would take 80 ms, over 70 ms"),
        (state(500.0, "1x-128", (80.0,)), "1.00x-128", "80 ms is under 350 ms: already the most accurate"),
        (state(70.0, "0.1x-96", (90.0,)), "0.10x-96", "90 ms is over 70 ms, but nothing is faster"),
        # A deadline cut to a quarter: 0.5x-128 takes 40 ms even without load, so it is skipped.
        (state(25.0, "1x-128", (80.0,)), "0.25x-128", "down to 0.25x-128"),
        # One odd window of three changes nothing; two do.
        (state(70.0, "0.5x-128", (60.0, 60.0, 500.0)), "0.50x-128", "60 ms is in the band"),
        (state(70.0, "0.5x-128", (60.0, 500.0, 500.0)), "0.25x-128", "500 ms is over"),
        (state(70.0, "0.5x-128", (nan, 60.0)), "0.50x-128", "60 ms is in the band"),
        # The last subnetwork is not on the front, or has not run yet: the table decides.
        (state(70.0, "0.5x-96", (30.0,)), "0.50x-128", "p95 44 ms within 70 ms"),
        (state(70.0, "0.5x-128"), "0.50x-128", "p95 44 ms within 70 ms"),
    ],
)
def test_the_latency_band(table: OperatingTable, now: PolicyState, chosen: str, because: str) -> None:
    decision = LatencyPolicy(table).decide(now)
    assert str(decision.subnet) == chosen
    assert because in decision.reason


def test_latencies_of_another_subnetwork_do_not_count(table: OperatingTable) -> None:
    before = (prediction("1x-128", 300.0), prediction("1x-128", 300.0), prediction("0.5x-128", 60.0))
    now = state(70.0, "0.5x-128")
    now = PolicyState(now.now_s, 0.0, 70.0, None, now.last, before, 1.28)
    assert "60 ms is in the band" in LatencyPolicy(table).decide(now).reason


def run_under_load(policy: LatencyPolicy, table: OperatingTable, loads: list[float], deadline_ms: float) -> list[str]:
    """The choices while every window takes ``load`` times the table's latency."""
    chosen: list[str] = []
    recent: tuple[Prediction, ...] = ()
    for load in loads:
        last = recent[-1].decision if recent else None
        decision = policy.decide(PolicyState(0.0, 0.0, deadline_ms, None, last, recent, 1.28))
        chosen.append(str(decision.subnet))
        recent = (*recent, prediction(str(decision.subnet), table[decision.subnet].p50_ms * load))[-8:]
    return chosen


def test_the_band_follows_a_changing_load(table: OperatingTable) -> None:
    """The paper's demonstration: the load rises twice, then ends; 20 windows each."""
    chosen = run_under_load(LatencyPolicy(table), table, [1.0] * 20 + [2.0] * 20 + [4.0] * 20 + [1.0] * 20, 90.0)
    assert [chosen[19], chosen[39], chosen[59], chosen[79]] == ["1.00x-128", "0.50x-128", "0.25x-128", "1.00x-128"]
    assert sum(a != b for a, b in pairwise(chosen)) == 4, "each change of load, no swinging"


def test_without_accuracies_the_band_steps_by_size() -> None:
    points = tuple(
        OperatingPoint(Subnet(width, 128), nan, int(100 * width), 40 * width, 44 * width, 4 * width)
        for width in (1.0, 0.1, 0.5)
    )
    fresh = OperatingTable("new", "by hand", "none", points)
    assert FixedPolicy(fresh).decide(state()).subnet == Subnet(1.0, 128)
    assert "no accuracy was measured" in FixedPolicy(fresh).decide(state()).reason
    assert LatencyPolicy(fresh).decide(state(30.0)).subnet == Subnet(0.5, 128)


def test_a_table_of_a_single_point_leaves_no_choice() -> None:
    only = OperatingTable("one", "by hand", "none", (OperatingPoint(Subnet(1.0, 128), 0.9, 1, 10.0, 11.0, 1.0),))
    for now in (state(), state(5.0), state(50.0, "1x-128", (99.0,)), state(500.0, "1x-128", (9.0,))):
        assert LatencyPolicy(only).decide(now).subnet == Subnet(1.0, 128)


@pytest.mark.parametrize("band", [(0.0, 1.0), (1.0, 1.0), (1.2, 1.0), (0.5, float("inf")), (nan, 1.0)])
def test_an_inverted_band_is_refused(table: OperatingTable, band: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="0 < low < high"):
        LatencyPolicy(table, *band)
