"""The Parquet tables of SisFall, UMAFall, MobiFall and the windows of WISDM v1.1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import ACC
from kinestream.replay_data.datasets import elsewhere
from kinestream.replay_data.datasets.check_dataset import check_dataset
from kinestream.replay_data.datasets.elsewhere import COLUMNS, FACTS
from kinestream.replay_data.datasets.registry import DATASETS, open_dataset
from kinestream.replay_data.datasets.trial_postures import RULES

ROWS = [
    ("01/phone", "walk_1", 0.00, 1, 2, 3, "walking"),
    ("01/phone", "walk_1", 0.02, 1, 2, 4, "walking"),
    ("01/phone", "walk_2", 10.02, 1, 2, 5, "fall"),
    ("02/waist", "walk_2", 0.00, 4, 5, 6, "jogging"),
    ("02/waist", "walk_2", 0.02, 4, 5, 7, "jogging"),
    ("01/waist", "walk_1", 0.00, 7, 8, 9, "walking"),
]


def written(folder: Path, rows=ROWS, columns=COLUMNS, name="umafall") -> Path:
    """The folder with a table of these rows."""
    path = folder / "elsewhere" / FACTS[name].file_name
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))), path)
    return folder


def test_each_subject_is_a_recording_and_each_trial_a_segment(tmp_path):
    dataset = open_dataset("umafall", written(tmp_path))
    assert [(entry.name, entry.subject) for entry in dataset.entries] == [
        ("01_phone", "01/phone"),
        ("02_waist", "02/waist"),
        ("01_waist", "01/waist"),
    ]
    first = dataset[0]
    assert (first.channels, first.fs_hz, first.segments) == (ACC, 50.0, ((0, 2), (2, 3)))
    assert first.x.tolist() == [[1, 2, 3], [1, 2, 4], [1, 2, 5]]
    assert first.t.tolist() == [0.0, 0.02, 10.02]
    assert [first.label_names[code] for code in first.labels] == ["walking", "walking", "fall"]
    assert dataset[2].x.tolist() == [[7, 8, 9]]


def test_rows_of_a_subject_may_lie_apart_in_the_file(tmp_path):
    mixed = [ROWS[0], ROWS[3], ROWS[1], ROWS[4], ROWS[2]]
    apart = open_dataset("umafall", written(tmp_path, mixed))
    assert [entry.subject for entry in apart.entries] == ["01/phone", "02/waist"]
    assert apart[0].t.tolist() == [0.0, 0.02, 10.02]
    assert apart[0].segments == ((0, 2), (2, 3))


def test_irregular_times_are_tidied_and_counted(tmp_path):
    times = [0.0, 0.011, 0.011, 0.005, 0.03, 2.0]
    rows = [("1", "a", t, i, 0, 9.8, "standing") for i, t in enumerate(times)]
    (recording,) = open_dataset("mobifall", written(tmp_path, rows, name="mobifall"))
    assert recording.t.tolist() == [0.0, 0.011, 0.03, 2.0]
    assert recording.segments == ((0, 3), (3, 4))
    assert recording.repairs == {"repeated_time": 1, "out_of_order": 1, "gap": 1}


def test_the_table_is_read_once_per_process_and_again_if_it_changes(tmp_path, monkeypatch):
    reads = []
    monkeypatch.setattr(elsewhere, "_columns", lambda path, read=elsewhere._columns: reads.append(path) or read(path))
    for _ in range(3):
        assert len(list(open_dataset("umafall", written(tmp_path) if not reads else tmp_path))) == 3
    assert len(reads) == 1
    written(tmp_path, ROWS[:3])
    assert len(open_dataset("umafall", tmp_path)) == 1
    assert len(reads) == 2


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([row[:-1] for row in ROWS], COLUMNS[:-1], "has no column 'label'; expected a Parquet file with the columns"),
        ([*ROWS, (*ROWS[0][:6], "rowing")], COLUMNS, "has the label 'rowing'; expected walking, jogging"),
        ([*ROWS, (*ROWS[0][:5], float("nan"), "fall")], COLUMNS, r"not finite in row 7, column 'acc_z \(m/s\^2\)'"),
        ([*ROWS, (*ROWS[0][:6], None)], COLUMNS, "lacks 1 values in column 'label'"),
        ([(*row[:2], str(row[2]), *row[3:]) for row in ROWS], COLUMNS, "has string in column 'time'; expected numbers"),
        ([(7, *row[1:]) for row in ROWS], COLUMNS, "has int64 in column 'subject'; expected text"),
    ],
)
def test_a_table_that_violates_the_format_is_refused(tmp_path, rows, columns, message):
    with pytest.raises(DataDamaged, match=message):
        open_dataset("umafall", written(tmp_path, rows, columns))


def test_a_file_that_is_cut_off_empty_or_no_parquet_is_refused(tmp_path):
    path = written(tmp_path) / "elsewhere" / "umafall.parquet"
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"subject,trial\n1,2\n"):
        path.write_bytes(content)
        with pytest.raises(DataDamaged, match=r"umafall.parquet cannot be read .* expected a Parquet file"):
            open_dataset("umafall", tmp_path)
    pq.write_table(pq.read_table(written(tmp_path) / "elsewhere" / "umafall.parquet").slice(0, 0), path)
    with pytest.raises(DataDamaged, match="has no rows"):
        open_dataset("umafall", tmp_path)


@pytest.mark.parametrize("name", FACTS)
def test_the_recorded_table_is_sound_and_complete(name, data_dir):
    report = check_dataset(DATASETS[name], data_dir)
    assert (report.problems, report.notes) == ([], [])
    assert set(report.labels) == set(FACTS[name].label_names)
    assert report.labelled_share == 1.0 or name in RULES


@pytest.mark.parametrize("name", FACTS)
def test_the_nominal_rate_is_the_rate_of_the_samples(name, data_dir):
    recording = open_dataset(name, data_dir)[0]
    steps = [np.diff(recording.t[start:stop]) for start, stop in recording.segments]
    assert 1 / np.mean(np.concatenate(steps)) == pytest.approx(recording.fs_hz, rel=0.1)
    gravity = np.median(np.linalg.norm(recording.x, axis=1))
    assert 8 < gravity < 13


def trial(activity: str, still_s: tuple[float, float], label: str = "fall") -> list[tuple]:
    """Twelve seconds at 50 Hz of a sensor at the waist that moves except between these times."""
    t = np.arange(600) / 50
    moves = (t < still_s[0]) | (t > still_s[1])
    acc = 9.8 + 4 * np.sin(12 * t) * moves
    return [("01/waist", activity, time, 0.0, value, 0.0, label) for time, value in zip(t, acc, strict=True)]


@pytest.mark.parametrize(
    ("activity", "still_s", "expected"),
    [
        ("forwardFall_1", (7.5, 12), {"fall", "lying", None}),
        ("Hopping_1", (1, 5), {"other", None}),
        ("Hopping_1", (1, 3), {"other"}),
        ("OpeningDoor_2", (0, 12), {"standing"}),
        ("Bending_1", (0, 12), {None}),
    ],
    ids=["lying after a fall", "stillness between hops", "a short pause", "standing at a door", "no rule"],
)
def test_the_labels_within_trials_follow_the_protocol(tmp_path, activity, still_s, expected):
    label = "fall" if "Fall" in activity else "other"
    dataset = open_dataset("umafall", written(tmp_path, trial(activity, still_s, label)))
    codes = set(dataset[0].labels.tolist())
    assert {dataset.label_names[code] if code >= 0 else None for code in codes} == expected


def test_the_end_of_walking_is_no_posture(tmp_path):
    dataset = open_dataset("umafall", written(tmp_path, trial("Walking_1", (7, 12), "walking")))
    assert set(dataset[0].labels.tolist()) == {dataset.label_names.index("walking")}
