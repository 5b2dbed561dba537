"""UCI-HAR in the exact layout of its authors, cut from known streams."""

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
    (folder / split / f"subject_{split}.txt").write_text("".join(f"{subject}\n" for subject in subjects))
    (folder / split / f"y_{split}.txt").write_text("".join(f"{label}\n" for label in labels))
    for s, stem in enumerate(STEMS):
        for a, axis in enumerate("xyz"):
            rows = windows[:, :, 3 * s + a]
            text = "".join("".join(f" {value: .7e}" for value in row) + "\n" for row in rows)
            (signals / f"{stem}_{axis}_{split}.txt").write_text(text)


@pytest.fixture
def streams() -> list[np.ndarray]:
    """Three streams: subject 1 walking, subject 1 standing, subject 2 walking."""
    rng = np.random.default_rng(0)
    return [np.round(rng.normal(size=(n, 9)), 6) for n in (320, 192, 256)]


@pytest.fixture
def copy_dir(tmp_path: Path, streams: list[np.ndarray]) -> Path:
    folder = tmp_path / "UCI HAR Dataset"
    pieces = [cut(stream) for stream in streams[:2]]
    write_split(folder, "train", np.concatenate(pieces), [1] * 6, [1] * 4 + [5] * 2)
    write_split(folder, "test", cut(streams[2]), [2] * 3, [1] * 3)
    return tmp_path


def test_overlapping_windows_become_the_stream_they_were_cut_from(copy_dir: Path, streams: list[np.ndarray]) -> None:
    first, second = open_uci_har(copy_dir)
    assert (first.name, second.name) == ("train_user01", "test_user02")
    assert first.channels == (*BODY_ACC, *GYRO, *ACC)
    to_si = np.array([STANDARD_GRAVITY] * 3 + [1] * 3 + [STANDARD_GRAVITY] * 3)
    np.testing.assert_allclose(first.x, np.concatenate(streams[:2]) * to_si, rtol=1e-6)
    np.testing.assert_allclose(second.x, streams[2] * to_si, rtol=1e-6)


def test_windows_that_do_not_overlap_start_a_new_segment(copy_dir: Path) -> None:
    recording = open_uci_har(copy_dir)[0]
    assert recording.segments == ((0, 320), (320, 512))
    assert recording.labels is not None
    names = [recording.label_names[code] for code in recording.labels[[0, 319, 320, 511]]]
    assert names == ["walking", "walking", "standing", "standing"]
    steps = np.diff(recording.t)
    assert steps[319] > 1.0
    np.testing.assert_allclose(np.delete(steps, 319), 0.02)


def test_the_stitched_streams_give_the_same_number_of_windows(copy_dir: Path) -> None:
    assert [count_windows(recording, 128, 64) for recording in open_uci_har(copy_dir)] == [6, 3]


def test_one_differing_value_separates_two_windows(streams: list[np.ndarray]) -> None:
    windows = cut(streams[0])
    assert overlapping_runs(windows) == [(0, 4)]
    np.testing.assert_array_equal(stitch(windows), streams[0])
    windows[2, 5, 8] += 1e-6
    assert overlapping_runs(windows) == [(0, 2), (2, 4)]


def test_a_file_with_a_missing_row_is_refused(copy_dir: Path) -> None:
    path = copy_dir / "UCI HAR Dataset/train/Inertial Signals/body_gyro_y_train.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(DataDamaged, match=r"body_gyro_y_train\.txt .* 5 rows; expected 6"):
        open_uci_har(copy_dir)[0]


def test_a_truncated_row_is_refused(copy_dir: Path) -> None:
    path = copy_dir / "UCI HAR Dataset/train/Inertial Signals/body_gyro_y_train.txt"
    path.write_text(path.read_text()[:-40])
    with pytest.raises(DataDamaged, match=r"body_gyro_y_train\.txt"):
        open_uci_har(copy_dir)[0]


def test_a_copy_with_the_features_only_counts_as_missing(data_dir: Path) -> None:
    with pytest.raises(DataMissing, match="Inertial Signals"):
        open_uci_har(data_dir / "UCI HAR Dataset")


def test_the_original_subject_and_label_files_load(data_dir: Path, tmp_path: Path) -> None:
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
    assert sum(count_windows(recording, 128, 64) for recording in dataset) == 347 + 302
