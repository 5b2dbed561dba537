"""Tables of samples are read, repaired with a count, or refused, but never silently wrong."""

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


def valid_row(i: int) -> str:
    return f"{i * 0.02:.3f},{i / 1000},0.2,9.8"


def write(folder: Path, header: str = HEADER, row: Callable[[int], str] = valid_row, n: int = N) -> Path:
    path = folder / "made.csv"
    path.write_text("\n".join([header, *map(row, range(n))]) + "\n")
    return path


def test_a_plain_file_needs_no_column_map(tmp_path: Path) -> None:
    (recording,) = open_dataset(str(write(tmp_path)))
    assert (recording.dataset, recording.name, recording.subject, recording.fs_hz, recording.channels) == (
        "made.csv",
        "made",
        "made",
        50.0,
        ACC,
    )
    np.testing.assert_allclose(recording.x[5], [0.005, 0.2, 9.8], rtol=1e-6)
    np.testing.assert_allclose(recording.t, np.arange(N) * 0.02, atol=1e-9)
    assert (recording.segments, recording.repairs, recording.labels) == (((0, N),), {}, None)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_common_delimiters_and_a_byte_order_mark_are_accepted(tmp_path: Path, delimiter: str) -> None:
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
def test_the_unit_of_time_is_derived_from_the_median_step(
    tmp_path: Path, stamp: Callable[[int], str], unit: str
) -> None:
    (recording,) = open_table(write(tmp_path, row=lambda i: f"{stamp(i)},0.1,0.2,9.8"))
    assert recording.fs_hz == 50.0, unit
    np.testing.assert_allclose(recording.t, np.arange(N) * 0.02, atol=1e-6)


def test_decimal_commas_of_a_spreadsheet_are_accepted(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(b"\xef\xbb\xbfsep=;\r\n" + path.read_text().translate({44: ";", 46: ",", 10: "\r\n"}).encode())
    (recording,) = open_table(path)
    np.testing.assert_allclose(recording.x[5], [0.005, 0.2, 9.8], rtol=1e-6)
    assert (recording.fs_hz, recording.repairs) == (50.0, {})


def test_mixed_commas_and_points_in_one_column_are_not_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, row=lambda i: "0,060;0.1;0.2;9.8" if i == 3 else valid_row(i).replace(",", ";"))
    path.write_text(path.read_text().replace(HEADER, HEADER.replace(",", ";")))
    assert open_table(path)[0].repairs == {"not_a_number": 1}


def test_comments_above_the_header_are_skipped_but_count_as_lines(tmp_path: Path) -> None:
    irregular = {3: "0.06,0.1", **{i: f"{i * 0.02},0.1,broken,9.8" for i in range(8, N, 8)}}
    path = write(tmp_path, f"# written by a logger, version 3\n#\n{HEADER}")
    assert len(open_table(path)[0]) == N
    path = write(tmp_path, f"# written by a logger, version 3\n#\n{HEADER}", lambda i: irregular.get(i, valid_row(i)))
    with pytest.raises(DataDamaged, match=r"not_a_number 'broken' in line 12, column 'acc_y': 25 of 200 rows"):
        open_table(path)


def test_a_header_that_starts_like_a_comment_is_recognised(tmp_path: Path) -> None:
    assert len(open_table(write(tmp_path, f"# {HEADER}"))[0]) == N


def test_parquet_durations_are_read_as_times(tmp_path: Path) -> None:
    path = tmp_path / "made.parquet"
    t = pa.array([20_000 * i for i in range(N)], pa.duration("us"))
    pq.write_table(pa.table({"time": t, "ax": [0.0] * N, "ay": [0.1] * N, "az": [9.8] * N}), path)
    assert open_table(path)[0].fs_hz == 50.0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (lambda i: f"10:00:{i * 0.02:05.2f},0,0,9.8", r"'10:00:00.00' in line 2.* \(expected a number, or a date such"),
        (lambda i: valid_row(i ^ 3), "sort its rows by time"),
        (lambda i: f"2026-11-22 10:00:{i // 50:02},0,{i / 1000},9.8", "give each sample its own time"),
    ],
)
def test_unusable_times_are_refused_with_advice(tmp_path: Path, row: Callable[[int], str], message: str) -> None:
    with pytest.raises(DataDamaged, match=message):
        open_table(write(tmp_path, row=row))


