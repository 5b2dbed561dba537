"""WISDM v1.1 in the exact layout of its raw file, with every known kind of irregular row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import ACC
from kinestream.replay_data.datasets.wisdm_rows import read_records
from kinestream.replay_data.datasets.wisdm_v11 import LABEL_NAMES, MARKER, open_wisdm

FIRST_ROWS = """\
33,Jogging,49105962326000,-0.6946377,12.680544,0.50395286;
33,Jogging,49106062271000,5.012288,11.264028,0.95342433;
33,Jogging,49106112167000,4.903325,10.882658,-0.08172209;
33,Jogging,49106222305000,-0.61291564,18.496431,3.0237172;
"""
"""The first rows of the real file."""
STEP_NS = 50_000_000


def run(user: int, activity: str, start_ns: int, n: int, x: float = 1.0) -> str:
    """``n`` valid rows."""
    return "".join(f"{user},{activity},{start_ns + i * STEP_NS},{x + i / 100},9.5,0.25;\n" for i in range(n))


def opened(folder: Path, text: str):
    (folder / MARKER).write_text(text)
    return open_wisdm(folder)


def test_the_first_rows_of_the_real_file_load(tmp_path: Path) -> None:
    (recording,) = opened(tmp_path, FIRST_ROWS)
    assert (recording.dataset, recording.name, recording.subject, recording.channels, recording.fs_hz) == (
        "wisdm",
        "user33",
        "33",
        ACC,
        20.0,
    )
    np.testing.assert_allclose(recording.x[0], [-0.6946377, 12.680544, 0.50395286], rtol=1e-6)
    np.testing.assert_allclose(recording.t, [0, 0.099945, 0.149841, 0.259979])
    assert recording.labels is not None
    assert (recording.label_names[recording.labels[0]], recording.segments, recording.repairs) == (
        "jogging",
        ((0, 4),),
        {},
    )


def test_every_activity_has_its_common_name(tmp_path: Path) -> None:
    spellings = ("Walking", "Jogging", "Upstairs", "Downstairs", "Sitting", "Standing")
    text = "".join(run(1, name, (i + 1) * 10**12, 2) for i, name in enumerate(spellings))
    (recording,) = opened(tmp_path, text)
    assert recording.labels is not None
    assert [LABEL_NAMES[code] for code in recording.labels[::2]] == [
        "walking",
        "jogging",
        "walking_upstairs",
        "walking_downstairs",
        "sitting",
        "standing",
    ]


@pytest.mark.parametrize(
    ("odd", "repairs", "extra_rows"),
    [
        ("11,Walking,1867172313000,4.4,4.4,\n", {"missing_value": 1}, 0),
        ("11,Walking,1867172313000,0.65,9.51,5.13,;\n", {"trailing_comma": 1}, 1),
        ("11,Walking,0,0,0,0.0;\n", {"zero_time": 1}, 0),
        ("11,Walking,1867172313000,1,2,3;11,Walking,1867222313000,4,5,6;\n", {"joined_line": 1}, 2),
        ("\n\n\n", {}, 0),
        ("11,Walking,1867172313000,1,2,3\n", {}, 1),
        ("11,Walking,1867172313000,1,2.3.4,3;\n", {"not_a_number": 1}, 0),
        ("11,Walking,1867172313000,1,zwei,3;\n", {"not_a_number": 1}, 0),
        ("11,Walking,1867172313000,1,2,3,4;\n", {"extra_value": 1}, 0),
        ("11,Rowing,1867172313000,1,2,3;\n", {"unknown_activity": 1}, 0),
        ("11,Walking,18671", {"missing_value": 1}, 0),
        ("11,Walking,1867172313000,1,2,3;\r\n", {}, 1),
        ("11,Walking,1867172313000,1e-2,-.5,+3.;\n", {}, 1),
    ],
)
def test_each_irregular_row_is_repaired_or_skipped_and_counted(odd: str, repairs: dict, extra_rows: int) -> None:
    start, end = 1_866_172_313_000, 1_868_172_313_000
    text = run(11, "Walking", start, 20) + odd
    text += "" if not odd.endswith("\n") else run(11, "Walking", end, 20)
    rows = read_records(text.encode(), {b"Walking": 0, b"Jogging": 1}, "made")
    assert rows.repairs == repairs
    assert len(rows.t_ns) == (40 if odd.endswith("\n") else 20) + extra_rows


def test_a_repaired_row_keeps_its_place_and_its_values() -> None:
    text = (
        run(21, "Walking", 10**12, 3)
        + "21,Walking,1000150000000,0.65,9.51,5.13,;\n"
        + run(21, "Walking", 2 * 10**12, 3)
    )
    rows = read_records(text.encode(), {b"Walking": 0}, "made")
    np.testing.assert_allclose(rows.xyz[3], [0.65, 9.51, 5.13], rtol=1e-6)
    assert rows.t_ns[3] == 1_000_150_000_000


def test_repeated_and_undated_rows_are_dropped(tmp_path: Path) -> None:
    odd = (
        "15,Jogging,728142284000,13.14,-10.34,-2.9147544;\n"
        + "15,Jogging,728192638000,12.11,-7.93,3.5276701;\n" * 3
        + "15,Jogging,0,0,0,0.0;\n15,Jogging,0,0,0,0.14982383;\n"
        + "15,Jogging,728362224000,-0.11,14.02,0.14982383;\n" * 3
        + "15,Jogging,728582835000,0.11,6.59,-3.9499009;\n" * 2
        + "15,Jogging,728632548000,4.4,17.08,5.134871;\n15,Jogging,728682262000,19.57,19.57,-8.19945;\n"
    )
    (recording,) = opened(tmp_path, odd + run(15, "Jogging", 728_732_000_000, 100))
    assert recording.repairs == {"zero_time": 2, "repeated_row": 5}
    assert (len(recording), recording.segments) == (106, ((0, 106),))
    np.testing.assert_allclose(recording.t[:3], [0, 0.050354, 0.21994], atol=1e-6)


def test_a_repeated_time_with_other_values_counts_separately(tmp_path: Path) -> None:
    odd = "3,Walking,8948102277000,1,2,3;\n3,Walking,8948102277000,4,5,6;\n"
    (recording,) = opened(tmp_path, run(3, "Walking", 8_947_102_277_000, 20) + odd)
    assert recording.repairs["repeated_time"] == 1
    assert recording.x[-1].tolist() == [1, 2, 3]


def test_a_late_row_is_dropped_and_a_jump_starts_a_segment(tmp_path: Path) -> None:
    late = f"3,Walking,{10**12 + 18 * STEP_NS},1,2,3;\n"
    text = (
        run(3, "Walking", 10**12, 20)
        + late
        + run(3, "Walking", 10**12 + 20 * STEP_NS, 20)
        + run(3, "Sitting", 10**11, 9)
    )
    (recording,) = opened(tmp_path, text)
    assert recording.repairs == {"out_of_order": 1, "time_jumped_back": 1}
    assert recording.segments == ((0, 40), (40, 49))


def test_mixed_rows_of_several_people_are_separated(tmp_path: Path) -> None:
    text = (
        run(33, "Jogging", 10**12, 30) + run(17, "Walking", 10**12, 20) + run(33, "Walking", 2 * 10**12, 10) + "17,Wal"
    )
    dataset = opened(tmp_path, text)
    assert [(entry.name, entry.subject) for entry in dataset.entries] == [("user17", "17"), ("user33", "33")]
    assert [len(recording) for recording in dataset] == [20, 40]
    assert sum(recording.repairs.get("missing_value", 0) for recording in dataset) == 1


def test_a_file_with_mostly_unusable_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataDamaged, match="30 of 50 rows cannot be used"):
        opened(tmp_path, run(1, "Walking", 10**12, 20) + "1;2;3;4;5;6\n" * 5)
    with pytest.raises(DataDamaged, match="no rows"):
        opened(tmp_path, "\n")
