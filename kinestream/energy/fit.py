"""Measure what one busy core of this machine draws, with RAPL's energy counter or the battery's power reading.

Idle and busy periods alternate, and each busy one is compared with the idle ones around it, so that a dimming screen or
a warming battery has no effect. Only Linux offers these readings as files.
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
"""Least plausible power of a busy core: a gauge that shows less does not measure it."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The measured power of one busy core.

    >>> print(Fit(4321.0, 4000.0, 4500.0, 9000.0, "RAPL").toml().splitlines()[4])
    power_mw = 4321
    """

    power_mw: float
    """Busy minus idle: the median over the rounds."""
    low_mw: float
    high_mw: float
    """Lowest and highest round."""
    idle_mw: float
    """Idle power of everything that the gauge measures."""
    gauge: str
    """Name of the gauge."""

    def toml(self) -> str:
        """Return the text of an energy model's file."""
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
    """Return the power of this machine with a busy core compared with the idle machine.

    Args:
        busy: computes on one core for this many seconds.
        idle: waits for this many seconds.
        seconds: length of each period. A battery's gauge follows within seconds, RAPL immediately.
        rounds: number of busy periods.
        sys: folder of the kernel's files.
    Raises:
        NoGauge: this machine does not report its power; the message lists what was tried.
        ConfigError: there is less than one round, or the time is not positive.
    """
    if rounds < 1 or not seconds > 0:
        raise ConfigError(f"{rounds} rounds of {seconds:g} s: expected at least one round of more than 0 s")
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
            f"{name} shows {power_mw:.0f} mW more when a core is busy; expected at least {LEAST_MW:.0f}: the gauge "
            "does not measure it, or other programs draw more; close them, or state the watts with --power"
        )
    return Fit(power_mw, min(gains), max(gains), median(idle_mw), name)


Measure = Callable[[Callable[[float], None], float], float]
"""Returns the mean power in mW during an activity of this many seconds."""


def _gauge(sys: Path) -> tuple[str, Measure]:
    """The best available gauge: its name, and the function that measures with it."""
    counters = sorted((sys / "class" / "powercap").glob("*rapl:?/energy_uj"))
    readable = [path for path in counters if _number(path) is not None]
    if readable:
        return f"RAPL ({', '.join(path.parent.name for path in readable)})", lambda activity, s: _counted(
            readable, activity, s
        )
    supplies = [path.parent for path in sorted((sys / "class" / "power_supply").glob("*/type")) if _is_battery(path)]
    for battery in supplies:
        if (status := _text(battery / "status")) != "Discharging":
            raise NoGauge(
                f"the battery {battery.name} is {(status or 'of unknown status').lower()}: unplug the charger, so that "
                "it alone powers this machine, and try again"
            )
        if _battery_mw(battery) is not None:
            return f"the battery {battery.name}", lambda activity, s, battery=battery: _sampled(battery, activity, s)
    tried = f"{len(counters)} RAPL counters, none readable (root can read them)" if counters else "no RAPL counter"
    tried += f", {len(supplies)} batteries, none with a power reading" if supplies else ", no battery"
    raise NoGauge(f"this machine does not report what it draws ({tried}); state the watts of a busy core with --power")


def _counted(counters: list[Path], activity: Callable[[float], None], seconds: float) -> float:
    before = [_number(path) for path in counters]
    activity(seconds)
    total_uj = 0.0
    for path, first in zip(counters, before, strict=True):
        last = _number(path)
        if first is None or last is None:
            raise NoGauge(f"{path} became unreadable; try again")
        # The counter wraps at its greatest value, after some minutes on a busy machine.
        total_uj += (
            last - first if last >= first else last - first + (_number(path.parent / "max_energy_range_uj") or 0)
        )
    return total_uj / seconds / 1000.0


def _sampled(battery: Path, activity: Callable[[float], None], seconds: float) -> float:
    """The mean of readings in the second half, because a gauge averages over the recent past."""
    activity(seconds / 2)
    readings: list[float] = []
    for _ in range(4):
        activity(seconds / 8)
        power_mw = _battery_mw(battery)
        if power_mw is None or _text(battery / "status") != "Discharging":
            raise NoGauge(
                f"the battery {battery.name} stopped reporting its power; leave the charger unplugged and try again"
            )
        readings.append(power_mw)
    return sum(readings) / len(readings)


def _battery_mw(battery: Path) -> float | None:
    power_uw = _number(battery / "power_now")
    if power_uw:
        return abs(power_uw) / 1000.0
    current_ua, voltage_uv = _number(battery / "current_now"), _number(battery / "voltage_now")
    return abs(current_ua) * voltage_uv / 1e9 if current_ua and voltage_uv else None


def _is_battery(kind: Path) -> bool:
    # A mouse's battery has the scope of that device.
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
