"""Accuracy with other sensor settings and hops, compared with the live pipeline."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kinestream.core.errors import DataDamaged, ModelError
from kinestream.core.signals import ACC, GYRO, Prediction, Sensing
from kinestream.inference import Engine, Model, load_model, operating_table, save_model
from kinestream.inference.lever_accuracy import Levers
from kinestream.policy import make_policy
from kinestream.replay_data import Dataset, Entry, Recording
from kinestream.run.pipeline import Pipeline
from kinestream.train.data.windows import chunks_of
from kinestream.train.judge.measure_levers import HOPS, measure_levers, sensings_of

from ...random_models import TINY, random_model

MODEL = random_model("six", replace(TINY, columns=6))
SIX = replace(MODEL, input=replace(MODEL.input, channels=(*ACC, *GYRO)))


def recording(person: str, names: tuple[str, ...] = SIX.labels) -> Recording:
    """A minute of random-walk noise labelled with three activities."""
    rng, n = np.random.default_rng(int(person)), 3000
    x = (rng.normal(0, 0.2, (n, 6)).cumsum(0)).astype(np.float32)
    labels = (np.arange(n) // 250 % 3).astype(np.int16)
    return Recording("made", f"r{person}", person, 50.0, (*ACC, *GYRO), np.arange(n) / 50, x, labels, names)


def dataset(names: tuple[str, ...] = SIX.labels) -> Dataset:
    return Dataset("made", names, [Entry(f"r{i}", str(i), partial(recording, str(i), names)) for i in range(3)])


def live(model: Model, policy: str) -> list[Prediction]:
    engine = Engine(model)
    table = operating_table(engine)
    predictions: list[Prediction] = []
    for person in "01":
        pipe = Pipeline(engine, make_policy(f"fixed:1.0x-40{policy}", table), table)
        predictions += [p for chunk in chunks_of(recording(person)) for p in pipe.push(chunk)] + pipe.flush()
    return [p for p in predictions if p.truth_share == 1.0]


def test_accuracy_with_and_without_gyroscope_equals_that_of_the_live_pipeline() -> None:
    levers = measure_levers(SIX, dataset(), ["0", "1"], [SIX.full])
    assert tuple(levers.sensing) == sensings_of(SIX)
    assert next(iter(levers.sensing)) == Sensing(50.0)
    predictions = live(SIX, "")
    assert levers.sensing[Sensing(50.0)][SIX.full] == pytest.approx(
        np.mean([p.label == p.truth for p in predictions]), abs=1e-5
    )
    assert levers.hops[1] == levers.sensing[Sensing(50.0)]
    # In live operation the sensor changes its setting after two seconds; the first windows are as before.
    accuracies = {sensing: accuracy[SIX.full] for sensing, accuracy in levers.sensing.items()}
    assert accuracies[Sensing(50.0, gyro=False)] == pytest.approx(
        np.mean([p.label == p.truth for p in live(SIX, "+sensing:fs_hz=50,gyro=false")]), abs=0.05
    )
    assert len(set(accuracies.values())) > 1


def test_with_a_longer_hop_windows_are_judged_by_the_latest_prediction() -> None:
    engine = Engine(SIX)
    levers = measure_levers(SIX, dataset(), ["2"], [SIX.full])
    (chunk,) = chunks_of(recording("2"))
    table = operating_table(engine)
    pipe = Pipeline(engine, make_policy("fixed:1.0x-40", table), table)
    predictions = pipe.push(chunk) + pipe.flush()
    for hop in HOPS:
        right = [predictions[i - i % hop].label == p.truth for i, p in enumerate(predictions) if p.truth_share == 1.0]
        assert levers.hops[hop][SIX.full] == pytest.approx(np.mean(right), abs=1e-5)


def test_a_sensor_setting_that_leaves_no_window_is_left_out() -> None:
    """Windows of 40 samples from a recording of 40: with fewer samples, none is complete."""

    def short(person: str) -> Recording:
        whole = recording(person)
        return replace(whole, t=whole.t[:40], x=whole.x[:40], labels=np.zeros(40, np.int16), segments=((0, 40),))

    few = Dataset("short", SIX.labels, [Entry("r0", "0", partial(short, "0"))])
    levers = measure_levers(SIX, few, ["0"], [SIX.full])
    assert {sensing.fs_hz for sensing in levers.sensing} == {50.0}


def test_recordings_without_a_known_activity_are_refused() -> None:
    with pytest.raises(DataDamaged, match="no window of made shows an activity that six knows"):
        measure_levers(SIX, dataset(("a", "b", "c")), ["0"], [SIX.full])


def test_levers_are_stored_in_the_model_file_without_changing_its_fingerprint(tmp_path: Path) -> None:
    levers = Levers(
        {Sensing(50.0): {SIX.full: 0.9}, Sensing(25.0, gyro=False): {SIX.full: 0.5}},
        {1: {SIX.full: 0.9}, 2: {SIX.full: 0.8}},
    )
    save_model(tmp_path / "m.safetensors", replace(SIX, levers=levers))
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded.levers == levers
    assert loaded.fingerprint == SIX.fingerprint
    table = operating_table(Engine(loaded))
    assert [row.sensing for row in table.sensing] == list(levers.sensing)
    assert table.hops == levers.hops


def test_an_impossible_accuracy_in_a_model_file_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", replace(SIX, levers=Levers({Sensing(50.0): {SIX.full: 1.9}})))
    with pytest.raises(ModelError, match=r"an accuracy of 1\.9"):
        load_model(tmp_path / "m.safetensors")
