"""States and predictions with defaults, so that a test names only the fields that it is about."""

from __future__ import annotations

from math import nan

import numpy as np

from kinestream.core.operating_table import OperatingTable
from kinestream.core.signals import Decision, Prediction, Subnet
from kinestream.policy import BatteryReading, Policy, PolicyState


def predicted(
    subnet: str = "1x-128",
    *,
    label: str = "walking",
    confidence: float = 1.0,
    latency_ms: float = 1.0,
    age_ms: float = nan,
    coverage: float = 1.0,
    decision: Decision | None = None,
    stream: str = "wrist",
) -> Prediction:
    """Two classes; the other one has the rest of the probability."""
    labels = ("sitting", "walking")
    probs = [1 - confidence, confidence] if label == "walking" else [confidence, 1 - confidence]
    return Prediction(
        stream=stream, session="a", index=0, t_start_s=0.0, t_end_s=2.56, label=label, confidence=confidence,
        probs=np.array(probs, np.float32), labels=labels, decision=decision or Decision(Subnet.parse(subnet), ""),
        latency_ms=latency_ms, energy_mj=1.0, age_ms=age_ms, coverage=coverage,
    )  # fmt: skip


def situation(
    *recent: Prediction,
    now_s: float = 100.0,
    deadline_ms: float | None = None,
    battery: BatteryReading | None = None,
    coverage: float = 1.0,
    hop_s: float = 1.0,
) -> PolicyState:
    """The state after these predictions of one stream."""
    last = recent[-1].decision if recent else None
    return PolicyState(now_s, 0.0, deadline_ms, battery, last, recent, hop_s, recent, coverage)


def under_load(
    policy: Policy, table: OperatingTable, loads: list[float], deadline_ms: float | None
) -> tuple[list[Decision], list[float]]:
    """The decisions and latencies while every window takes ``load`` times the table's latency."""
    recent: tuple[Prediction, ...] = ()
    decisions: list[Decision] = []
    latencies_ms: list[float] = []
    for k, load in enumerate(loads):
        decision = policy.decide(situation(*recent, now_s=float(k), deadline_ms=deadline_ms))
        latency_ms = table[decision.subnet].p50_ms * load
        recent = (*recent, predicted(decision=decision, latency_ms=latency_ms))[-8:]
        decisions.append(decision)
        latencies_ms.append(latency_ms)
    return decisions, latencies_ms
