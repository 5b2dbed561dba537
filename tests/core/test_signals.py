from __future__ import annotations

import math

import pytest

from kinestream.core.errors import ConfigError, DecodeError, InputMismatch, KinestreamError, MissingExtra
from kinestream.core.input_spec import InputSpec
from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import ACC, BODY_ACC, CHANNEL_UNITS, GRAVITY, GYRO, Subnet


@pytest.mark.parametrize(("text", "subnet"), [("0.5x-128", Subnet(0.5, 128)), (" 1x-96", Subnet(1.0, 96))])
def test_a_subnetwork_reads_as_the_paper_writes_it(text: str, subnet: Subnet) -> None:
    assert Subnet.parse(text) == subnet
    assert Subnet.parse(str(subnet)) == subnet


@pytest.mark.parametrize("text", ["", "0.5", "0.5x", "x-128", "0.5x-12.5", "0.5x-128 "[::-1]])
def test_text_that_is_no_subnetwork_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"e.g. 0\.5x-128"):
        Subnet.parse(text)


def test_every_channel_has_a_unit() -> None:
    assert set(CHANNEL_UNITS.values()) == {"m/s^2", "rad/s", "uT"}


def test_body_acceleration_and_gravity_are_made_from_the_accelerometer() -> None:
    spec = InputSpec((*BODY_ACC, *GYRO, *GRAVITY[:1]), 50.0, 128, 64)
    assert spec.needed_from((*GYRO, *ACC)) == (*ACC, *GYRO)


def test_a_missing_channel_is_named_with_what_there_is() -> None:
    with pytest.raises(InputMismatch, match="needs gyro_x, gyro_y, gyro_z, the source offers acc_x, acc_y, acc_z"):
        InputSpec((*ACC, *GYRO), 50.0, 128, 64).needed_from(ACC)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"channels": ("acc_x", "acc_q")}, "acc_q"),
        ({"channels": ()}, "each once"),
        ({"fs_hz": 0.0}, "positive rate"),
        ({"hop": 0}, "hop 0"),
        ({"hop": 129}, "hop 129"),
        ({"max_gap_s": 0.001}, "max_gap_s 0.001 must lie between one sample"),
        ({"max_gap_s": 1e6}, "max_gap_s 1e\\+06 .* and one window, 2.56 s"),
        ({"max_gap_s": math.nan}, "max_gap_s nan"),
        ({"lowpass_hz": 25.0}, "lowpass_hz"),
        ({"gravity_hz": 30.0}, "gravity_hz"),
    ],
)
def test_an_impossible_input_is_refused_by_name(change: dict[str, object], complaint: str) -> None:
    good: dict[str, object] = {"channels": ACC, "fs_hz": 50.0, "length": 128, "hop": 64}
    with pytest.raises(ConfigError, match=complaint):
        InputSpec(**(good | change))  # type: ignore[arg-type]


def point(subnet: str, accuracy: float, energy_mj: float) -> OperatingPoint:
    return OperatingPoint(Subnet.parse(subnet), accuracy, 1000, 1.0, 2.0, energy_mj)


def test_the_front_holds_every_point_that_nothing_cheaper_beats() -> None:
    points = (
        point("1x-128", 0.97, 5.0),
        point("0.5x-128", 0.96, 2.0),
        point("0.5x-96", 0.93, 2.5),
        point("0.1x-96", 0.90, 0.2),
        point("0.2x-96", 0.90, 0.4),
    )
    table = OperatingTable("m", "here", "none", points)
    assert [str(p.subnet) for p in table.front] == ["0.10x-96", "0.50x-128", "1.00x-128"]


def test_a_table_without_accuracies_still_has_a_cheapest_point() -> None:
    table = OperatingTable("m", "here", "none", (point("1x-128", math.nan, 5.0), point("0.1x-96", math.nan, 0.2)))
    assert [str(p.subnet) for p in table.front] == ["0.10x-96"]


def test_an_unknown_subnetwork_is_refused_with_what_there_is() -> None:
    table = OperatingTable("m", "here", "none", (point("1x-128", 0.9, 5.0), point("0.1x-96", 0.9, 0.2)))
    assert Subnet(1.0, 128) in table
    with pytest.raises(
        ConfigError, match=r"no subnetwork 0\.50x-128; widths 0\.10 to 1\.00 \(2\), resolutions 96, 128"
    ):
        table[Subnet(0.5, 128)]


def test_every_error_has_one_root_and_tells_right_from_wrong_use() -> None:
    assert issubclass(DecodeError, KinestreamError)
    assert (ConfigError("").exit_status, DecodeError("").exit_status) == (2, 1)


def test_a_decoding_error_shows_the_packet_in_hex() -> None:
    assert str(DecodeError("too short", b"\x55\x61")) == "too short [55 61]"


def test_a_missing_extra_says_how_to_get_it() -> None:
    assert "pip install '.[train]'" in str(MissingExtra("train", "training"))
