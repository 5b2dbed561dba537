"""The check of a local copy against the published figures."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import ACC
from kinestream.replay_data.datasets.check_dataset import check_dataset, count_windows, problems_of
from kinestream.replay_data.datasets.registry import Published, known_dataset
from kinestream.replay_data.recording import Recording


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """One HAPT recording of two labelled stretches, in an archive."""
    rows = "".join(f"1 {i} 0\n" for i in range(600))
    with zipfile.ZipFile(tmp_path / "hapt.zip", "w") as archive:
        archive.writestr("RawData/labels.txt", "1 1 1 1 256\n1 1 5 257 300\n")
        archive.writestr("RawData/acc_exp01_user01.txt", rows)
        archive.writestr("RawData/gyro_exp01_user01.txt", rows)
    return tmp_path


def published(**figures: int):
    return dataclasses.replace(known_dataset("hapt"), published=Published(1, 1, window=128, hop=64, **figures))


def test_a_copy_with_the_published_figures_is_sound(copy: Path) -> None:
    report = check_dataset(published(samples=600, windows=3), copy)
    assert (report.sound, report.problems) == (True, [])
    assert (report.recordings, report.subjects, report.samples, report.windows) == (1, 1, 600, 3)
    assert report.labels == {"walking": 256, "standing": 44}
    assert report.labelled_share == 0.5
    assert report.hours == pytest.approx(12 / 3600)


def test_a_copy_with_other_figures_is_not_sound(copy: Path) -> None:
    report = check_dataset(published(samples=601, windows=4), copy)
    assert report.problems == ["600 samples; expected 601", "3 windows; expected 4"]


def test_a_copy_with_fewer_people_is_sound_with_a_note(copy: Path) -> None:
    report = check_dataset(known_dataset("hapt"), copy)
    assert report.sound
    assert report.notes == ["1 of the 61 recordings, 1 of the 30 people"]


def test_an_archive_that_changed_since_it_was_fetched_is_refused(copy: Path) -> None:
    (copy / "hapt.zip.sha256").write_text("0" * 64 + "  hapt.zip\n")
    with pytest.raises(DataDamaged, match="has the SHA-256"):
        check_dataset(known_dataset("hapt"), copy)


def test_faults_of_a_recording_are_named() -> None:
    def recording_of(t: list[float], x: float, label: int) -> Recording:
        n = len(t)
        return Recording(
            "d", "r", "1", 50.0, ACC, np.array(t), np.full((n, 3), x, np.float32), np.full(n, label, np.int16), ("a",)
        )

    assert problems_of(recording_of([0, 0.02, 0.04], 1, 0)) == []
    assert problems_of(recording_of([0, 0.02, 0.02], np.nan, 1)) == [
        "r: values that are not finite",
        "r: time that does not rise",
        "r: labels from 1 to 1, but 1 names",
    ]
    assert problems_of(recording_of([], 1, 0)) == ["r: no samples"]


def test_no_window_is_counted_across_a_label_or_a_segment() -> None:
    labels = np.repeat(np.array([0, 1, -1], np.int16), [300, 200, 500])
    t, x = np.arange(1000) / 50, np.zeros((1000, 3), np.float32)
    recording = Recording("d", "r", "1", 50.0, ACC, t, x, labels, ("a", "b"), ((0, 250), (250, 1000)))
    assert count_windows(recording, 128, 64) == 2 + 0 + 2
    assert count_windows(recording, 0, 0) == 0
