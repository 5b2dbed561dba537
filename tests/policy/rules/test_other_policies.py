"""The persistence, loss and deadline policies: state in, decision and reason out."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest

from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Decision, Prediction, Subnet
from kinestream.policy import DeadlinePolicy, LossPolicy, PersistencePolicy, PolicyState
from kinestream.policy.rules.persistence import LOOKED
from tests.policy.situations import predicted, situation


def after(*labels: str, looked_s: float | None = 90.0, confidence: float = 0.95) -> PolicyState:
    """The state at 100 s, after predictions of these labels and a last wide window at ``looked_s``."""
    memory = {} if looked_s is None else {LOOKED: looked_s}
    decision = Decision(Subnet(0.1, 96), "", memory=memory)
    return situation(*(predicted(label=label, decision=decision, confidence=confidence) for label in labels))


WALK3 = ("walking", "walking", "walking")


@pytest.mark.parametrize(
    ("now", "chosen", "because"),
    [
        (situation(), "1.00x-128", "not settled yet: wide"),
        (after("walking", "walking"), "1.00x-128", "not settled yet"),
        (after(*WALK3), "0.10x-96", "still walking, 95% sure, last wide window 10 s ago: thin"),
        (after("sitting", "sitting", "walking"), "1.00x-128", "may have changed from sitting to walking: wide"),
        (after("sitting", "walking", "walking"), "1.00x-128", "may have changed"),
        (after("sitting", *WALK3), "0.10x-96", "still walking"),
        (after(*WALK3, confidence=0.79), "1.00x-128", "only 79% sure of walking"),
        (after(*WALK3, confidence=nan), "1.00x-128", "only nan% sure"),
        (after(*WALK3, confidence=0.84), "1.00x-128", "walking leads the next by only 68%"),
        (after(*WALK3, looked_s=70.0), "1.00x-128", "last wide window too long ago"),
        (after(*WALK3, looked_s=70.1), "0.10x-96", "last wide window 29.9 s ago"),
        (after(*WALK3, looked_s=None), "1.00x-128", "last wide window too long ago"),
        (replace(after(*WALK3), deadline_ms=15.0), "0.10x-96", "thin; meets the deadline of 15 ms"),
        (replace(after(), deadline_ms=50.0), "0.50x-128", "wide; meets the deadline of 50 ms"),
        (replace(after(), deadline_ms=5.0), "0.10x-96", "no subnetwork meets 5 ms: the fastest"),
    ],
)
def test_persistence(table: OperatingTable, now: PolicyState, chosen: str, because: str) -> None:
    decision = PersistencePolicy(table).decide(now)
    assert str(decision.subnet) == chosen
    assert because in decision.reason


def test_persistence_runs_the_named_subnetworks_and_hops_only_while_thin(table: OperatingTable) -> None:
    policy = PersistencePolicy(table, thin=Subnet(0.25, 128), wide=Subnet(0.5, 128), hop=4)
    wide, thin = policy.decide(situation()), policy.decide(after(*WALK3))
    assert (str(wide.subnet), wide.hop, dict(wide.memory)) == ("0.50x-128", 1, {LOOKED: 100.0})
    assert (str(thin.subnet), thin.hop, dict(thin.memory)) == ("0.25x-128", 4, {LOOKED: 90.0})
    forbidden = replace(after(*WALK3), allowed=(table[Subnet(0.1, 96)],))
    assert str(policy.decide(forbidden).subnet) == "0.10x-96"


def test_every_stream_is_judged_by_its_own_predictions(table: OperatingTable) -> None:
    steady = after(*WALK3)
    other = predicted(label="sitting", stream="ankle")
    mixed = replace(steady, recent=(*steady.recent, other), last=other.decision)
    assert "still walking" in PersistencePolicy(table).decide(mixed).reason


def linked(coverage: float = 1.0, age_s: float = 0.1, n: int = 3) -> PolicyState:
    past: list[Prediction] = [predicted(coverage=coverage, age_ms=age_s * 1000) for _ in range(n)]
    return situation(*past, coverage=coverage)


@pytest.mark.parametrize(
    ("now", "chosen", "hop", "because"),
    [
        (situation(), "1.00x-128", 1, "0% of the samples missing, data 0 s old: a good link"),
        (linked(0.96), "1.00x-128", 1, "4% of the samples missing, data 0.1 s old: a good link"),
        (linked(0.92), "0.50x-96", 2, "8% of the samples missing, data 0.1 s old: at most 96 samples, every 2 windows"),
        (linked(0.5), "0.50x-96", 4, "every 4 windows"),
        (linked(1.0, age_s=2.5), "0.50x-96", 2, "data 2.5 s old: at most 96"),
        (linked(1.0, age_s=nan), "1.00x-128", 1, "a good link"),
        (linked(1.0, age_s=-5.0), "1.00x-128", 1, "data 0 s old: a good link"),
        (replace(linked(0.5), deadline_ms=15.0), "0.10x-96", 4, "meets the deadline of 15 ms"),
    ],
)
def test_a_poor_link_means_fewer_samples_and_longer_hops(
    table: OperatingTable, now: PolicyState, chosen: str, hop: int, because: str
) -> None:
    decision = LossPolicy(table).decide(now)
    assert (str(decision.subnet), decision.hop) == (chosen, hop)
    assert because in decision.reason


def test_a_bad_window_after_seven_good_ones_does_not_make_a_poor_link(table: OperatingTable) -> None:
    now = replace(linked(1.0, n=8), coverage=0.7)
    assert LossPolicy(table).decide(now).hop == 1


@pytest.mark.parametrize(
    ("ms", "deadline_ms", "chosen", "because"),
    [
        (None, None, "1.00x-128", "no deadline: the most accurate"),
        (50.0, None, "0.50x-128", "4 of 6 meet 50 ms: the most accurate"),
        (50.0, 30.0, "0.25x-128", "2 of 6 meet 30 ms"),
        (None, 50.0, "0.50x-128", "4 of 6 meet 50 ms"),
        (5.0, None, "0.10x-96", "no subnetwork meets 5 ms; 0.10x-96 is the fastest, p95 11 ms"),
    ],
)
def test_the_deadline_policy(
    table: OperatingTable, ms: float | None, deadline_ms: float | None, chosen: str, because: str
) -> None:
    decision = DeadlinePolicy(table, ms).decide(situation(deadline_ms=deadline_ms))
    assert str(decision.subnet) == chosen
    assert because in decision.reason