def test_units_are_converted(tmp_path: Path) -> None:
    path = write(tmp_path, "ts,X,Y,Z,p,q,r", lambda i: f"{i * 20},0.5,0,0.866,180,0,-90")
    (recording,) = open_table(path, ColumnMap.parse("time=ts:ms; acc=X,Y,Z:g; gyro=p,q,r:dps"))
    assert recording.channels == (*ACC, *GYRO)
    expected = [STANDARD_GRAVITY / 2, 0, 0.866 * STANDARD_GRAVITY, np.pi, 0, -np.pi / 2]
    np.testing.assert_allclose(recording.x[0], expected, rtol=1e-6)


def test_the_unit_of_acceleration_is_derived_from_gravity(tmp_path: Path) -> None:
    (recording,) = open_table(write(tmp_path, row=lambda i: f"{i * 0.02:.3f},0,0.6,0.8"))
    np.testing.assert_allclose(recording.x[0], [0, 0.6 * STANDARD_GRAVITY, 0.8 * STANDARD_GRAVITY], rtol=1e-6)


def test_assumed_units_appear_in_a_notice(tmp_path: Path) -> None:
    path = write(tmp_path, "time,ax,ay,az,gx,gy,gz", lambda i: f"{i * 20},0,0.6,0.8,0,0,1")
    (notice,) = open_table(path).select(["made"]).notices
    assert "assuming time in ms, acceleration in g, angular rate in rad/s" in notice
    columns = ColumnMap.parse("time=time:ms; acc=ax,ay,az:g; gyro=gx,gy,gz:rad/s")
    assert open_table(path, columns).notices == ()


def test_labels_get_their_common_names_and_each_subject_a_recording(tmp_path: Path) -> None:
    names = ["WALKING_UPSTAIRS", "Laying", "", "jogging"]
    path = write(tmp_path, f"{HEADER},activity,user", lambda i: f"{valid_row(i)},{names[i // 50]},{'ab'[i // 100]}")
    a, b = open_table(path)
    assert (a.name, a.subject, b.subject, len(a), len(b)) == ("made_a", "a", "b", 100, 100)
    assert a.label_names == ("jogging", "lying", "walking_upstairs")
    assert a.labels is not None
    assert b.labels is not None
    assert a.labels[[0, 50]].tolist() == [2, 1]
    assert b.labels[[0, 50]].tolist() == [UNLABELLED, 0]
    assert canonical_label("StandToSit") == "stand_to_sit"


def test_a_rate_replaces_a_missing_time_column(tmp_path: Path) -> None:
    path = write(tmp_path, "acc_x,acc_y,acc_z", lambda i: "0.1,oops,9.8" if i == 10 else "0.1,0.2,9.8")
    (recording,) = open_table(path, ColumnMap(rate_hz=25))
    assert (recording.fs_hz, len(recording), recording.repairs) == (25, N - 1, {"not_a_number": 1})
    # The skipped row leaves a gap in time.
    np.testing.assert_allclose(recording.t[[9, 10]], [9 / 25, 11 / 25])


def test_each_kind_of_unusable_row_is_skipped_and_counted(tmp_path: Path) -> None:
    irregular = {
        3: "0.060,0.1,x,9.8",
        5: "0.100,,0.2,9.8",
        7: "0.140,0.1,nan,9.8",
        8: "0.160,0.1,0.2,-inf",
        11: "0.220,0.1",
        13: "0.260,0.1,0.2,9.8,7",
        15: "",
    }
    (recording,) = open_table(write(tmp_path, row=lambda i: irregular.get(i, valid_row(i))))
    assert recording.repairs == {"not_a_number": 1, "missing_value": 1, "not_finite": 2, "short_row": 2}
    assert len(recording) == N - len(irregular)
    np.testing.assert_allclose(recording.t[:4], [0, 0.02, 0.04, 0.08])


