"""UniMiB-SHAR in the exact layout of its authors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from kinestream.core.errors import DataDamaged, DataMissing
from kinestream.core.signals import ACC
from kinestream.replay_data.datasets.check_dataset import count_windows
from kinestream.replay_data.datasets.unimib import LABEL_NAMES, open_unimib, open_unimib_falls51


@pytest.fixture
def copy_dir(tmp_path: Path) -> Path:
    """Four windows of two people; each value encodes its window, axis and sample."""
    data = tmp_path / "UniMiB-SHAR" / "data"
    data.mkdir(parents=True)
    window, axis, sample = np.meshgrid(np.arange(4), np.arange(3), np.arange(151), indexing="ij")
    savemat(data / "acc_data.mat", {"acc_data": (window * 1000.0 + axis * 200 + sample).reshape(4, 453)})
    labels = np.array([[1, 1, 1], [3, 2, 1], [3, 1, 1], [17, 1, 2]], np.uint8)
    savemat(data / "acc_labels.mat", {"acc_labels": labels}, do_compression=True)
    return tmp_path


def test_each_window_is_a_segment_of_its_own_with_its_axes_side_by_side(copy_dir: Path) -> None:
    first, second = open_unimib(copy_dir)
    assert (first.subject, second.subject, first.channels, first.fs_hz) == ("1", "2", ACC, 50.0)
    assert first.segments == ((0, 151), (151, 302), (302, 453))
    assert first.x[[0, 150, 151, 452]].tolist() == [
        [0, 200, 400],
        [150, 350, 550],
        [2000, 2200, 2400],
        [3150, 3350, 3550],
    ]
    assert second.x[7].tolist() == [1007, 1207, 1407]
    assert count_windows(first, 151, 151) == 3


def test_labels_follow_the_windows(copy_dir: Path) -> None:
    recording = open_unimib(copy_dir)[0]
    assert recording.labels is not None
    names = [recording.label_names[code] for code in recording.labels[[0, 151, 302]]]
    assert names == ["sit_to_stand", "walking", "falling_left"]


def test_the_times_have_a_gap_between_two_windows(copy_dir: Path) -> None:
    recording = open_unimib(copy_dir)[0]
    steps = np.diff(recording.t)
    assert (np.flatnonzero(steps > 1.0) + 1).tolist() == [151, 302]
    np.testing.assert_allclose(steps[steps < 1.0], 0.02)


def test_a_matrix_of_another_shape_is_refused(copy_dir: Path) -> None:
    savemat(copy_dir / "UniMiB-SHAR/data/acc_data.mat", {"acc_data": np.zeros((4, 450))})
    with pytest.raises(DataDamaged, match=r"is \(4, 450\); expected \(4, 453\)"):
        open_unimib(copy_dir)[0]


def test_a_truncated_file_is_refused(copy_dir: Path) -> None:
    path = copy_dir / "UniMiB-SHAR/data/acc_data.mat"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataDamaged, match="not a valid MATLAB file with 'acc_data'"):
        open_unimib(copy_dir)[0]


def test_a_file_of_another_format_is_refused(copy_dir: Path) -> None:
    (copy_dir / "UniMiB-SHAR/data/acc_labels.mat").write_bytes(b"<html>not found</html>" * 20)
    with pytest.raises(DataDamaged, match="not a valid MATLAB file with 'acc_labels'"):
        open_unimib(copy_dir)


def test_the_original_label_file_loads(data_dir: Path, tmp_path: Path) -> None:
    labels = data_dir / "UniMiB-SHAR/data/acc_labels.mat"
    if not labels.is_file():
        pytest.skip("no acc_labels.mat")
    with pytest.raises(DataMissing, match="data fetch unimib"):
        open_unimib(data_dir)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/acc_labels.mat").write_bytes(labels.read_bytes())
    savemat(tmp_path / "data/acc_data.mat", {"acc_data": np.zeros((11_771, 453), np.int8)})
    dataset = open_unimib(tmp_path)
    assert (len(dataset), sum(len(recording.segments) for recording in dataset)) == (30, 11_771)
    first = dataset[0]
    assert first.labels is not None
    assert set(np.unique(first.labels)) <= set(range(len(LABEL_NAMES)))


def test_fall_windows_are_assigned_to_the_subjects_of_the_label_file(data_dir: Path) -> None:
    dataset = open_unimib_falls51(data_dir)
    people = list(dataset)
    assert [recording.subject for recording in people] == [str(number) for number in range(1, 31)]
    assert sum(recording.repairs.get("repeated_window", 0) for recording in people) == 940
    rows = np.concatenate([recording.x.reshape(-1, 153) for recording in people])
    assert len(rows) == len(np.unique(rows, axis=0)) == 4170 - 940
    assert np.median(np.linalg.norm(people[0].x, axis=1)) == pytest.approx(9.8, abs=1.5)


def test_no_fall_is_shared_by_two_people(data_dir: Path) -> None:
    """Two windows with forty consecutive samples in common come from recording fall."""
    subjects_by_stretch: dict[bytes, set[str]] = {}
    for recording in open_unimib_falls51(data_dir):
        for window in recording.x.reshape(-1, 51, 3):
            for start in range(12):
                subjects_by_stretch.setdefault(window[start : start + 40].tobytes(), set()).add(recording.subject)
    assert {len(subjects) for subjects in subjects_by_stretch.values()} == {1}


def test_falls_that_do_not_match_their_labels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data/split/split51").mkdir(parents=True)
    cells = np.empty((8, 1), object)
    for code in range(8):
        cells[code, 0] = np.zeros((10, 153))
    savemat(tmp_path / "data/split/split51/fall_splitted_data5_folds.mat", {"splitted_data": cells})
    labels = np.repeat(np.arange(1, 9), 9)[:, None] * [1, 0, 0] + [0, 1, 1]
    savemat(tmp_path / "data/fall_labels.mat", {"fall_labels": labels})
    with pytest.raises(DataDamaged, match=r"holds .*; expected \[\(5, 153\)"):
        open_unimib_falls51(tmp_path)[0]
