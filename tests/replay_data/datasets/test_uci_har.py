"""UCI-HAR in the exact layout of its authors, cut from a stream that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinestream.core.errors import DataDamaged, DataMissing
from kinestream.core.signals import ACC, BODY_ACC, GYRO, STANDARD_GRAVITY
from kinestream.replay_data.datasets.check_dataset import count_windows
from kinestream.replay_data.datasets.uci_har import open_uci_har, overlapping_runs, stitch

STEMS = ("body_acc", "body_gyro", "total_acc")


def cut(stream: np.ndarray) -> np.ndarray:
    return np.stack([stream[start : start + 128] for start in range(0, len(stream) - 127, 64)])


def write_split(folder: Path, split: str, windows: np.ndarray, subjects: list[int], labels: list[int]) -> None:
    signals = folder / split / "Inertial Signals"
    signals.mkdir(parents=True)
    (folder / split / f"subject_{split}.txt").write_text("".join(f"{one}\n" for one in subjects))
    (folder / split / f"y_{split}.txt").write_text("".join(f"{one}\n" for one in labels))
    for s, stem in enumerate(STEMS):
        for a, axis in enumerate("xyz"):
            rows = windows[:, :, 3 * s + a]
            text = "".join("".join(f" {value: .7e}" for value in row) + "\n" for row in rows)
            (signals / f"{stem}_{axis}_{split}.txt").write_text(text)


@pytest.fixture
def streams() -> list[np.ndarray]:
    """Three streams: of subject 1 walking, of subject 1 standing, of subject 2 walking."""
    rng = np.random.default_rng(0)
    return [np.round(rng.normal(size=(n, 9)), 6) for n in (320, 192, 256)]


@pytest.fixture
def made(tmp_path: Path, streams: list[np.ndarray]) -> Path:
    folder = tmp_path / "UCI HAR Dataset"
    pieces = [cut(stream) for stream in streams[:2]]
    write_split(folder, "train", np.concatenate(pieces), [1] * 6, [1] * 4 + [5] * 2)
    write_split(folder, "test", cut(streams[2]), [2] * 3, [1] * 3)
    return tmp_path


def test_overlapping_windows_become_the_stream_they_were_cut_from(made: Path, streams: list[np.ndarray]) -> None:
    one, two = open_uci_har(made)
    assert (one.name, two.name) == ("train_user01", "test_user02")
    assert one.channels == (*BODY_ACC, *GYRO, *ACC)
    to_si = np.array([STANDARD_GRAVITY] * 3 + [1] * 3 + [STANDARD_GRAVITY] * 3)
    np.testing.assert_allclose(one.x, np.concatenate(streams[:2]) * to_si, rtol=1e-6)
    np.testing.assert_allclose(two.x, streams[2] * to_si, rtol=1e-6)


def test_windows_that_do_not_overlap_start_a_segment_of_their_own(made: Path) -> None:
    one = open_uci_har(made)[0]
    assert one.segments == ((0, 320), (320, 512))
    assert one.labels is not None
    assert [one.label_names[code] for code in one.labels[[0, 319, 320, 511]]] == ["walking"] * 2 + ["standing"] * 2
    steps = np.diff(one.t)
    assert steps[319] > 1.0
    np.testing.assert_allclose(np.delete(steps, 319), 0.02)


def test_the_windows_can_be_cut_again(made: Path) -> None:
    assert [count_windows(one, 128, 64) for one in open_uci_har(made)] == [6, 3]


def test_one_value_that_differs_keeps_two_windows_apart(streams: list[np.ndarray]) -> None:
    windows = cut(streams[0])
    assert overlapping_runs(windows) == [(0, 4)]
    np.testing.assert_array_equal(stitch(windows), streams[0])
    windows[2, 5, 8] += 1e-6
    assert overlapping_runs(windows) == [(0, 2), (2, 4)]


def test_a_file_with_a_row_too_few_is_refused(made: Path) -> None:
    path = made / "UCI HAR Dataset/train/Inertial Signals/body_gyro_y_train.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(DataDamaged, match=r"body_gyro_y_train\.txt .* 5 rows; expected 6"):
        open_uci_har(made)[0]


def test_a_row_cut_short_is_refused(made: Path) -> None:
    path = made / "UCI HAR Dataset/train/Inertial Signals/body_gyro_y_train.txt"
    path.write_text(path.read_text()[:-40])
    with pytest.raises(DataDamaged, match=r"body_gyro_y_train\.txt"):
        open_uci_har(made)[0]


def test_the_features_alone_are_not_the_dataset(data_dir: Path) -> None:
    with pytest.raises(DataMissing, match="Inertial Signals"):
        open_uci_har(data_dir / "UCI HAR Dataset")


def test_the_original_subjects_and_labels_load_with_signals_of_their_length(data_dir: Path, tmp_path: Path) -> None:
    counts = {}
    for split in ("train", "test"):
        source = data_dir / "UCI HAR Dataset" / split
        subjects, labels = (np.loadtxt(source / f"{name}_{split}.txt", int) for name in ("subject", "y"))
        counts[split] = len(subjects)
        constant = np.arange(len(subjects), dtype=float)[:, None, None] * np.ones((1, 128, 9))
        few = np.flatnonzero(np.isin(subjects, [1, 2]))
        write_split(tmp_path, split, constant[few], subjects[few].tolist(), labels[few].tolist())
    assert counts == {"train": 7352, "test": 2947}
    dataset = open_uci_har(tmp_path)
    assert [entry.name for entry in dataset.entries] == ["train_user01", "test_user02"]
    assert sum(count_windows(one, 128, 64) for one in dataset) == 347 + 302
