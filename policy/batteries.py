"""Batteries whose charge a policy reads: a simulated one, the machine's own, and a fixed charge."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Protocol, runtime_checkable

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError

from .interface import BatteryReading
from .settings_text import REAL, read_settings, split_settings

POWER_SUPPLIES = Path("/sys/class/power_supply")

BATTERIES = ("simulated", "laptop")
"""The named batteries; a number from 0 to 1 is a fixed charge."""

_SIMULATED = ("capacity_j", "frac", "base_mw", "hours")


@runtime_checkable
class Battery(Protocol):
    """A battery. Times are stream time, so a fast replay drains it as the real day would."""

    def read(self, now_s: float) -> BatteryReading | None:
        """The charge left now; None where no battery can be read."""
        ...

    def spend(self, now_s: float, energy_mj: float) -> None:
        """Account for a computed window. A battery that measures itself ignores this."""
        ...

    def save(self, now_s: float, power_mw: float) -> None:
        """Account for a thriftier sensor, which lowers the device's draw by ``power_mw`` from now on. As ``spend``."""
        ...

    def state(self) -> dict[str, float]:
        """The state needed to continue later, in plain numbers."""
        ...

    def restore(self, state: Mapping[str, float]) -> None:
        """Continue from an earlier ``state()``."""
        ...


class SimulatedBattery:
    """A battery drained by the device's base power over stream time and by every inference.

    Args:
        capacity_j: energy when full; the default is a wristband's 100 mAh at 3.7 V.
        frac: charge at the start, 0 to 1.
        base_mw: power that sensor, radio and processor draw without inference.
    Raises:
        ConfigError: a value outside its range.

    >>> battery = SimulatedBattery(capacity_j=100.0, base_mw=1000.0)
    >>> [round(battery.read(now_s).frac, 2) for now_s in (0.0, 10.0)]
    [1.0, 0.9]
    """

    def __init__(self, capacity_j: float = 1332.0, frac: float = 1.0, base_mw: float = 10.0) -> None:
        if not (isfinite(capacity_j) and capacity_j > 0):
            raise ConfigError(f"battery capacity_j={capacity_j}: expected a positive energy in joules")
        if not (isfinite(base_mw) and base_mw >= 0):
            raise ConfigError(f"battery base_mw={base_mw}: expected a power of 0 mW or more")
        self.capacity_j = capacity_j
        self.base_mw = base_mw
        self._left_j = 0.0
        self._saved_mw = 0.0
        self._seen_s: float | None = None
        self.charge(frac)

    def charge(self, frac: float) -> None:
        """Set the charge left, 0 to 1, as the dashboard does.

        Raises:
            ConfigError: the charge is not from 0 to 1.
        """
        self._left_j = self.capacity_j * _charge(frac)

    def read(self, now_s: float) -> BatteryReading:
        self._advance(now_s)
        return BatteryReading(self._left_j / self.capacity_j, self.capacity_j, base_mw=self._drawn_mw)

    def spend(self, now_s: float, energy_mj: float) -> None:
        self._advance(now_s)
        self._left_j = max(self._left_j - energy_mj / 1000.0, 0.0)

    def save(self, now_s: float, power_mw: float) -> None:
        self._advance(now_s)
        self._saved_mw = power_mw

    @property
    def _drawn_mw(self) -> float:
        return max(self.base_mw - self._saved_mw, 0.0)

    def _advance(self, now_s: float) -> None:
        # A clock that jumps back (a seek, a late stream) does not charge the battery.
        elapsed_s = 0.0 if self._seen_s is None else max(now_s - self._seen_s, 0.0)
        self._seen_s = now_s
        self._left_j = max(self._left_j - elapsed_s * self._drawn_mw / 1000.0, 0.0)

    def state(self) -> dict[str, float]:
        return {"left_j": self._left_j, "saved_mw": self._saved_mw} | (
            {} if self._seen_s is None else {"seen_s": self._seen_s}
        )

    def restore(self, state: Mapping[str, float]) -> None:
        self._left_j = state["left_j"]
        self._saved_mw = state.get("saved_mw", 0.0)
        self._seen_s = state.get("seen_s")


