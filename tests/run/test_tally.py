"""The figures of a run, added up in constant memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinestream.core.signals import Decision, Prediction, Subnet
from kinestream.run import tally as module
from kinestream.run.tally import Tally

LABELS = ("walking", "sitting")
PREDICTION = Prediction(
    "wrist", "a", 0, 0.0, 2.54, "walking", 0.9, np.array([0.9, 0.1], np.float32), LABELS,
    Decision(Subnet(1.0, 128), "fixed"), latency_ms=0.0, energy_mj=1.0, age_ms=5.0, coverage=1.0,
)  # fmt: skip


def test_latencies_are_those_of_the_newest_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_LATENCIES", 5)
    tally = Tally(LABELS)
    assert tally.summary()["latency_ms"] == {"p50": None, "p95": None, "p99": None}
    for latency_ms in (4.0, 2.0):
        tally.add(replace(PREDICTION, latency_ms=latency_ms), None)
    assert tally.summary()["latency_ms"]["p50"] == 3.0
    for latency_ms in (100.0, 7.0, 7.0, 7.0, 7.0, 7.0):
        tally.add(replace(PREDICTION, latency_ms=latency_ms), None)
    assert tally.summary()["latency_ms"] == {"p50": 7.0, "p95": 7.0, "p99": 7.0}
    assert tally.summary()["predictions"] == 8
