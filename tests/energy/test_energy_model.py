"""Energy models: the arithmetic, the bundled files, and files with mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingPoint, OperatingTable
from kinestream.core.signals import Sensing, Subnet
from kinestream.energy.energy_model import (
    EnergyModel,
    Processor,
    Radio,
    Sensor,
    busy_core,
    energy_model_names,
    parse_energy_model,
    read_energy_model,
)

POINT = OperatingPoint(Subnet(0.5, 128), 0.96, 2_000_000, 0.1, 0.2, 7.0)
TABLE = OperatingTable("cnn", "this machine", "by hand", (POINT,))


def test_the_energy_of_a_window_is_its_time_at_the_processors_power() -> None:
    assert busy_core(5.0).window_mj(POINT) == pytest.approx(0.5)
    slow = EnergyModel("band", "", Processor(10.0, macs_per_s=20e6))
    assert slow.window_ms(POINT) == pytest.approx(100.0)
    assert slow.window_mj(POINT) == pytest.approx(1.0)


def test_a_table_by_a_model_states_the_models_name_and_its_processors_latency() -> None:
    applied = EnergyModel("band", "a band", Processor(10.0, macs_per_s=20e6)).applied(TABLE)
    assert (applied.points[0].p50_ms, applied.points[0].energy_mj) == pytest.approx((100.0, 1.0))
    assert "'band'" in applied.energy_model
    assert "band" in applied.machine
    here = busy_core(5.0).applied(TABLE)
    assert (here.points[0].p50_ms, here.machine) == (0.1, "this machine")
    assert "measured p50 latency x 5 W" in here.energy_model


def test_a_fast_processor_is_printed_without_an_exponent() -> None:
    applied = read_energy_model("nrf52840_lsm6dso_streaming").applied(TABLE)
    assert applied.machine.endswith("1,000,000 million MACs a second")


def test_the_base_power_depends_on_rate_gyroscope_and_transmitted_data() -> None:
    radio = Radio(event_uj=10.0, byte_uj=0.1, events_per_s=2.0, sample_bytes=2, result_bytes=5)
    sensor = Sensor(accelerometer_mw=((10, 0.1), (50, 0.5)), both_mw=((10, 1.0), (50, 2.0)))
    model = EnergyModel("band", "", Processor(10.0, sleep_mw=0.01), radio, sensor)
    assert model.base_mw(Sensing(50), 1.0) == pytest.approx(0.01 + 2.0 + (20 + 0.1 * (600 + 5)) / 1000)
    assert model.base_mw(Sensing(30, gyro=False)) == pytest.approx(0.01 + 0.3 + (20 + 0.1 * 180) / 1000)
    assert model.base_mw(Sensing(200)) > model.base_mw(Sensing(50)) > model.base_mw(Sensing(5))


@pytest.mark.parametrize("name", energy_model_names())
def test_every_bundled_model_states_the_source_of_each_number(name: str) -> None:
    model = read_energy_model(name)
    for part in ("processor", "sensor"):
        values = getattr(model, part)
        for key in ("power_mw",) if part == "processor" else ("accelerometer_mw", "both_mw"):
            if values is not None:
                assert model.sources.get(f"{part}.{key}") or model.sources.get(part), f"{name}: {part}.{key}"
    if model.radio:
        assert model.sources.get("radio") or {"radio.event_uj", "radio.byte_uj"} <= model.sources.keys()
    assert model.base_mw(Sensing(50)) >= model.base_mw(Sensing(50, gyro=False)) >= 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('about = "x"\n[processor]\npower_w = 5', r"unknown key 'power_w' \(did you mean 'power_mw'\?\)"),
        ('about = "x"\n[procesor]\npower_mw = 5', r"unknown key 'procesor' \(did you mean 'processor'\?\)"),
        ('about = "x"\n[processor]\npower_mw = -5', "expected a number of 0 or more"),
        ('about = "x"\n[processor]\npower_mw = nan', "expected a number"),
        ('about = "x"\n[processor]\npower_mw = true', "expected a number"),
        ('about = "x"\n[processor]\npower_mw = 5\nmacs_per_s = 0', "expected a number above 0"),
        ('about = "x"\n[processor]\nsleep_mw = 5', "power_mw is missing"),
        ('about = "x"\n[processor]\npower_mw = 5\n[radio]\nevent_uj = 1', "byte_uj is missing"),
        ('about = "x"\n[processor]\npower_mw = 5\n[sensor]\nboth_mw = [[1, 1]]', "expected accelerometer_mw = "),
        (
            'about = "x"\n[processor]\npower_mw = 5\n[sensor]\nboth_mw = [[1, 1]]\naccelerometer_mw = [[9, 1], [1, 1]]',
            "the rates of accelerometer_mw must be in ascending order",
        ),
        ('about = "x"\nprocessor = 5', "expected a table"),
        ("[processor]\npower_mw = 5", 'expected about = "..."'),
        ("about = ", "is not valid TOML"),
    ],
)
def test_a_mistake_in_a_file_is_reported_with_what_was_expected(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_energy_model("mine", text)


def test_an_unknown_model_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'laptop'"):
        read_energy_model("labtop")
    with pytest.raises(ConfigError, match="No such file"):
        read_energy_model(str(tmp_path / "mine.toml"))