class LaptopBattery:
    """The machine's own battery, read by psutil; its charge is known, its capacity is not.

    Args:
        poll_s: shortest real time between two questions to the operating system.
        clock: real time in seconds.
    """

    def __init__(self, poll_s: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._poll_s = poll_s
        self._clock = clock
        self._asked_s: float | None = None
        self._reading: BatteryReading | None = None

    def read(self, now_s: float) -> BatteryReading | None:
        real_s = self._clock()
        if self._asked_s is None or real_s - self._asked_s >= self._poll_s:
            self._asked_s = real_s
            self._reading = _ask_system()
        return self._reading

    def spend(self, now_s: float, energy_mj: float) -> None:
        """Ignored: the machine's gauge measures the energy itself."""

    def save(self, now_s: float, power_mw: float) -> None:
        """Ignored, as ``spend``."""

    def state(self) -> dict[str, float]:
        return {}

    def restore(self, state: Mapping[str, float]) -> None:
        """Ignored: the charge is the machine's."""


class FixedBattery:
    """A charge that never changes, to try a policy at it.

    Raises:
        ConfigError: the charge is not from 0 to 1.

    >>> FixedBattery(0.35).read(now_s=0.0).frac
    0.35
    """

    def __init__(self, frac: float) -> None:
        self.frac = _charge(frac)

    def read(self, now_s: float) -> BatteryReading:
        return BatteryReading(self.frac, None)

    def spend(self, now_s: float, energy_mj: float) -> None:
        """Ignored: the charge is fixed."""

    def save(self, now_s: float, power_mw: float) -> None:
        """Ignored, as ``spend``."""

    def state(self) -> dict[str, float]:
        return {"frac": self.frac}

    def restore(self, state: Mapping[str, float]) -> None:
        self.frac = _charge(state["frac"])


def _charge(frac: float) -> float:
    if not 0.0 <= frac <= 1.0:
        raise ConfigError(f"battery charge {frac}: expected a share from 0 to 1")
    return frac


def _ask_system() -> BatteryReading | None:
    import psutil  # needed only for the machine's own battery

    # psutil lacks the function on systems it does not support (some BSDs), and returns None without a battery.
    ask = getattr(psutil, "sensors_battery", None)
    try:
        battery = ask() if ask is not None else None
    # The kernel's power files vanish while a battery is pulled out, and psutil calculates with whatever they hold.
    except (OSError, TypeError, ValueError, ArithmeticError):
        return None
    if battery is None:
        return None
    charging = bool(battery.power_plugged)
    return BatteryReading(
        battery.percent / 100.0, None, charging=charging, temperature_c=_temperature_c(POWER_SUPPLIES)
    )


def _temperature_c(folder: Path) -> float | None:
    """The hottest battery's temperature, from Linux's files in tenths of a degree; psutil does not read them."""
    temperatures_c: list[float] = []
    for path in folder.glob("*/temp"):
        try:
            temperatures_c.append(int(path.read_text("ascii")) / 10)
        except (OSError, ValueError):  # many laptops have the file, but the sensor cannot be read
            continue
    return max(temperatures_c, default=None)


def make_battery(text: str) -> Battery:
    """The battery of a text: ``simulated[:KEY=VALUE,...]``, ``laptop``, or a fixed charge such as ``0.35``.

    The simulated one takes ``frac``, ``base_mw`` and either ``capacity_j`` or ``hours``: how long the
    full battery lasts without any inference.

    Raises:
        ConfigError: unknown kind or key (the nearest known one is named), or a value out of range.

    >>> make_battery("simulated:hours=8,frac=0.5").read(now_s=0.0).frac
    0.5
    """
    kind, _, rest = text.strip().partition(":")
    if kind == "laptop" and not rest:
        return LaptopBattery()
    if kind == "simulated":
        owner = "battery simulated"
        given = split_settings(owner, rest, _SIMULATED)
        return _simulated(read_settings(owner, given, dict.fromkeys(_SIMULATED, REAL)))
    try:
        return FixedBattery(float(text))
    except ValueError:
        raise ConfigError(unknown("battery", text, BATTERIES) + "; or a charge from 0 to 1") from None


def _simulated(settings: dict[str, float]) -> SimulatedBattery:
    hours = settings.pop("hours", None)
    if hours is None:
        return SimulatedBattery(**settings)
    if "capacity_j" in settings:
        raise ConfigError("battery simulated: hours and capacity_j both set its capacity; give one of them")
    base_mw = settings.get("base_mw", SimulatedBattery().base_mw)
    return SimulatedBattery(capacity_j=base_mw / 1000.0 * hours * 3600.0, **settings)
