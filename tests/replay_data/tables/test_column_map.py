"""Column maps: common names, the command line's notation, and refusals."""

from __future__ import annotations

import pytest

from kinestream.core.errors import ConfigError
from kinestream.replay_data.tables.column_map import ColumnMap

PHYPHOX = tuple(f"Acceleration {axis} (m/s^2)" for axis in "xyz")
PHONE = tuple(f"rotationRate{axis}" for axis in "XYZ")
IN_G = ("acc_x_g", "acc_y_g", "acc_z_g")
IN_SIGNS = (*(f"acc_{axis} (m/s²)" for axis in "xyz"), *(f"gyro_{axis} [°/s]" for axis in "xyz"))
IN_DPS = ("gyro_x_dps", "gyro_y_dps", "gyro_z_dps")


@pytest.mark.parametrize(
    ("header", "resolved"),
    [
        (["t", "ax", "ay", "az"], ColumnMap("t", acc=("ax", "ay", "az"))),
        (["seq", "time", "gx", "gy", "gz"], ColumnMap("time", gyro=("gx", "gy", "gz"))),
        (["time_ms", *reversed(IN_G)], ColumnMap("time_ms", "ms", acc=IN_G, acc_unit="g")),
        (["Time (s)", *PHYPHOX], ColumnMap("Time (s)", "s", acc=PHYPHOX, acc_unit="m/s^2")),
        (
            ["t [ms]", *IN_SIGNS],
            ColumnMap("t [ms]", "ms", acc=IN_SIGNS[:3], acc_unit="m/s^2", gyro=IN_SIGNS[3:], gyro_unit="dps"),
        ),
        (["t_us", *IN_DPS], ColumnMap("t_us", "us", gyro=IN_DPS, gyro_unit="dps")),
        (
            ["timestamp_ns", *PHONE, "Activity", "User"],
            ColumnMap("timestamp_ns", "ns", gyro=PHONE, label="Activity", subject="User"),
        ),
    ],
)
def test_common_column_names_need_no_map(header: list[str], resolved: ColumnMap) -> None:
    assert ColumnMap().resolve(header, "made.csv") == resolved


def test_a_map_is_parsed_from_one_line() -> None:
    columns = ColumnMap.parse("time=my ts:us; acc=a,b,c:mg; gyro=d,e,f:dps; label=what; subject=who; rate=52.5")
    assert columns == ColumnMap("my ts", "us", 52.5, ("a", "b", "c"), "mg", ("d", "e", "f"), "dps", "what", "who")
    assert columns.resolve(["who", "what", "f", "e", "d", "c", "b", "a", "my ts"], "made.csv") == columns


def test_given_columns_take_precedence_over_common_names() -> None:
    columns = ColumnMap.parse("time=clock; acc=bx,by,bz:g")
    full = columns.resolve(["time_ms", "clock", "ax", "ay", "az", "bx", "by", "bz"], "made.csv")
    assert (full.time, full.time_unit, full.acc) == ("clock", None, ("bx", "by", "bz"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time=ts:minutes", "time is in 'minutes'; expected one of s, ms, us, ns"),
        ("acc=a,b:g", "acc has the columns a, b; expected three"),
        ("acc=a,b,c:kg", "acc is in 'kg'"),
        ("rate=fast", "rate is 'fast'"),
        ("rate=-3", "rate is -3"),
        ("tiem=ts", "'tiem=ts' in the column mapping"),
        ("label=", "'label=' in the column mapping"),
    ],
)
def test_an_invalid_map_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ColumnMap.parse(text)


@pytest.mark.parametrize(
    ("header", "text", "message"),
    [
        (["t", "ax", "ay"], "", "has ax, ay, but no acc column for z; it has t, ax, ay"),
        (["t", "u", "v"], "", "no column that looks like an accelerometer or gyroscope"),
        (["ax", "ay", "az"], "", "no column that looks like a time"),
        (["t", "ax", "ay", "az"], "label=what", "has no column what; it has t, ax, ay, az"),
    ],
)
def test_a_missing_column_is_named_with_the_existing_ones(header: list[str], text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ColumnMap.parse(text).resolve(header, "made.csv")
