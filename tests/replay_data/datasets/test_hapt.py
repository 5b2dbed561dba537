"""HAPT in the layout of its authors, and the real recordings if they are available."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY, UNLABELLED
from kinestream.replay_data.datasets.check_dataset import count_windows
from kinestream.replay_data.datasets.hapt import LABEL_NAMES, OFFICIAL_TEST_SUBJECTS, open_hapt


@pytest.fixture
def copy_dir(tmp_path: Path) -> Path:
    """Two recordings of 400 samples."""
    raw = tmp_path / "RawData"
    raw.mkdir()
    for stem, level in (("exp01_user01", 1.0), ("exp02_user01", 0.5)):
        rows = [f"{level:.16f} {i / 1000:.16f} -0.25" for i in range(400)]
        (raw / f"acc_{stem}.txt").write_text("\n".join(rows) + "\n")
        (raw / f"gyro_{stem}.txt").write_text("\n".join("0.5 1e-05 -1" for _ in rows) + "\n")
    (raw / "labels.txt").write_text("1 1 5 1 150\n1 1 7 151 200\n2 1 6 300 400\n")
    return tmp_path


def test_samples_come_in_si_units_at_fifty_hertz(copy_dir: Path) -> None:
    first, second = open_hapt(copy_dir)
    assert (first.name, first.subject, first.channels, first.fs_hz) == ("exp01_user01", "1", (*ACC, *GYRO), 50.0)
    np.testing.assert_allclose(first.x[3], [9.80665, 0.003 * STANDARD_GRAVITY, -0.25 * STANDARD_GRAVITY, 0.5, 1e-5, -1])
    assert second.x[0, 0] == pytest.approx(STANDARD_GRAVITY / 2)
    assert first.t[[0, 1, 399]].tolist() == [0.0, 0.02, 7.98]
    assert (first.x.dtype, first.t.dtype, first.segments) == (np.float32, np.float64, ((0, 400),))


def test_label_ranges_count_from_one_and_include_the_last_sample(copy_dir: Path) -> None:
    first, second = open_hapt(copy_dir)
    assert first.labels is not None
    assert second.labels is not None
    assert first.labels[[0, 149, 150, 199, 200]].tolist() == [4, 4, 6, 6, UNLABELLED]
    assert LABEL_NAMES[first.labels[150]] == "stand_to_sit"
    assert second.labels[[298, 299, 399]].tolist() == [UNLABELLED, 5, 5]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("0.1 x 0.3\n", "row 401, column 2"),
        ("0.1 0.2\n", "columns changed from 3 to 2 at row 401"),
        ("0.1 nan 0.3\n", "row 401 is not finite"),
        ("0.1 0.2 0.3\n", "401 rows of acceleration, 400 of angular rate"),
    ],
)
def test_a_damaged_row_is_named(copy_dir: Path, damage: str, message: str) -> None:
    with (copy_dir / "RawData" / "acc_exp01_user01.txt").open("a") as file:
        file.write(damage)
    with pytest.raises(DataDamaged, match=message):
        open_hapt(copy_dir)[0]


def test_a_label_beyond_the_recording_is_refused(copy_dir: Path) -> None:
    (copy_dir / "RawData" / "labels.txt").write_text("1 1 5 1 401\n")
    with pytest.raises(DataDamaged, match="from sample 1 to 401"):
        open_hapt(copy_dir)[0]


def test_the_original_has_the_published_number_of_windows(data_dir: Path) -> None:
    dataset = open_hapt(data_dir)
    assert (len(dataset), len(dataset.subjects)) == (61, 30)
    samples = windows = 0
    for recording in dataset:
        samples += len(recording)
        windows += count_windows(recording, 128, 64)
    assert (samples, windows) == (1_122_772, 10_929)


def test_the_test_subjects_have_nineteen_recordings(data_dir: Path) -> None:
    test_set = open_hapt(data_dir).select(OFFICIAL_TEST_SUBJECTS)
    assert set(test_set.subjects) == set(OFFICIAL_TEST_SUBJECTS)
    assert len(test_set) == 19
