"""Columns and units of LSL streams, from their descriptions and addresses."""

from __future__ import annotations

import math

import pytest

from kinestream.core.errors import InputMismatch
from kinestream.core.signals import ACC, CHANNEL_UNITS, GYRO, STANDARD_GRAVITY
from kinestream.ingest.lsl.columns import Columns, Description
from kinestream.ingest.lsl.units import factor, is_given, plain, quantity_name

G, DEG = STANDARD_GRAVITY, math.pi / 180


@pytest.mark.parametrize(
    ("quantity", "units", "expected"),
    [
        ("m/s^2", ["m/s^2", "m/s2", "m/s²", "M/S^2", "m/s/s", "m.s-2", "m s^-2", "m*s^-2", "m/s**2", "m / s ^ 2"], 1.0),
        ("m/s^2", ["meters/second^2", "metres per second squared", "meter/second/second", "m/sec^2"], 1.0),
        ("m/s^2", ["g", "G", "(g)", "[g]", "gs", "g0"], G),
        ("m/s^2", ["mg", "mG", "milli-g"], G / 1000),
        ("rad/s", ["rad/s", "radians/second", "radians per second", "rad/sec", "rad s^-1"], 1.0),
        ("rad/s", ["deg/s", "dps", "DPS", "°/s", "degrees/second", "degrees per second", "deg/sec", "d/s"], DEG),
        ("rad/s", ["mdps", "mdeg/s"], DEG / 1000),
        ("uT", ["uT", "µT", "\N{GREEK SMALL LETTER MU}T", "microtesla", "microteslas", "MicroTesla"], 1.0),
        ("uT", ["gauss", "G"], 100.0),
        ("uT", ["mG", "mgauss", "milligauss"], 0.1),
        ("uT", ["nT"], 0.001),
    ],
)
def test_units_are_read_as_people_write_them(quantity: str, units: list[str], expected: float) -> None:
    assert {unit: factor(quantity, unit) for unit in units} == pytest.approx(dict.fromkeys(units, expected))


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("microvolts", "an electric potential, such as EEG"),
        ("uV", "an electric potential, such as EEG"),
        ("°C", "a temperature"),
        ("m/s", "a speed"),
        ("furlong", ""),
        ("", ""),
    ],
)
def test_other_units_are_named_by_what_they_measure(unit: str, name: str) -> None:
    assert quantity_name(unit) == name


def test_units_that_say_nothing_are_none() -> None:
    assert not any(map(is_given, ["", " ", "N/A", "none", "unknown"]))
    assert plain("Meters / Second^2") == "m/s^2"


def stream(
    labels: list[str], units: list[str], kind: str = "IMU", channels: int | None = None, *, is_text: bool = False
) -> Description:
    n = max(len(labels), len(units)) if channels is None else channels
    return Description("band", kind, n, 50.0, "id", labels=tuple(labels), units=tuple(units), is_text=is_text)


def columns(described: Description, names: str | None = None, **units: str) -> Columns:
    return Columns.of("lsl://band", described, names.split(",") if names is not None else None, units)


@pytest.mark.parametrize(
    ("labels", "units", "kind", "expected"),
    [
        ([*ACC, *GYRO], ["g"] * 3 + ["dps"] * 3, "IMU", ACC + GYRO),
        (["ACC_X", "ACC_Y", "ACC_Z"], ["G"] * 3, "IMU", ACC),
        (["AccX", "AccY", "AccZ", "GyrX", "GyrY", "GyrZ"], ["g"] * 3 + ["deg/s"] * 3, "IMU", ACC + GYRO),
        (["accelerometer.x", "Accelerometer Y", "Acceleration-Z"], ["m/s^2"] * 3, "", ACC),
        (["X", "Y", "Z"], ["g"] * 3, "ACC", ACC),
        (["X", "Y", "Z"], ["dps"] * 3, "GYRO", GYRO),
        (["x", "y", "z"], ["deg/s"] * 3, "Gyroscope", GYRO),
        (list("XYZXYZ"), ["g"] * 3 + ["dps"] * 3, "IMU", ACC + GYRO),
        (["ax", "ay", "az", "gx", "gy", "gz"], ["g"] * 3 + ["dps"] * 3, "IMU", ACC + GYRO),
        (["body_acc_x", "body_acc_y", "body_acc_z"], ["g"] * 3, "IMU", ("body_acc_x", "body_acc_y", "body_acc_z")),
        (["mx", "my", "mz"], ["uT"] * 3, "", ("mag_x", "mag_y", "mag_z")),
    ],
)
def test_labels_are_read_as_people_write_them(
    labels: list[str], units: list[str], kind: str, expected: tuple[str, ...]
) -> None:
    read = columns(stream(labels, units, kind))
    assert read.channels == expected
    assert read.scales.tolist() == pytest.approx(
        [factor(CHANNEL_UNITS[name], unit) for name, unit in zip(expected, units, strict=True)]
    )


