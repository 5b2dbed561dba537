"""``kinestream.load(...).predict(...)`` predicts from arrays and tables like the command line."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest

import kinestream
from kinestream.cli import main
from kinestream.core.errors import ConfigError, InputMismatch, KinestreamError, MissingPackage, ModelError
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY, UNLABELLED, Prediction
from kinestream.inference import choose_model, list_models
from kinestream.launch.build_pipeline import build_pipeline
from kinestream.replay_data import Player, Recording, open_dataset, simulate
from kinestream.run.session import Session

RECOGNISER = kinestream.load("uci_kinet")
WEARER = simulate(3, 40.0)
SUBNET = str(RECOGNISER.subnets[-1])


def names_of(recording: Recording) -> list[str | None]:
    assert recording.labels is not None
    return [None if code == UNLABELLED else recording.label_names[code] for code in recording.labels]


def frame_of(recording: Recording) -> polars.DataFrame:
    columns = {name: recording.x[:, i] for i, name in enumerate(recording.channels)}
    return polars.DataFrame({"time": recording.t, **columns, "activity": names_of(recording), "note": "worn left"})


async def replayed(recording: Recording, policy: str) -> list[Prediction]:
    source = Player([recording], speed=math.inf)
    pipeline = build_pipeline(RECOGNISER._engine, policy)
    predictions: list[Prediction] = []
    session = Session(source, pipeline, model_name="uci_kinet", policy_text=policy)
    session.subscribe(on_prediction=predictions.append)
    await session.run()
    return predictions


def assert_same(predictions: kinestream.Predictions, expected: list[Prediction]) -> None:
    assert len(predictions) == len(expected) > 0
    for ours, theirs in zip(predictions, expected, strict=True):
        assert ours.probs.tobytes() == theirs.probs.tobytes()
        for field in ("label", "confidence", "t_start_s", "t_end_s", "decision", "coverage", "truth", "truth_share"):
            assert getattr(ours, field) == getattr(theirs, field)


@pytest.mark.parametrize("policy", [f"fixed:{SUBNET}", "persistence"])
async def test_predictions_of_the_wearer_equal_those_of_a_replay_bit_for_bit(policy: str) -> None:
    ours = RECOGNISER.predict(WEARER.x, WEARER.fs_hz, time=WEARER.t, labels=names_of(WEARER), policy=policy)
    assert_same(ours, await replayed(WEARER, policy))


async def test_predictions_of_a_real_recording_equal_those_of_a_replay_bit_for_bit(data_dir: Path) -> None:
    try:
        recording = open_dataset("hapt", data_dir)[0]
    except KinestreamError as error:
        pytest.skip(str(error))
    ours = RECOGNISER.predict(recording.x, 50, labels=names_of(recording), subnet=SUBNET)
    assert_same(ours, await replayed(recording, f"fixed:{SUBNET}"))
    assert ours.accuracy is not None
    assert ours.accuracy > 0.9


def test_predictions_equal_those_the_command_line_prints_for_the_same_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wearer.csv"
    frame_of(WEARER).select("time", *WEARER.channels, label="activity").write_csv(path)
    assert main(["replay", str(path), "--model", "uci_kinet", "--speed", "max", "--json"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()][:-1]
    ours = [p.to_dict() for p in RECOGNISER.predict(frame_of(WEARER), labels="activity")]
    measured = {"stream", "session", "latency_ms", "age_ms"}
    assert len(ours) == len(printed) > 0
    for mine, theirs in zip(ours, printed, strict=True):
        assert {k: v for k, v in mine.items() if k not in measured | {"energy_mj"}} == {
            k: v for k, v in theirs.items() if k not in measured | {"energy_mj"}
        }


@pytest.mark.parametrize(
    "data",
    [
        WEARER.x.astype(np.float64),
        WEARER.x.tolist(),
        np.asfortranarray(WEARER.x),
        frame_of(WEARER).drop("time"),
        frame_of(WEARER).drop("time").to_arrow(),
        {name: WEARER.x[:, i] for i, name in enumerate(WEARER.channels)},
        {name: WEARER.x[:, i].tolist() for i, name in reversed(list(enumerate(WEARER.channels)))},
    ],
    ids=["float64", "lists", "fortran", "polars", "arrow", "dict", "reversed-dict"],
)
def test_arrays_lists_and_tables_give_the_same_predictions(data: Any) -> None:
    expected = RECOGNISER.predict(WEARER.x, WEARER.fs_hz)
    assert RECOGNISER.predict(data, WEARER.fs_hz).probs.tobytes() == expected.probs.tobytes()


def test_columns_of_an_array_are_matched_by_name() -> None:
    expected = RECOGNISER.predict(WEARER.x, WEARER.fs_hz)
    gyro_first = np.hstack([WEARER.x[:, 3:], WEARER.x[:, :3], np.zeros((len(WEARER), 1))])
    ours = RECOGNISER.predict(gyro_first, WEARER.fs_hz, channels=[*GYRO, *ACC, "mag_x"])
    assert ours.probs.tobytes() == expected.probs.tobytes()


def test_dates_become_seconds_since_the_first() -> None:
    start = datetime(2024, 1, 31, 12)
    dates = [start + timedelta(seconds=i / 50) for i in range(len(WEARER))]
    expected = RECOGNISER.predict(WEARER.x, 50)
    for time in (dates, np.array(dates, "datetime64[us]"), polars.Series(dates)):
        ours = RECOGNISER.predict(WEARER.x, time=time)
        assert ours.labels == expected.labels
        np.testing.assert_allclose(ours.times, expected.times, atol=1e-6)


def test_another_rate_is_resampled_to_that_of_the_model() -> None:
    fast = simulate(3, 40.0, rate_hz=100.0)
    predictions = RECOGNISER.predict(fast.x, 100)
    assert abs(len(predictions) - len(RECOGNISER.predict(WEARER.x, 50))) <= 1
    assert np.allclose(predictions.times[0], [0.0, 2.54])


def test_the_input_is_not_changed() -> None:
    x = WEARER.x.copy()
    RECOGNISER.predict(x, 50)
    assert x.tobytes() == WEARER.x.tobytes()


def test_the_result_is_a_sequence_with_columns() -> None:
    predictions = RECOGNISER.predict(WEARER.x, 50, labels=names_of(WEARER))
    n = len(predictions)
    assert [p.label for p in predictions] == list(predictions.labels)
    assert predictions.times.shape == (n, 2)
    assert predictions.probs.shape == (n, 6)
    assert np.array_equal(predictions.probs.max(axis=1), predictions.confidences.astype(np.float32))
    assert predictions[-1].t_end_s == predictions.times[-1, 1]
    assert len(predictions[1:3]) == 2
    assert predictions[:0].times.shape == (0, 2)
    assert repr(predictions[:0]) == "<Predictions of uci_kinet: none>"
    assert repr(predictions).startswith(f"<Predictions of uci_kinet: {n} windows, 0.00 to ")
    columns = predictions.to_dict()
    assert json.loads(json.dumps(columns, allow_nan=False)) == columns
    assert list(columns)[:6] == ["t_start_s", "t_end_s", "label", "confidence", "subnet", "truth"]
    assert [f"p_{name}" for name in RECOGNISER.labels] == list(columns)[6:]
    assert {len(column) for column in columns.values()} == {n}
    assert polars.DataFrame(columns).shape == (n, 12)


def test_without_pandas_to_pandas_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    predictions = RECOGNISER.predict(WEARER.x, 50)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackage, match="pip install pandas"):
        predictions.to_pandas()


def test_a_pandas_frame_goes_in_and_a_frame_of_predictions_comes_out() -> None:
    frame = pandas.DataFrame(frame_of(WEARER).to_dict(as_series=False))
    predictions = RECOGNISER.predict(frame, subnet=SUBNET)
    expected = RECOGNISER.predict(WEARER.x, 50, channels=WEARER.channels, subnet=SUBNET)
    assert predictions.labels == expected.labels
    table = predictions.to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert table["label"].tolist() == list(predictions.labels)
    assert table["confidence"].tolist() == pytest.approx(predictions.confidences.tolist())
    assert len(table) == len(predictions)


@pytest.mark.parametrize("name", list_models())
def test_every_bundled_model_describes_itself_and_accepts_its_own_channels(name: str) -> None:
    recogniser = kinestream.load(name)
    assert repr(recogniser).startswith(f"<kinestream model {name}: {len(recogniser.labels)} activities, ")
    still = np.tile([0.0, 0.0, STANDARD_GRAVITY, 0.0, 0.0, 0.0][: len(recogniser.channels)], (400, 1))
    assert len(recogniser.predict(still, recogniser.input.fs_hz)) > 0


def test_a_model_is_loaded_from_a_file_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(list_models()["uci_kinet"].read_bytes())
    assert kinestream.load(path).name == kinestream.load(str(path)).name == "uci_kinet"
    with pytest.raises(ModelError, match=r"did you mean '?uci_kinet"):
        kinestream.load("uci_kinett")
    with pytest.raises(ModelError, match="expected the name of a bundled model"):
        kinestream.load(5)  # type: ignore[arg-type]


def test_the_front_is_ordered_by_energy() -> None:
    energies = [point.energy_mj for point in RECOGNISER.front]
    assert energies == sorted(energies)


X = WEARER.x[:500]
FRAME = frame_of(WEARER)[:500]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (X[:100], {}, r"no whole window in 100 samples at 50 Hz \(2 s\); uci_kinet needs 2.56 s"),
        (X[:0], {}, "hold no samples; uci_kinet needs at least 2.56 s"),
        (X[:, 0], {}, r"1 dimensions, shape \(500,\); expected \(n, 6\): a row per sample, .* reshape"),
        (X[None], {}, r"3 dimensions, shape \(1, 500, 6\).* pass one recording, not windows of it"),
        (X[:, :3], {}, r"3 columns, shape \(500, 3\); uci_kinet reads .*acc_x, .*gyro_z; name the columns"),
        (X.T, {}, r"500 columns.* looks transposed: pass data.T"),
        (X[:, :3], {"channels": ACC}, "needs gyro_x, gyro_y, gyro_z; channels names acc_x, acc_y, acc_z: add"),
        (X, {"channels": ["acc_x", "acc_y", "acc_z", "gyr_x", "gyro_y", "gyro_z"]}, "'gyr_x' is unknown .*'gyro_x'"),
        (X, {"channels": "acc_x"}, "channels is the text 'acc_x'; expected a list of names"),
        (X, {"channels": [*ACC, *ACC]}, "name a column twice"),
        (X, {"channels": ACC}, "6 columns.*channels names 3: name each column once"),
        (X.astype(str), {}, r"<U\d+ values, e.g. .*; expected numbers"),
        ([["a", "b"]] * 10, {}, "values, e.g. 'a'; expected numbers"),
        ([[1.0, 2.0], [3.0]], {}, "rows of different lengths"),
        (X > 0, {}, "bool values"),
        (np.array([[object()] * 6] * 500), {}, "the data: not numbers"),
        ("walk.csv", {}, "data is the text 'walk.csv'; expected samples: read the file first"),
        (X * np.nan, {}, "every sample holds a NaN"),
        (FRAME.drop("acc_y"), {}, "needs acc_y; the columns are time, acc_x, acc_z.*rename the columns"),
        (FRAME.rename({"gyro_x": "Gyro_x"}), {}, r"needs gyro_x; .*\(did you mean 'Gyro_x'\?\)"),
        (FRAME.with_columns(acc_x=polars.lit("still")), {}, "column acc_x: .*expected numbers"),
        (FRAME, {"channels": ACC}, "a table names its own: leave channels out"),
        (
            {"acc_x": [1.0], "acc_y": [1.0, 2.0], "acc_z": [1.0], **{name: [1.0] for name in GYRO}},
            {},
            "differ in shape",
        ),
        (X, {"fs_hz": 0}, "fs_hz is 0; expected the sampling rate in Hz"),
        (X, {"fs_hz": "50"}, "fs_hz is '50'; expected the sampling rate in Hz"),
        (X, {"fs_hz": math.nan}, "fs_hz is nan"),
        (X, {"fs_hz": 20}, "20 Hz"),
        (X, {"time": np.arange(499) / 50}, "expected 500 times in seconds, or dates"),
        (X, {"time": "time"}, "time is 'time', which is not a column"),
        (X, {"time": np.arange(500) * 20.0}, "rises by 20 s a sample; .*it looks like ms: divide by 1000"),
        (X, {"time": np.zeros(500)}, "time rises in 0 of 499 steps"),
        (X, {"time": np.arange(500)[::-1] / 50}, "time rises in 0 of 499 steps"),
        (X, {"time": np.arange(500) / 100, "fs_hz": 50}, "fs_hz is 50, but time rises at 100 Hz"),
        (X, {"labels": ["walking"]}, "1 labels for 500 samples"),
        (X, {"labels": [3] * 500}, "label 3 is not a name"),
        (X, {"labels": "activity"}, "labels is 'activity', which is not a column"),
        (X, {"subnet": "0.33x-77"}, "no subnetwork 0.33x-77"),
        (X, {"subnet": "wide"}, "write it as WIDTHx-RESOLUTION"),
        (X, {"policy": "nothing_like_it"}, "nothing_like_it"),
        (X, {"policy": "battery", "subnet": SUBNET}, "give one of the two"),
    ],
)
def test_unusable_arguments_are_refused_without_naming_command_line_options(
    data: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(KinestreamError, match=message) as caught:
        RECOGNISER.predict(data, **options)
    assert isinstance(caught.value, (InputMismatch, ConfigError))
    assert "--" not in str(caught.value)


def test_unusable_samples_are_dropped_and_noticed() -> None:
    x = WEARER.x.copy()
    x[300:303] = np.nan
    predictions = RECOGNISER.predict(x, 50)
    assert "3 samples with NaN, infinite or impossible values dropped" in predictions.notices
    assert "3 samples with NaN" in repr(predictions)


def test_for_a_recording_full_of_gaps_the_error_explains_the_missing_windows() -> None:
    time = np.arange(500) / 50 + np.arange(500) // 100
    with pytest.raises(InputMismatch, match=r"no whole window in 500 .*\(4 gaps no window spans\).*fill its gaps"):
        RECOGNISER.predict(X, time=time)


def test_values_in_other_units_raise_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"the acceleration looks like g: .*multiply it by 9.80665"):
        RECOGNISER.predict(WEARER.x / np.array([STANDARD_GRAVITY] * 3 + [1.0] * 3, np.float32), 50)
    with pytest.warns(UserWarning, match="the angular rate looks like degrees per second"):
        RECOGNISER.predict(WEARER.x * np.array([1.0] * 3 + [180 / math.pi] * 3, np.float32), 50)


def test_without_a_name_the_model_fits_the_sensor_and_its_place() -> None:
    assert kinestream.load().name == choose_model(ACC, None).name
    hand = kinestream.load(channels=[*ACC, *GYRO], fs_hz=25, worn="wrist")
    assert hand.name == "watch"
    assert hand.reason == "the source offers an accelerometer and a gyroscope at 25 Hz, worn at the wrist"
    assert kinestream.load("watch").reason == ""
    phone = kinestream.load(fs_hz=20, worn="pocket")
    assert phone.predict(WEARER.x[:, :3], WEARER.fs_hz).model == phone.name


def test_a_description_of_the_sensor_beside_a_named_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="model watch is named, so channels, fs_hz and worn choose nothing"):
        kinestream.load("watch", worn="wrist")
    with pytest.raises(InputMismatch, match="no bundled model fits"):
        kinestream.load(fs_hz=5)
    with pytest.raises(ConfigError, match="unknown place"):
        kinestream.load(worn="knee")


def test_conclusions_are_those_of_the_command_line() -> None:
    recogniser = kinestream.load("uci_kinet")
    person = simulate(seed=3, duration_s=40)
    plain = recogniser.predict(person.x, fs_hz=50, channels=person.channels)
    concluded = recogniser.predict(person.x, fs_hz=50, channels=person.channels, smooth=True, unknown_below=0.9)
    session = kinestream.build_run(
        kinestream.RunOptions(
            "wearer://?seed=3&speed=max", model="uci_kinet", limit_s=40, policy="fixed", smooth=True, unknown_below=0.9
        )
    )
    shown: list[Prediction] = []
    session.subscribe(on_prediction=shown.append)
    asyncio.run(session.run())
    assert concluded.labels == tuple(p.conclusion.label for p in shown if p.conclusion)
    assert concluded.confidences.tolist() == [p.conclusion.confidence for p in shown if p.conclusion]
    assert [p.probs.tobytes() for p in plain] == [p.probs.tobytes() for p in concluded]
    assert "unknown" in concluded.labels
