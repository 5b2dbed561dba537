from __future__ import annotations

import json
import math

import numpy as np
import pytest

from kinestream.core.errors import ConfigError, DecodeError, InputMismatch, KinestreamError, MissingExtra
from kinestream.core.input_spec import InputSpec
from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import (
    ACC,
    BODY_ACC,
    CHANNEL_UNITS,
    GRAVITY,
    GYRO,
    Conclusion,
    Decision,
    Prediction,
    SampleChunk,
    Sensing,
    Subnet,
    Window,
)


@pytest.mark.parametrize(("text", "subnet"), [("0.5x-128", Subnet(0.5, 128)), (" 1x-96", Subnet(1.0, 96))])
def test_a_subnetwork_is_parsed_from_the_papers_notation(text: str, subnet: Subnet) -> None:
    assert Subnet.parse(text) == subnet
    assert Subnet.parse(str(subnet)) == subnet


@pytest.mark.parametrize("text", ["", "0.5", "0.5x", "x-128", "0.5x-12.5", "0.5x-128 "[::-1]])
def test_a_text_that_is_not_a_subnetwork_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"e.g. 0\.5x-128"):
        Subnet.parse(text)


def test_every_channel_has_a_unit() -> None:
    assert set(CHANNEL_UNITS.values()) == {"m/s^2", "rad/s", "uT"}


def test_body_acceleration_and_gravity_are_made_from_the_accelerometer() -> None:
    spec = InputSpec((*BODY_ACC, *GYRO, *GRAVITY[:1]), 50.0, 128, 64)
    assert spec.needed_from((*GYRO, *ACC)) == (*ACC, *GYRO)


def test_a_missing_channel_is_named_with_the_available_ones() -> None:
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


def test_the_front_has_every_point_that_is_more_accurate_than_all_cheaper_ones() -> None:
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


def test_an_unknown_subnetwork_is_refused_with_the_known_ones() -> None:
    table = OperatingTable("m", "here", "none", (point("1x-128", 0.9, 5.0), point("0.1x-96", 0.9, 0.2)))
    assert Subnet(1.0, 128) in table
    with pytest.raises(
        ConfigError, match=r"no subnetwork 0\.50x-128; widths 0\.10 to 1\.00 \(2\), resolutions 96, 128"
    ):
        table[Subnet(0.5, 128)]


def test_every_error_has_one_root_and_an_exit_status() -> None:
    assert issubclass(DecodeError, KinestreamError)
    assert (ConfigError("").exit_status, DecodeError("").exit_status) == (2, 1)


def test_a_decoding_error_shows_the_packet_in_hex() -> None:
    assert str(DecodeError("too short", b"\x55\x61")) == "too short [55 61]"


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    assert "pip install '.[train]'" in str(MissingExtra("train", "training"))


def prediction(**changes: object) -> Prediction:
    values: dict[str, object] = {
        "stream": "wrist",
        "session": "1",
        "index": 0,
        "t_start_s": 0.0,
        "t_end_s": 2.54,
        "label": "walking",
        "confidence": 0.75,
        "probs": np.array([0.75, 0.25], np.float32),
        "labels": ("walking", "sitting"),
        "decision": Decision(Subnet(0.5, 96), "because"),
        "latency_ms": 0.25,
        "energy_mj": math.nan,
        "age_ms": 12.5,
        "coverage": 1.0,
    }
    return Prediction(**values | changes)  # type: ignore[arg-type]


def test_a_prediction_is_a_dict_of_json_values_with_none_for_the_unknown() -> None:
    record = prediction().to_dict()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["probs"] == {"walking": 0.75, "sitting": 0.25}
    assert (record["width"], record["resolution"]) == (0.5, 96)
    assert (record["energy_mj"], record["battery"], record["truth"]) == (None, None, None)
    assert not record.keys() & {"sensing", "concluded"}


def test_the_dict_of_a_prediction_has_its_sensing_and_conclusion_where_there_are_any() -> None:
    record = prediction(
        decision=Decision(Subnet(0.5, 96), "", sensing=Sensing(25.0, gyro=False)),
        conclusion=Conclusion("unknown", 0.6, np.array([0.6, 0.4])),
    ).to_dict()
    assert record["sensing"] == {"fs_hz": 25.0, "gyro": False}
    assert record["concluded"] == {"label": "unknown", "confidence": 0.6, "probs": {"walking": 0.6, "sitting": 0.4}}


def test_the_repr_of_values_is_one_line_without_arrays() -> None:
    x = np.zeros((100, 3), np.float32)
    chunk = SampleChunk("wrist", "1", np.arange(100) / 50, x, ACC, 50.0, 200, 2.0)
    window = Window("wrist", "1", 3, 1.0, 2.98, x, ACC, 50.0, 1.0, 3.0)
    assert repr(chunk) == "<SampleChunk 'wrist' session '1': 100 samples from 200, 3 channels at 50 Hz>"
    assert repr(window) == "<Window 3 of 'wrist': 1.00 to 2.98 s, 100 x 3 at 50 Hz>"
    assert repr(prediction()) == "<Prediction walking 75%: 0.00 to 2.54 s of 'wrist' by 0.50x-96>"
