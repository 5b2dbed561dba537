"""WISDM 2019: files ordered by activity, two sensors on one device clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import ACC, GYRO
from kinestream.replay_data.datasets.wisdm_2019 import LABEL_NAMES, LETTERS, open_wisdm_2019

STEP_NS = 50_000_000


def rows(letter: str, start_ns: int, values: np.ndarray, user: int = 1600) -> str:
    lines = (f"{user},{letter},{start_ns + i * STEP_NS},{x},{2 * x},{3 * x};" for i, x in enumerate(values.tolist()))
    return "\n".join(lines) + "\n"


def write(folder: Path, device: str, sensor: str, text: str, user: int = 1600) -> None:
    path = folder / "wisdm-dataset" / "raw" / device / sensor / f"data_{user}_{sensor}_{device}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    (folder / "wisdm-dataset" / "activity_key.txt").write_text("walking = A\n")


@pytest.fixture
def copy_dir(tmp_path: Path) -> Path:
    """A watch whose gyroscope reads half a step after its accelerometer, jogging recorded an hour before walking."""
    ramp = np.arange(100) / 10
    for sensor, offset in (("accel", 0), ("gyro", STEP_NS // 2)):
        text = rows("A", 90_000 * 10**9 + offset, ramp) + rows("B", 86_400 * 10**9 + offset, ramp)
        write(tmp_path, "watch", sensor, text)
    write(tmp_path, "phone", "accel", rows("A", 10**12, ramp))
    return tmp_path


def test_angular_rate_is_interpolated_to_the_times_of_acceleration(copy_dir: Path) -> None:
    (recording,) = open_wisdm_2019(copy_dir)
    assert (recording.name, recording.subject, recording.channels, recording.fs_hz) == (
        "1600_watch",
        "1600",
        (*ACC, *GYRO),
        20.0,
    )
    # The first sample of each activity lies before the gyroscope's first reading.
    assert (len(recording), recording.repairs) == (198, {"no_gyro": 2})
    np.testing.assert_allclose(recording.x[:, 3:], recording.x[:, :3] - np.array([0.05, 0.1, 0.15]), atol=1e-5)


def test_each_activity_is_a_segment_even_if_its_time_jumps_back(copy_dir: Path) -> None:
    (recording,) = open_wisdm_2019(copy_dir)
    assert recording.segments == ((0, 99), (99, 198))
    assert recording.labels is not None
    assert [LABEL_NAMES[code] for code in recording.labels[[0, 98, 99, 197]]] == ["walking"] * 2 + ["jogging"] * 2
    assert recording.t[99] < recording.t[98]
    for start, stop in recording.segments:
        np.testing.assert_allclose(np.diff(recording.t[start:stop]), 0.05)


def test_a_phone_without_a_gyroscope_file_has_only_acceleration(copy_dir: Path) -> None:
    (recording,) = open_wisdm_2019(copy_dir, "phone")
    assert (recording.dataset, recording.name, recording.channels, len(recording)) == (
        "wisdm2019-phone",
        "1600_phone",
        ACC,
        100,
    )


def test_angular_rate_is_not_interpolated_over_a_pause_of_the_gyroscope(tmp_path: Path) -> None:
    ramp = np.arange(100) / 10
    write(tmp_path, "watch", "accel", rows("A", 10**12, ramp))
    write(tmp_path, "watch", "gyro", rows("A", 10**12, ramp[:30]) + rows("A", 10**12 + 70 * STEP_NS, ramp[70:]))
    (recording,) = open_wisdm_2019(tmp_path)
    assert recording.repairs == {"no_gyro": 40, "gap": 1}
    assert recording.segments == ((0, 30), (30, 60))
    np.testing.assert_allclose(recording.x[:, 3:], recording.x[:, :3], atol=1e-5)


def test_a_gap_over_a_second_starts_a_segment_and_is_counted(tmp_path: Path) -> None:
    ramp = np.arange(50) / 10
    write(tmp_path, "phone", "accel", rows("S", 10**12, ramp) + rows("S", 10**12 + 10**11, ramp))
    (recording,) = open_wisdm_2019(tmp_path, "phone")
    assert (recording.segments, recording.repairs) == (((0, 50), (50, 100)), {"gap": 1})


def test_every_letter_but_n_is_a_label() -> None:
    assert (len(LETTERS), len(LABEL_NAMES), ord("N") in LETTERS) == (18, 18, False)
    assert LABEL_NAMES[LETTERS.index(b"O")] == "catching"
    assert LABEL_NAMES[LETTERS.index(b"S")] == "folding_clothes"


def test_a_copy_without_the_device_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "phone", "accel", rows("A", 10**12, np.ones(5)))
    with pytest.raises(DataDamaged, match="nothing in raw/watch/accel"):
        open_wisdm_2019(tmp_path)


@pytest.mark.parametrize(("device", "people", "channels"), [("watch", 30, 6), ("phone", 16, 3)])
def test_the_original_loads_completely(data_dir: Path, device, people: int, channels: int) -> None:
    dataset = open_wisdm_2019(data_dir, device)
    assert len(dataset) == people
    recording = dataset[0]
    assert recording.labels is not None
    assert (len(recording.channels), len(np.unique(recording.labels)), len(recording.segments)) == (channels, 18, 18)
    assert sum(recording.repairs.values()) < 0.001 * len(recording)
    assert recording.duration_s == pytest.approx(18 * 180, rel=0.01)
