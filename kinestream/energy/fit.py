"""What one busy core of this machine draws, from its own gauges: RAPL's energy counter, or the battery's power.

Idle and busy stretches take turns; each busy one is compared with the idle ones around it, so that a screen that dims
or a battery that warms does not count. Only Linux tells these figures through files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from kinestream.core.errors import ConfigError, NoGauge
from kinestream.core.toml_file import toml_text

SYS = Path("/sys")
LEAST_MW = 50.0
"""A busy core that seems to draw less was not seen by the gauge."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What was found."""

    power_mw: float
    """Busy less idle: the median over the rounds."""
    low_mw: float
    high_mw: float
    """The least and the greatest round."""
    idle_mw: float
    """Of everything the gauge sees."""
    gauge: str

    def toml(self) -> str:
        """The text of an energy model's file."""
        source = (
            f"measured: busy less idle, {self.low_mw:.0f} to {self.high_mw:.0f} mW over the rounds; "
            f"idle {self.idle_mw:.0f} mW by {self.gauge}"
        )
        return toml_text(
            {
                "about": f"one busy core of this machine, fitted from {self.gauge}; no sensor is counted",
                "processor": {"power_mw": round(self.power_mw), "sleep_mw": 0},
                "sources": {"processor.power_mw": source},
            },
            "Written by kinestream calibrate-energy.",
        )


def fit(
    busy: Callable[[float], None], idle: Callable[[float], None], *, seconds: float, rounds: int = 5, sys: Path = SYS
) -> Fit:
    """Compare this machine busy with itself idle.

    Args:
        busy: computes on one core for so many seconds. idle: waits for as long.
        seconds: how long each stretch lasts. A battery's gauge follows in some seconds, RAPL at once.
        rounds: busy stretches.
        sys: where the kernel's files lie.
    Raises:
        NoGauge: nothing here tells the power; says what was looked for.
        ConfigError: fewer than one round, or no time.
    """
    if rounds < 1 or not seconds > 0:
        raise ConfigError(f"{rounds} rounds of {seconds:g} s: expected at least one, of some seconds")
    name, measure = _gauge(sys)
    idle_mw = [measure(idle, seconds)]
    gains: list[float] = []
    for _ in range(rounds):
        busy_mw = measure(busy, seconds)
        idle_mw.append(measure(idle, seconds))
        gains.append(busy_mw - (idle_mw[-1] + idle_mw[-2]) / 2)
    power_mw = median(gains)
    if power_mw < LEAST_MW:
        raise NoGauge(
            f"{name} shows {power_mw:.0f} mW more when a core is busy, which is nothing: the gauge does not see it, or "
            "other programs draw more; close them, or give the watts with --power"
        )
    return Fit(power_mw, min(gains), max(gains), median(idle_mw), name)


Measure = Callable[[Callable[[float], None], float], float]
"""Mean power in mW while something goes on for so many seconds."""


def _gauge(sys: Path) -> tuple[str, Measure]:
    """The best gauge there is: its name, and how to measure by it."""
    counters = sorted((sys / "class" / "powercap").glob("*rapl:?/energy_uj"))
    readable = [path for path in counters if _number(path) is not None]
    if readable:
        return f"RAPL ({', '.join(path.parent.name for path in readable)})", lambda what, s: _counted(readable, what, s)
    supplies = [path.parent for path in sorted((sys / "class" / "power_supply").glob("*/type")) if _is_battery(path)]
    for battery in supplies:
        if (status := _text(battery / "status")) != "Discharging":
            raise NoGauge(
                f"the battery {battery.name} is {(status or 'of unknown status').lower()}: unplug the charger, so that "
                "it alone feeds this machine, and try again"
            )
        if _battery_mw(battery) is not None:
            return f"the battery {battery.name}", lambda what, s, battery=battery: _sampled(battery, what, s)
    looked = f"{len(counters)} RAPL counters, none readable (root may read them)" if counters else "no RAPL counter"
    looked += f", {len(supplies)} batteries, none telling its power" if supplies else ", no battery"
    raise NoGauge(f"this machine does not tell what it draws ({looked}); give the watts of a busy core with --power")


def _counted(counters: list[Path], what: Callable[[float], None], seconds: float) -> float:
    before = [_number(path) for path in counters]
    what(seconds)
    total_uj = 0.0
    for path, first in zip(counters, before, strict=True):
        last = _number(path)
        if first is None or last is None:
            raise NoGauge(f"{path} could not be read any more")
        # The counter begins anew at its greatest value, after some minutes on a busy machine.
        total_uj += (
            last - first if last >= first else last - first + (_number(path.parent / "max_energy_range_uj") or 0)
        )
    return total_uj / seconds / 1000.0


def _sampled(battery: Path, what: Callable[[float], None], seconds: float) -> float:
    """The mean of some readings in the second half: a gauge averages over the past itself."""
    what(seconds / 2)
    found: list[float] = []
    for _ in range(4):
        what(seconds / 8)
        power_mw = _battery_mw(battery)
        if power_mw is None or _text(battery / "status") != "Discharging":
            raise NoGauge(f"the battery {battery.name} stopped telling its power; leave it unplugged and try again")
        found.append(power_mw)
    return sum(found) / len(found)


def _battery_mw(battery: Path) -> float | None:
    power_uw = _number(battery / "power_now")
    if power_uw:
        return abs(power_uw) / 1000.0
    current_ua, voltage_uv = _number(battery / "current_now"), _number(battery / "voltage_now")
    return abs(current_ua) * voltage_uv / 1e9 if current_ua and voltage_uv else None


def _is_battery(kind: Path) -> bool:
    # A mouse has a battery too, but its scope is that device.
    return _text(kind) == "Battery" and _text(kind.parent / "scope") != "Device"


def _number(path: Path) -> int | None:
    text = _text(path)
    try:
        return int(text) if text else None
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
