"""Readings of batteries, and their saved states."""

from __future__ import annotations

import json
import shutil
from math import nan
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from kinestream.core.errors import ConfigError
from kinestream.policy import Battery, BatteryReading, FixedBattery, LaptopBattery, SimulatedBattery


def test_a_simulated_battery_drains_by_stream_time_and_by_every_inference() -> None:
    battery = SimulatedBattery(capacity_j=100.0, frac=0.5, base_mw=10.0)
    assert battery.read(1000.0) == BatteryReading(0.5, 100.0, base_mw=10.0)
    battery.spend(1500.0, energy_mj=2000.0)
    assert battery.read(1500.0).frac == pytest.approx(0.5 - 0.05 - 0.02)
    assert battery.read(2500.0).frac == pytest.approx(0.43 - 0.10)


def test_a_clock_that_jumps_back_does_not_charge_the_battery() -> None:
    battery = SimulatedBattery(capacity_j=100.0, base_mw=10.0)
    battery.read(0.0)
    before = battery.read(1000.0).frac
    assert battery.read(200.0).frac == before
    assert battery.read(300.0).frac == pytest.approx(before - 0.01)


def test_a_simulated_battery_can_be_recharged() -> None:
    battery = SimulatedBattery(capacity_j=100.0, frac=0.1, base_mw=10.0)
    battery.read(0.0)
    battery.charge(0.9)
    assert battery.read(1000.0).frac == pytest.approx(0.8)
    with pytest.raises(ConfigError, match="from 0 to 1"):
        battery.charge(1.1)


def test_an_empty_battery_stays_empty() -> None:
    battery = SimulatedBattery(capacity_j=1.0, base_mw=10.0)
    battery.read(0.0)
    battery.spend(1e6, 1e6)
    assert battery.read(2e6).frac == 0.0


def test_a_battery_continues_from_its_saved_state() -> None:
    battery, restored = SimulatedBattery(100.0, 0.8, 10.0), SimulatedBattery(100.0, 0.8, 10.0)
    battery.read(0.0)
    battery.spend(700.0, 30.0)
    restored.restore(json.loads(json.dumps(battery.state())))
    assert restored.read(900.0) == battery.read(900.0)
    fixed = FixedBattery(0.2)
    fixed.restore(FixedBattery(0.9).state())
    assert fixed.read(0.0).frac == 0.9


def test_a_fixed_battery_never_drains() -> None:
    battery = FixedBattery(0.35)
    battery.spend(1e6, 1e9)
    assert battery.read(2e6) == BatteryReading(0.35, None)


@pytest.mark.parametrize("frac", [-0.1, 1.1, nan])
def test_a_charge_outside_0_to_1_is_refused(frac: float) -> None:
    for make in (FixedBattery, lambda value: SimulatedBattery(frac=value)):
        with pytest.raises(ConfigError, match="from 0 to 1"):
            make(frac)


def test_every_battery_has_the_interface_of_a_battery() -> None:
    for battery in (SimulatedBattery(), LaptopBattery(), FixedBattery(0.5)):
        assert isinstance(battery, Battery)


def test_the_laptop_battery_reads_as_the_machine_reports() -> None:
    """Both are None on a machine without a battery."""
    ask = getattr(psutil, "sensors_battery", lambda: None)
    real, reading = ask(), LaptopBattery().read(0.0)
    assert (reading is None) == (real is None)
    if reading is not None and real is not None:
        assert reading.frac == pytest.approx(real.percent / 100, abs=0.02)


def test_the_operating_system_is_asked_at_most_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[float] = []
    now = [0.0]

    def sensors_battery() -> SimpleNamespace:
        asked.append(now[0])
        return SimpleNamespace(percent=50 + len(asked), power_plugged=False)

    monkeypatch.setattr(psutil, "sensors_battery", sensors_battery, raising=False)
    monkeypatch.setattr("kinestream.policy.batteries.POWER_SUPPLIES", tmp_path)
    battery = LaptopBattery(poll_s=5.0, clock=lambda: now[0])
    for now[0] in (0.0, 1.0, 4.9, 5.0, 9.0, 12.0):
        battery.read(1e6 * now[0])
    assert asked == [0.0, 5.0, 12.0]
    assert battery.read(0.0) == BatteryReading(0.53, None, charging=False)


@pytest.mark.parametrize("missing", ["no such function", "no battery", "unreadable"])
def test_a_machine_without_a_gauge_has_no_battery(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    def unreadable() -> None:
        raise FileNotFoundError("/sys/class/power_supply/BAT0/capacity")

    if missing == "no such function":
        monkeypatch.delattr(psutil, "sensors_battery", raising=False)
    else:
        monkeypatch.setattr(
            psutil, "sensors_battery", unreadable if missing == "unreadable" else lambda: None, raising=False
        )
    assert LaptopBattery().read(0.0) is None


@pytest.mark.skipif(not psutil.LINUX, reason="the folder is Linux's")
def test_a_battery_is_unreadable_while_its_files_are_missing_or_damaged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("psutil._pslinux.POWER_SUPPLY_PATH", str(tmp_path))
    monkeypatch.setattr("kinestream.policy.batteries.POWER_SUPPLIES", tmp_path)
    bat = tmp_path / "BAT0"
    bat.mkdir()
    right = {"energy_now": "3200000", "energy_full": "4000000", "power_now": "300000", "status": "Discharging"}
    battery = LaptopBattery(poll_s=0.0)

    def says(**files: str) -> BatteryReading | None:
        for name, text in (right | files).items():
            (bat / name).write_text(f"{text}\n")
        return battery.read(0.0)

    assert says() == BatteryReading(0.8, None, charging=False)
    assert says(energy_now="full") is None
    assert says(energy_full="") is None
    assert says(power_now="much") is None
    over = says(energy_now="9000000")
    assert over is not None
    assert not over.known
    assert says() == BatteryReading(0.8, None, charging=False)
    shutil.rmtree(bat)
    assert battery.read(0.0) is None


def test_the_temperature_is_that_of_the_hottest_readable_battery(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, tenths in (("BAT0", "312\n"), ("BAT1", "405\n"), ("AC", "no number"), ("BAT2", None)):
        (tmp_path / name).mkdir()
        if tenths is not None:
            (tmp_path / name / "temp").write_text(tenths)
    monkeypatch.setattr("kinestream.policy.batteries.POWER_SUPPLIES", tmp_path)
    there = SimpleNamespace(percent=80, power_plugged=True)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: there, raising=False)
    assert LaptopBattery().read(0.0) == BatteryReading(0.8, None, charging=True, temperature_c=40.5)
