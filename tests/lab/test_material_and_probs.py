"""Windows cut from recordings, the cached outputs of subnetworks for them, and a slower sensor."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinestream.core.errors import DataMissing
from kinestream.core.signals import ACC, GYRO, SampleChunk, Sensing
from kinestream.inference import Engine, operating_table
from kinestream.lab import Day, DevicePower, Phase, Scenario, collect, compute_probs
from kinestream.policy import FixedPolicy, make_policy
from kinestream.replay_data import Player, Recording
from kinestream.run.pipeline import Pipeline
from tests.random_models import TINY, random_model

MODEL = random_model("tiny", replace(TINY, columns=6))
ENGINE = Engine(MODEL)


def recording(seconds: float = 20.0, fs_hz: float = 50.0) -> Recording:
    """One activity that the model knows, then an unknown one for the second half."""
    n = int(seconds * fs_hz)
    t = np.arange(n) / fs_hz
    x = (np.random.default_rng(0).normal(0, 0.2, (n, 6)).cumsum(0)).astype(np.float32)
    labels = np.where(np.arange(n) < n // 2, 0, 1).astype(np.int16)
    return Recording("made", "one", "anna", fs_hz, (*ACC, *GYRO), t, x, labels, (MODEL.labels[1], "swimming"))


def player(*recordings: Recording) -> Player:
    return Player(list(recordings) or [recording()], speed=math.inf, name="made")


def test_windows_and_probabilities_are_those_of_the_live_pipeline() -> None:
    engine = Engine(MODEL)
    material = collect(player(), MODEL)
    outputs = compute_probs(engine, material)
    table = operating_table(engine, [MODEL.full])
    pipeline = Pipeline(engine, FixedPolicy(table, MODEL.full), table)
    source = recording()
    chunk = SampleChunk(
        "made", "a", source.t, source.x, source.channels, 50.0, 0, source.t[-1], source.labels, source.label_names
    )
    live = pipeline.push(chunk) + pipeline.flush()
    assert len(live) == len(material)
    np.testing.assert_allclose(
        outputs.probs[outputs.subnets.index(MODEL.full)], [p.probs for p in live], rtol=0, atol=1e-5
    )
    known = [p.truth == MODEL.labels[1] and p.truth_share > 0.5 for p in live]
    assert (material.truth == np.where(known, 1, -1)).all()
    assert (material.pure == [k and p.truth_share == 1.0 for k, p in zip(known, live, strict=True)]).all()


def test_probabilities_are_cached_by_model_and_windows_and_only_missing_ones_are_computed(tmp_path: Path) -> None:
    engine, material = Engine(MODEL), collect(player(), MODEL)
    computed: list[int] = []
    some = compute_probs(engine, material, MODEL.subnets[:2], cache=tmp_path, progress=lambda _, n: computed.append(n))
    assert computed == [2, 2]
    computed.clear()
    everything = compute_probs(engine, material, cache=tmp_path, progress=lambda _, n: computed.append(n))
    assert computed[0] == len(MODEL.subnets) - 2
    assert (everything.probs[:2] == some.probs).all()
    computed.clear()
    assert (compute_probs(engine, material, cache=tmp_path, progress=lambda *_: computed.append(1)).probs > 0).any()
    assert not computed
    compute_probs(Engine(random_model("tiny", replace(TINY, columns=6), seed=1)), material, cache=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 2


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 half"])
def test_a_damaged_cache_is_computed_again(tmp_path: Path, content: bytes) -> None:
    engine, material = Engine(MODEL), collect(player(), MODEL)
    first = compute_probs(engine, material, cache=tmp_path)
    next(tmp_path.glob("*.npz")).write_bytes(content)
    assert (compute_probs(engine, material, cache=tmp_path).probs == first.probs).all()


def test_a_recording_without_a_window_is_refused() -> None:
    with pytest.raises(DataMissing, match="holds no window"):
        collect(player(recording(0.5)), MODEL)


def test_an_external_policy_sees_the_activities_by_the_models_names(tmp_path: Path) -> None:
    (tmp_path / "named.py").write_text(
        "def decide(state, table):\n"
        f"    known = [p.label in {MODEL.labels} for p in state.own]\n"
        "    return min(table.points, key=lambda p: p.macs if known and all(known) else -p.macs).subnet\n"
    )
    material, table = collect(player(), MODEL), operating_table(ENGINE)
    day = Day(Scenario("", "", 0.05, (Phase(),)), material, compute_probs(ENGINE, material), table, DevicePower(1.0))
    shares = day.run(make_policy(str(tmp_path / "named.py"), table)).shares
    assert shares[str(min(table.points, key=lambda point: point.macs).subnet)] > 0.99  # all but the first window


def test_each_epoch_is_a_separate_stretch() -> None:
    material = collect(player(recording(), replace(recording(), name="two")), MODEL)
    assert material.session.tolist() == sorted(material.session.tolist())
    assert set(material.session.tolist()) == {0, 1}


def test_a_slower_sensor_gives_the_same_windows_with_less_detail() -> None:
    fast, slow = collect(player(), MODEL), collect(player(), MODEL, Sensing(12.5))
    assert abs(len(slow) - len(fast)) <= 1
    alike = slow.like(fast)
    assert alike.keys == fast.keys
    assert (alike.truth == fast.truth).all()
    assert alike.x.shape == fast.x.shape
    assert np.abs(np.diff(alike.x[5:-5], axis=1)).sum() < 0.8 * np.abs(np.diff(fast.x[5:-5], axis=1)).sum()


def test_a_sensor_rate_out_of_range_is_met_as_far_as_possible() -> None:
    fast = collect(player(), MODEL)
    assert (collect(player(), MODEL, Sensing(400.0)).x == fast.x).all()
    assert (collect(player(), MODEL, Sensing(30.0)).x == fast.x).all()  # every second sample would be below the rate
    assert (collect(player(), MODEL, Sensing(1.0)).x == collect(player(), MODEL, Sensing(5.0)).x).all()


def test_a_window_missing_from_a_slower_sensor_is_taken_from_the_other() -> None:
    fast, slow = collect(player(), MODEL), collect(player(), MODEL, Sensing(12.5))
    fewer = replace(slow, keys=slow.keys[3:], x=slow.x[3:])
    assert (fewer.like(fast).x[:3] == fast.x[:3]).all()
    assert (fewer.like(fast).x[3] == slow.x[3]).all()
