"""A busy core's power is measured from the kernel's files, which a folder of real files replaces here."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinestream.cli import main
from kinestream.core.errors import NoGauge
from kinestream.energy.energy_model import parse_energy_model
from kinestream.energy.fit import fit


class Machine:
    """A machine that draws 3 W idle and 5 W more when busy, with gauges in a folder like /sys."""

    def __init__(self, sys: Path) -> None:
        self.sys = sys
        self.energy_uj = 0
        self.range_uj = 1 << 40

    def rapl(self) -> None:
        self._write("class/powercap/intel-rapl:0/energy_uj", self.energy_uj)
        self._write("class/powercap/intel-rapl:0/max_energy_range_uj", self.range_uj)

    def battery(self, status: str = "Discharging", *, by_current: bool = False, power_mw: int = 3000) -> None:
        folder = "class/power_supply/BAT0"
        self._write(f"{folder}/type", "Battery")
        self._write(f"{folder}/status", status)
        if by_current:
            self._write(f"{folder}/voltage_now", 10_000_000)
            self._write(f"{folder}/current_now", power_mw * 100)
        else:
            self._write(f"{folder}/power_now", power_mw * 1000)

    def _write(self, name: str, value: object) -> None:
        path = self.sys / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n", "ascii")

    def spend(self, seconds: float, power_mw: int) -> None:
        self.energy_uj = (self.energy_uj + round(power_mw * 1000 * seconds)) % self.range_uj
        if (self.sys / "class/powercap").exists():
            self.rapl()
        for how in ("power_now", "current_now"):
            if (self.sys / "class/power_supply/BAT0" / how).exists():
                self.battery(power_mw=power_mw, by_current=how == "current_now")

    def busy(self, seconds: float) -> None:
        self.spend(seconds, 8000)

    def idle(self, seconds: float) -> None:
        self.spend(seconds, 3000)


def test_the_energy_counter_gives_a_busy_cores_power_even_when_it_wraps(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.range_uj = 45_000_000  # wraps every few periods
    machine.rapl()
    result = fit(machine.busy, machine.idle, seconds=4.0, rounds=3, sys=tmp_path)
    assert (result.power_mw, result.idle_mw) == pytest.approx((5000.0, 3000.0))
    assert "RAPL" in result.gauge


@pytest.mark.parametrize("by_current", [False, True])
def test_a_discharging_battery_gives_it_too(tmp_path: Path, by_current: bool) -> None:
    machine = Machine(tmp_path)
    machine.battery(by_current=by_current)
    result = fit(machine.busy, machine.idle, seconds=4.0, sys=tmp_path)
    assert result.power_mw == pytest.approx(5000.0)
    model = parse_energy_model("mine", result.toml())
    assert model.processor.power_mw == pytest.approx(5000.0)
    assert "the battery BAT0" in model.about


def test_a_battery_on_its_charger_is_refused_with_what_to_do(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.battery("Charging")
    with pytest.raises(NoGauge, match="BAT0 is charging: unplug"):
        fit(machine.busy, machine.idle, seconds=1.0, sys=tmp_path)


def test_a_mouses_battery_does_not_count(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.battery()
    (tmp_path / "class/power_supply/BAT0/scope").write_text("Device\n")
    with pytest.raises(NoGauge, match="no battery"):
        fit(machine.busy, machine.idle, seconds=1.0, sys=tmp_path)


def test_a_gauge_that_does_not_react_is_refused(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.rapl()
    with pytest.raises(NoGauge, match="0 mW more when a core is busy"):
        fit(machine.idle, machine.idle, seconds=1.0, sys=tmp_path)


def test_the_command_fails_with_one_line_where_nothing_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sys").mkdir()
    assert main(["calibrate-energy", "--sys", "sys"]) == 1
    assert "does not report what it draws (no RAPL counter, no battery)" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.toml"))