def test_what_was_inferred_and_what_is_not_read_is_said() -> None:
    read = columns(stream([*"XYZ", "TEMP", "BATTERY"], ["g"] * 3 + ["C", "%"]))
    assert read.channels == ACC
    assert read.indices == (0, 1, 2)
    assert read.remarks == (
        "columns TEMP, BATTERY are not motion, and not read",
        "columns X, Y, Z read as acc_x, acc_y, acc_z, by their unit and type",
    )
    assert columns(stream([*ACC], ["g"] * 3)).remarks == ()


def test_a_unit_option_fills_in_and_may_correct_only_its_own_quantity() -> None:
    assert columns(stream([*ACC], [""] * 3), acc="mg").scales.tolist() == pytest.approx([G / 1000] * 3)
    assert columns(stream([*ACC], ["counts"] * 3), acc="0.0024").scales.tolist() == [0.0024] * 3
    corrected = columns(stream([*ACC], ["m/s^2"] * 3), acc="g")
    assert corrected.scales.tolist() == pytest.approx([G] * 3)
    assert corrected.remarks == ("acc is described in m/s^2, read in g as asked",)
    assert columns(stream([*ACC], ["g"] * 3), acc="G").remarks == ()


MICROVOLTS = ["microvolts"] * 5
EEG = ["TP9", "AF7", "AF8", "TP10", "AUX"]


@pytest.mark.parametrize(
    ("described", "names", "units", "message"),
    [
        (
            stream([*"XYZ"], ["dps"] * 3, "GYRO"),
            "acc_x,acc_y,acc_z",
            {"acc": "g"},
            "acc_x is described in dps, an angular rate, not an acceleration: choose another stream",
        ),
        (
            stream([*"XYZ"], [""] * 3, "GYRO"),
            "acc_x,acc_y,acc_z",
            {"acc": "g"},
            "the stream is of type GYRO, which does not give acc_x",
        ),
        (stream(EEG, MICROVOLTS, "EEG"), None, {}, "is of type EEG, its columns have the names TP9, .* not motion"),
        (stream(EEG, MICROVOLTS, ""), None, {}, r"in microvolts, an electric potential, such as EEG: not motion"),
        (
            stream(EEG, MICROVOLTS, "EEG"),
            "acc_x,acc_y,acc_z,-,-",
            {"acc": "g"},
            "acc_x is described in microvolts, an electric potential, such as EEG, not an acceleration",
        ),
        (
            stream([*ACC], ["furlong"] * 3),
            None,
            {},
            r"acc_x has the unit 'furlong'; set \?acc=UNIT to one of m/s\^2, g",
        ),
        (stream([*ACC], [""] * 3), None, {}, r"acc_x has no unit; set \?acc=UNIT to one of m/s\^2, g, mg"),
        (stream([*GYRO], [""] * 3), None, {"gyro": "g"}, "gyro_x has the unit 'g'; set .gyro=UNIT to one of rad/s"),
        (stream(["acc_x", "acc_x"], ["g"] * 2), None, {}, "expected each channel once"),
        (
            stream([], [], "IMU", 6),
            None,
            {},
            r"has 6 channels with no names; name the columns in their true order, e\.g\. "
            r"\?channels=acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z&acc=g&gyro=dps$",
        ),
        (stream([], [], "Accelerometer", 3), None, {}, r"e\.g\. \?channels=acc_x,acc_y,acc_z&acc=g$"),
        (stream([], [], "GYRO", 3), None, {}, r"e\.g\. \?channels=gyro_x,gyro_y,gyro_z&gyro=dps$"),
        (stream(["a1", "a2"], ["", ""]), None, {}, "the names a1, a2; name the columns"),
        (stream([*"XYZ"], [""] * 3), None, {}, r"the names X, Y, Z; name the columns .* e\.g\. \?channels=acc_x"),
        (
            stream([*ACC], ["g"] * 3),
            "acc_x,acc_y",
            {},
            r"\?channels= names 2 columns; the stream has 3 channels: name each one",
        ),
        (stream([*ACC], ["g"] * 3), "acc_x,acc_y,acc_w", {}, r"names 3 columns, and acc_w"),
        (stream([*ACC], ["g"] * 3), "-,-,-", {}, r"name each one of them acc_x"),
        (stream([], [], "IMU", 0), None, {}, "the stream has 0 channels; expected 1 to 1024"),
        (stream([], [], "IMU", 2000), None, {}, "the stream has 2000 channels; expected 1 to 1024"),
        (stream(["marker"], [""], "Markers", is_text=True), None, {}, "sends text, .* not motion"),
        (stream([], [], "", 1, is_text=True), None, {}, "sends text, its columns have no names: not motion"),
    ],
)
def test_what_is_not_described_is_refused_with_the_option_to_add(
    described: Description, names: str | None, units: dict[str, str], message: str
) -> None:
    with pytest.raises(InputMismatch, match=message) as refused:
        columns(described, names, **units)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("lsl://band")
