"""Sensors whose times count from different points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.ingest.phone.readings import Batch, Readings
from kinestream.ingest.phone.reference_points import ReferencePoints

LEADER, OTHER = "totalacceleration", "gyroscope"


def message(times_s: dict[str, np.ndarray]) -> Batch:
    return {
        sensor: Readings(np.rint(t * 1e9).astype(np.int64) + 10**18, np.zeros((len(t), 3), np.float32))
        for sensor, t in times_s.items()
        if len(t)
    }


def between(t: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    return t[(t >= start_s) & (t < end_s)]


@settings(deadline=None)
@given(
    hz=st.tuples(st.floats(10, 400), st.floats(10, 400)),
    each_s=st.floats(0.2, 2.0),
    ahead_s=st.one_of(st.just(0.0), st.floats(1.0, 1e5), st.floats(-1e5, -1.0)),
    jitter=st.floats(0, 0.5),
    seed=st.integers(0, 99),
)
def test_a_constant_difference_is_found_whatever_the_rates(
    hz: tuple[float, float], each_s: float, ahead_s: float, jitter: float, seed: int
) -> None:
    """Found to within two steps of the slower sensor; without a difference, nothing is shifted."""
    dice, points = np.random.default_rng(seed), ReferencePoints()
    lead, other = (np.arange(0, 10, 1 / rate) + dice.uniform(0, jitter / rate) for rate in hz)
    for start_s in np.arange(0, 10 - each_s, each_s):
        end_s = start_s + each_s
        points.align(message({LEADER: between(lead, start_s, end_s), OTHER: between(other, start_s, end_s) + ahead_s}))
    if ahead_s:
        assert points.offset_s[OTHER] == pytest.approx(ahead_s, abs=2 / min(hz) + 1e-6)
    else:
        assert points.offset_s == {}


@pytest.mark.parametrize("batch_s", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("late_s", [0.0, 0.3])
def test_a_sensor_delivered_in_batches_is_not_shifted(batch_s: float, late_s: float) -> None:
    points = ReferencePoints()
    t = np.arange(0, 30, 0.01)
    arrival = np.ceil(t / batch_s + 1e-9) * batch_s + late_s
    for start_s in np.arange(0, 30, 0.2):
        sent = t[(arrival >= start_s) & (arrival < start_s + 0.2)]
        points.align(message({LEADER: between(t, start_s, start_s + 0.2), OTHER: sent}))
    assert points.offset_s == {}


def test_without_an_accelerometer_nothing_is_shifted() -> None:
    points = ReferencePoints()
    for start_s in range(5):
        t = start_s + np.arange(50) / 50
        points.align(message({OTHER: t, "gyroscopeuncalibrated": t + 50}))
    assert (points.leader, points.offset_s) == ("", {})
