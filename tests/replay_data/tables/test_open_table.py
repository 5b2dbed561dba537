"""Any table of samples: read, repaired and counted, or refused; never wrong in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kinestream.core.errors import ConfigError, DataDamaged, DataMissing
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY, UNLABELLED
from kinestream.replay_data.datasets.registry import open_dataset
from kinestream.replay_data.tables.column_map import ColumnMap
from kinestream.replay_data.tables.open_table import canonical_label, open_table

N = 200
HEADER = "time,acc_x,acc_y,acc_z"


def sound(i: int) -> str:
    return f"{i * 0.02:.3f},{i / 1000},0.2,9.8"


def write(folder: Path, header: str = HEADER, row: Callable[[int], str] = sound, n: int = N) -> Path:
    path = folder / "made.csv"
    path.write_text("\n".join([header, *map(row, range(n))]) + "\n")
    return path


def test_a_plain_file_needs_no_explanation(tmp_path: Path) -> None:
    (one,) = open_dataset(str(write(tmp_path)))
    assert (one.dataset, one.name, one.subject, one.fs_hz, one.channels) == ("made.csv", "made", "made", 50.0, ACC)
    np.testing.assert_allclose(one.x[5], [0.005, 0.2, 9.8], rtol=1e-6)
    np.testing.assert_allclose(one.t, np.arange(N) * 0.02, atol=1e-9)
    assert (one.segments, one.repairs, one.labels) == (((0, N),), {}, None)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_usual_delimiter_and_a_byte_order_mark_are_understood(tmp_path: Path, delimiter: str) -> None:
    path = write(tmp_path)
    path.write_text("\ufeff" + path.read_text().replace(",", delimiter))
    assert len(open_table(path)[0]) == N


@pytest.mark.parametrize(
    ("stamp", "unit"),
    [
        (lambda i: f"{i * 20}", "ms"),
        (lambda i: f"{1_700_000_000_000 + i * 20}", "ms since 1970"),
        (lambda i: f"{i * 20_000}", "us"),
        (lambda i: f"{90_426_708_196_641 + i * 20_000_000}", "ns"),
        (lambda i: f"2026-11-22 10:00:{i // 50:02}.{i % 50 * 20:03}", "date"),
        (lambda i: f"2026-11-22T10:00:{i // 50:02}.{i % 50 * 20:03}000500Z", "date with nanoseconds and a zone"),
    ],
)
def test_the_unit_of_time_follows_from_the_step(tmp_path: Path, stamp: Callable[[int], str], unit: str) -> None:
    (one,) = open_table(write(tmp_path, row=lambda i: f"{stamp(i)},0.1,0.2,9.8"))
    assert one.fs_hz == 50.0, unit
    np.testing.assert_allclose(one.t, np.arange(N) * 0.02, atol=1e-6)


def test_decimal_commas_of_a_spreadsheet_are_understood(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(b"\xef\xbb\xbfsep=;\r\n" + path.read_text().translate({44: ";", 46: ",", 10: "\r\n"}).encode())
    (one,) = open_table(path)
    np.testing.assert_allclose(one.x[5], [0.005, 0.2, 9.8], rtol=1e-6)
    assert (one.fs_hz, one.repairs) == (50.0, {})


def test_commas_and_points_in_one_column_are_no_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, row=lambda i: "0,060;0.1;0.2;9.8" if i == 3 else sound(i).replace(",", ";"))
    path.write_text(path.read_text().replace(HEADER, HEADER.replace(",", ";")))
    assert open_table(path)[0].repairs == {"not_a_number": 1}


def test_comments_above_the_header_are_passed_over_and_lines_still_counted_from_the_top(tmp_path: Path) -> None:
    odd = {3: "0.06,0.1", **{i: f"{i * 0.02},0.1,broken,9.8" for i in range(8, N, 8)}}
    path = write(tmp_path, f"# written by a logger, version 3\n#\n{HEADER}")
    assert len(open_table(path)[0]) == N
    path = write(tmp_path, f"# written by a logger, version 3\n#\n{HEADER}", lambda i: odd.get(i, sound(i)))
    with pytest.raises(DataDamaged, match=r"not_a_number 'broken' in line 12, column 'acc_y': 25 of 200 rows"):
        open_table(path)


def test_a_header_that_begins_like_a_comment_is_the_header(tmp_path: Path) -> None:
    assert len(open_table(write(tmp_path, f"# {HEADER}"))[0]) == N


def test_durations_of_parquet_are_times(tmp_path: Path) -> None:
    path = tmp_path / "made.parquet"
    t = pa.array([20_000 * i for i in range(N)], pa.duration("us"))
    pq.write_table(pa.table({"time": t, "ax": [0.0] * N, "ay": [0.1] * N, "az": [9.8] * N}), path)
    assert open_table(path)[0].fs_hz == 50.0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (lambda i: f"10:00:{i * 0.02:05.2f},0,0,9.8", r"'10:00:00.00' in line 2.* \(expected a number, or a date such"),
        (lambda i: sound(i ^ 3), "sort its rows by time"),
        (lambda i: f"2026-11-22 10:00:{i // 50:02},0,{i / 1000},9.8", "give each sample a time of its own"),
    ],
)
def test_times_that_cannot_be_used_are_refused_with_what_to_do(
    tmp_path: Path, row: Callable[[int], str], message: str
) -> None:
    with pytest.raises(DataDamaged, match=message):
        open_table(write(tmp_path, row=row))


def test_units_are_converted(tmp_path: Path) -> None:
    path = write(tmp_path, "ts,X,Y,Z,p,q,r", lambda i: f"{i * 20},0.5,0,0.866,180,0,-90")
    (one,) = open_table(path, ColumnMap.parse("time=ts:ms; acc=X,Y,Z:g; gyro=p,q,r:dps"))
    assert one.channels == (*ACC, *GYRO)
    expected = [STANDARD_GRAVITY / 2, 0, 0.866 * STANDARD_GRAVITY, np.pi, 0, -np.pi / 2]
    np.testing.assert_allclose(one.x[0], expected, rtol=1e-6)


def test_gravity_tells_the_unit_of_acceleration(tmp_path: Path) -> None:
    (one,) = open_table(write(tmp_path, row=lambda i: f"{i * 0.02:.3f},0,0.6,0.8"))
    np.testing.assert_allclose(one.x[0], [0, 0.6 * STANDARD_GRAVITY, 0.8 * STANDARD_GRAVITY], rtol=1e-6)


def test_units_that_nobody_said_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, "time,ax,ay,az,gx,gy,gz", lambda i: f"{i * 20},0,0.6,0.8,0,0,1")
    (notice,) = open_table(path).select(["made"]).notices
    assert "taken for time in ms, acceleration in g, angular rate in rad/s" in notice
    said = ColumnMap.parse("time=time:ms; acc=ax,ay,az:g; gyro=gx,gy,gz:rad/s")
    assert open_table(path, said).notices == ()


def test_labels_get_their_common_names_and_subjects_a_recording_each(tmp_path: Path) -> None:
    names = ["WALKING_UPSTAIRS", "Laying", "", "jogging"]
    path = write(tmp_path, f"{HEADER},activity,user", lambda i: f"{sound(i)},{names[i // 50]},{'ab'[i // 100]}")
    a, b = open_table(path)
    assert (a.name, a.subject, b.subject, len(a), len(b)) == ("made_a", "a", "b", 100, 100)
    assert a.label_names == ("jogging", "lying", "walking_upstairs")
    assert a.labels is not None
    assert b.labels is not None
    assert a.labels[[0, 50]].tolist() == [2, 1]
    assert b.labels[[0, 50]].tolist() == [UNLABELLED, 0]
    assert canonical_label("StandToSit") == "stand_to_sit"


def test_a_rate_stands_in_for_a_missing_time_column(tmp_path: Path) -> None:
    path = write(tmp_path, "acc_x,acc_y,acc_z", lambda i: "0.1,oops,9.8" if i == 10 else "0.1,0.2,9.8")
    (one,) = open_table(path, ColumnMap(rate_hz=25))
    assert (one.fs_hz, len(one), one.repairs) == (25, N - 1, {"not_a_number": 1})
    # The row that was skipped leaves its hole in time.
    np.testing.assert_allclose(one.t[[9, 10]], [9 / 25, 11 / 25])


def test_each_kind_of_unusable_row_is_skipped_and_counted(tmp_path: Path) -> None:
    odd = {
        3: "0.060,0.1,x,9.8",
        5: "0.100,,0.2,9.8",
        7: "0.140,0.1,nan,9.8",
        8: "0.160,0.1,0.2,-inf",
        11: "0.220,0.1",
        13: "0.260,0.1,0.2,9.8,7",
        15: "",
    }
    (one,) = open_table(write(tmp_path, row=lambda i: odd.get(i, sound(i))))
    assert one.repairs == {"not_a_number": 1, "missing_value": 1, "not_finite": 2, "short_row": 2}
    assert len(one) == N - len(odd)
    np.testing.assert_allclose(one.t[:4], [0, 0.02, 0.04, 0.08])


def test_too_many_unusable_rows_name_the_first(tmp_path: Path) -> None:
    odd = {0: "", 1: "0.02,0.1", **{i: f"{i * 0.02},0.1,broken,9.8" for i in range(9, N, 8)}}
    with pytest.raises(DataDamaged, match=r"not_a_number 'broken' in line 11, column 'acc_y': 25 of 199 rows"):
        open_table(write(tmp_path, row=lambda i: odd.get(i, sound(i))))


def test_time_that_goes_back_or_jumps_is_cut_or_dropped_and_counted(tmp_path: Path) -> None:
    def stamp(i: int) -> float:
        return i * 0.02 + (60 if i >= 100 else 0) - (100 if i >= 150 else 0) - (0.5 if i == 40 else 0)

    (one,) = open_table(write(tmp_path, row=lambda i: f"{stamp(i):.3f},0.1,0.2,9.8"))
    assert one.repairs == {"out_of_order": 1, "gap": 1, "time_jumped_back": 1}
    assert one.segments == ((0, 99), (99, 149), (149, 199))


@pytest.mark.parametrize(
    ("mapping", "header", "row", "message"),
    [
        ("rate=100", HEADER, sound, "declared as 100 Hz, but its times .* come at 50 Hz"),
        ("time=time:ms", HEADER, lambda i: f"{i * 20},0,0,9.8", None),
        ("rate=50; time=time:s", HEADER, lambda i: f"{i * 20},0,0,9.8", "declared as 50 Hz, .* come at 0.05 Hz"),
        ("acc=acc_x,acc_y,acc_z:g", HEADER, sound, "it would fit m/s"),
        ("", HEADER, lambda i: f"{i * 0.02},0.1,0.1,0.05", "give the unit .* and columns that include gravity"),
        ("", "t,gx,gy,gz", lambda i: f"{i * 0.02},{i},0,0", "faster than anybody turns"),
        ("", HEADER, lambda i: f"{i},0,0,9.8", "fits no unit between 5 and 500 Hz"),
        ("", "time,acc_x,acc_y", lambda i: f"{i * 0.02},0,9.8", "no acc column for z"),
    ],
)
def test_a_wrong_unit_or_rate_is_refused(tmp_path: Path, mapping: str, header: str, row, message: str | None) -> None:
    path = write(tmp_path, header, row)
    if message is None:
        assert open_table(path, ColumnMap.parse(mapping))[0].fs_hz == 50.0
    else:
        with pytest.raises(ConfigError, match=message):
            open_table(path, ColumnMap.parse(mapping))


def test_time_that_stands_still_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataDamaged, match="time never rises"):
        open_table(write(tmp_path, row=lambda i: "5,0.1,0.2,9.8"))
    with pytest.raises(DataDamaged, match="repeated_time"):
        open_table(write(tmp_path, row=lambda i: f"{i // 10 * 0.2},{i},0.2,9.8", n=20))


@pytest.mark.parametrize("content", [b"", b"\n", HEADER.encode() + b"\n", HEADER.encode() + b"\n\xff\xfe\x00,1,2,3\n"])
def test_an_empty_or_garbled_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "made.csv"
    path.write_bytes(content)
    with pytest.raises(DataDamaged, match=r"made\.csv"):
        open_table(path)


def test_a_csv_cut_short_loses_only_its_last_row(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:-12])
    (one,) = open_table(path)
    assert (len(one), one.repairs) == (N - 1, {"short_row": 1})


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataDamaged, match="more than one column 'acc_x'"):
        open_table(write(tmp_path, "time,acc_x,acc_x,acc_z"))


def test_parquet_keeps_types_nulls_and_dates(tmp_path: Path) -> None:
    path = tmp_path / "made.parquet"
    table = pa.table(
        {
            "timestamp": pa.array(np.arange(N) * 20_000_000 + 1_700_000_000_000_000_000, pa.timestamp("ns", "UTC")),
            "ax": np.full(N, 0.1, np.float32),
            "ay": pa.array([None, *[0.2] * (N - 1)]),
            "az": np.full(N, 9, np.int16),
            "label": pa.array(["Walking"] * N).dictionary_encode(),
        }
    )
    pq.write_table(table, path)
    (one,) = open_dataset(str(path))
    assert (one.fs_hz, len(one), one.repairs, one.label_names) == (50.0, N - 1, {"missing_value": 1}, ("walking",))
    np.testing.assert_allclose(one.t, np.arange(N - 1) * 0.02, atol=1e-9)
    np.testing.assert_allclose(one.x[0], [0.1, 0.2, 9], rtol=1e-6)


def test_a_parquet_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "made.parquet"
    pq.write_table(pa.table({"t": [1.0], "ax": [1.0], "ay": [1.0], "az": [1.0]}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataDamaged, match="is it whole"):
        open_table(path)


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"no file .*nothing\.csv"):
        open_dataset(str(tmp_path / "nothing.csv"))
