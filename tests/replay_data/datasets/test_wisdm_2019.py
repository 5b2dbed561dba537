"""WISDM 2019: files ordered by activity, two sensors with clocks of one device."""

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
def made(tmp_path: Path) -> Path:
    """A watch whose gyroscope reads half a step after its accelerometer, jogging recorded an hour before walking."""
    ramp = np.arange(100) / 10
    for sensor, offset in (("accel", 0), ("gyro", STEP_NS // 2)):
        text = rows("A", 90_000 * 10**9 + offset, ramp) + rows("B", 86_400 * 10**9 + offset, ramp)
        write(tmp_path, "watch", sensor, text)
    write(tmp_path, "phone", "accel", rows("A", 10**12, ramp))
    return tmp_path


def test_angular_rate_is_interpolated_to_the_times_of_acceleration(made: Path) -> None:
    (one,) = open_wisdm_2019(made)
    assert (one.name, one.subject, one.channels, one.fs_hz) == ("1600_watch", "1600", (*ACC, *GYRO), 20.0)
    # The first sample of each activity lies before the gyroscope's first reading.
    assert (len(one), one.repairs) == (198, {"no_gyro": 2})
    np.testing.assert_allclose(one.x[:, 3:], one.x[:, :3] - np.array([0.05, 0.1, 0.15]), atol=1e-5)


def test_each_activity_is_a_segment_though_its_time_jumps_back(made: Path) -> None:
    (one,) = open_wisdm_2019(made)
    assert one.segments == ((0, 99), (99, 198))
    assert one.labels is not None
    assert [LABEL_NAMES[code] for code in one.labels[[0, 98, 99, 197]]] == ["walking"] * 2 + ["jogging"] * 2
    assert one.t[99] < one.t[98]
    for start, stop in one.segments:
        np.testing.assert_allclose(np.diff(one.t[start:stop]), 0.05)


def test_a_phone_without_a_gyroscope_file_has_acceleration_alone(made: Path) -> None:
    (one,) = open_wisdm_2019(made, "phone")
    assert (one.dataset, one.name, one.channels, len(one)) == ("wisdm2019-phone", "1600_phone", ACC, 100)


def test_no_rate_is_made_up_where_the_gyroscope_paused(tmp_path: Path) -> None:
    ramp = np.arange(100) / 10
    write(tmp_path, "watch", "accel", rows("A", 10**12, ramp))
    write(tmp_path, "watch", "gyro", rows("A", 10**12, ramp[:30]) + rows("A", 10**12 + 70 * STEP_NS, ramp[70:]))
    (one,) = open_wisdm_2019(tmp_path)
    assert one.repairs == {"no_gyro": 40, "gap": 1}
    assert one.segments == ((0, 30), (30, 60))
    np.testing.assert_allclose(one.x[:, 3:], one.x[:, :3], atol=1e-5)


def test_a_gap_over_a_second_starts_a_segment_and_is_counted(tmp_path: Path) -> None:
    ramp = np.arange(50) / 10
    write(tmp_path, "phone", "accel", rows("S", 10**12, ramp) + rows("S", 10**12 + 10**11, ramp))
    (one,) = open_wisdm_2019(tmp_path, "phone")
    assert (one.segments, one.repairs) == (((0, 50), (50, 100)), {"gap": 1})


def test_every_letter_but_n_is_a_label() -> None:
    assert (len(LETTERS), len(LABEL_NAMES), ord("N") in LETTERS) == (18, 18, False)
    assert LABEL_NAMES[LETTERS.index(b"O")] == "catching"
    assert LABEL_NAMES[LETTERS.index(b"S")] == "folding_clothes"


def test_a_copy_without_the_device_says_so(tmp_path: Path) -> None:
    write(tmp_path, "phone", "accel", rows("A", 10**12, np.ones(5)))
    with pytest.raises(DataDamaged, match="nothing in raw/watch/accel"):
        open_wisdm_2019(tmp_path)


@pytest.mark.parametrize(("device", "people", "channels"), [("watch", 30, 6), ("phone", 16, 3)])
def test_the_original_loads_whole(data_dir: Path, device, people: int, channels: int) -> None:
    dataset = open_wisdm_2019(data_dir, device)
    assert len(dataset) == people
    one = dataset[0]
    assert one.labels is not None
    assert (len(one.channels), len(np.unique(one.labels)), len(one.segments)) == (channels, 18, 18)
    assert sum(one.repairs.values()) < 0.001 * len(one)
    assert one.duration_s == pytest.approx(18 * 180, rel=0.01)