def test_too_many_unusable_rows_are_refused_naming_the_first(tmp_path: Path) -> None:
    irregular = {0: "", 1: "0.02,0.1", **{i: f"{i * 0.02},0.1,broken,9.8" for i in range(9, N, 8)}}
    with pytest.raises(DataDamaged, match=r"not_a_number 'broken' in line 11, column 'acc_y': 25 of 199 rows"):
        open_table(write(tmp_path, row=lambda i: irregular.get(i, valid_row(i))))


def test_steps_back_in_time_and_gaps_are_dropped_or_cut_and_counted(tmp_path: Path) -> None:
    def stamp(i: int) -> float:
        return i * 0.02 + (60 if i >= 100 else 0) - (100 if i >= 150 else 0) - (0.5 if i == 40 else 0)

    (recording,) = open_table(write(tmp_path, row=lambda i: f"{stamp(i):.3f},0.1,0.2,9.8"))
    assert recording.repairs == {"out_of_order": 1, "gap": 1, "time_jumped_back": 1}
    assert recording.segments == ((0, 99), (99, 149), (149, 199))


@pytest.mark.parametrize(
    ("mapping", "header", "row", "message"),
    [
        ("rate=100", HEADER, valid_row, "declared as 100 Hz, but its times .* come at 50 Hz"),
        ("time=time:ms", HEADER, lambda i: f"{i * 20},0,0,9.8", None),
        ("rate=50; time=time:s", HEADER, lambda i: f"{i * 20},0,0,9.8", "declared as 50 Hz, .* come at 0.05 Hz"),
        ("acc=acc_x,acc_y,acc_z:g", HEADER, valid_row, "it would fit m/s"),
        ("", HEADER, lambda i: f"{i * 0.02},0.1,0.1,0.05", "give the unit .* and columns that include gravity"),
        ("", "t,gx,gy,gz", lambda i: f"{i * 0.02},{i},0,0", "faster than a person can turn"),
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


def test_time_that_does_not_advance_is_refused(tmp_path: Path) -> None:
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


def test_a_truncated_csv_file_loses_only_its_last_row(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:-12])
    (recording,) = open_table(path)
    assert (len(recording), recording.repairs) == (N - 1, {"short_row": 1})


def test_two_columns_with_one_name_are_refused(tmp_path: Path) -> None:
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
    (recording,) = open_dataset(str(path))
    assert (recording.fs_hz, len(recording), recording.repairs, recording.label_names) == (
        50.0,
        N - 1,
        {"missing_value": 1},
        ("walking",),
    )
    np.testing.assert_allclose(recording.t, np.arange(N - 1) * 0.02, atol=1e-9)
    np.testing.assert_allclose(recording.x[0], [0.1, 0.2, 9], rtol=1e-6)


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "made.parquet"
    pq.write_table(pa.table({"t": [1.0], "ax": [1.0], "ay": [1.0], "az": [1.0]}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataDamaged, match="check that it is complete"):
        open_table(path)


def test_a_flipped_bit_in_a_parquet_page_with_a_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "made.parquet"
    t = np.arange(2000) / 50
    pq.write_table(pa.table({"t": t, "ax": t, "ay": t, "az": t + 9.8}), path, write_page_checksum=True)
    damaged = bytearray(path.read_bytes())
    damaged[4000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DataDamaged, match="CRC"):
        open_dataset(str(path))[0]


def test_a_missing_file_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"no file .*nothing\.csv"):
        open_dataset(str(tmp_path / "nothing.csv"))


def test_a_short_row_below_a_comment_is_counted_and_the_others_keep_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path, f"# written by a logger\n{HEADER}", row=lambda i: "1,2" if i == N - 1 else valid_row(i))
    assert open_table(path)[0].repairs == {"short_row": 1}


def test_a_short_row_that_is_not_text_is_not_lost_in_silence(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes() + b"\xff\n")
    with pytest.raises(DataDamaged, match="in UTF-8"):
        open_table(path)
