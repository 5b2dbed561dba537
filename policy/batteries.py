"""Batteries a policy can be asked to spare: a simulated one, this machine's own, a fixed charge."""

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


@runtime_checkable
class Battery(Protocol):
    """Something with a charge. Times are stream time, so a fast replay drains it as the real day would."""

    def read(self, now_s: float) -> BatteryReading | None:
        """What is left now; None where there is no battery to read."""
        ...

    def spend(self, now_s: float, energy_mj: float) -> None:
        """Note that a window was computed. A battery that measures itself ignores it."""
        ...

    def save(self, now_s: float, power_mw: float) -> None:
        """From now on the device draws so much less than it said: its sensor was told to rest. As ``spend``."""
        ...

    def state(self) -> dict[str, float]:
        """What must be kept to go on later; plain numbers."""
        ...

    def restore(self, state: Mapping[str, float]) -> None:
        """Go on from an earlier ``state()``."""
        ...


class SimulatedBattery:
    """A battery drained by the device's base power over stream time and by every inference.

    Args:
        capacity_j: energy when full; the default is a wristband's 100 mAh at 3.7 V.
        frac: charge at the start, 0 to 1.
        base_mw: what sensor, radio and processor draw without inference.
    Raises:
        ConfigError: a value outside its range.
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
        """Set what is left, 0 to 1, as a person does at the dashboard.

        Raises:
            ConfigError: no share from 0 to 1.
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
        # A clock that goes back (a seek, a late stream) gives nothing back: charge is never gained.
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
    """The battery of this machine, by psutil; it knows its charge, not its capacity.

    Args:
        poll_s: the operating system is asked at most this often, in real time.
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
        """Ignored: the machine's gauge sees the energy itself."""

    def save(self, now_s: float, power_mw: float) -> None:
        """Ignored, as ``spend``."""

    def state(self) -> dict[str, float]:
        return {}

    def restore(self, state: Mapping[str, float]) -> None:
        """Nothing to restore: the charge is the machine's."""


class FixedBattery:
    """A charge that never changes, to see what a policy makes of it.

    Raises:
        ConfigError: the charge is not from 0 to 1.
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
    import psutil  # only a run on the machine's own battery needs it

    # psutil has no such function on a system it cannot ask (some BSDs), and None where no battery is built in.
    ask = getattr(psutil, "sensors_battery", None)
    try:
        battery = ask() if ask is not None else None
    # The kernel's power files vanish while a battery is pulled out, and psutil reckons with whatever stands in them.
    except (OSError, TypeError, ValueError, ArithmeticError):
        return None
    if battery is None:
        return None
    charging = bool(battery.power_plugged)
    return BatteryReading(
        battery.percent / 100.0, None, charging=charging, temperature_c=_temperature_c(POWER_SUPPLIES)
    )


def _temperature_c(folder: Path) -> float | None:
    """The hottest battery's temperature as Linux tells it, in tenths of a degree; psutil does not ask for it."""
    found: list[float] = []
    for path in folder.glob("*/temp"):
        try:
            found.append(int(path.read_text("ascii")) / 10)
        except (OSError, ValueError):  # many laptops have the file and cannot read the sensor
            continue
    return max(found, default=None)


BATTERIES = ("simulated", "laptop")
"""The named batteries; a number from 0 to 1 is a fixed charge."""


def make_battery(text: str) -> Battery:
    """The battery a person wrote: ``simulated[:KEY=VALUE,...]``, ``laptop``, or a fixed charge such as ``0.35``.

    The simulated one takes ``frac``, ``base_mw`` and either ``capacity_j`` or ``hours``: how long the
    full battery would last if nothing were ever computed.

    Raises:
        ConfigError: unknown kind or key (the nearest known one is named), or a value out of range.
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


_SIMULATED = ("capacity_j", "frac", "base_mw", "hours")


def _simulated(settings: dict[str, float]) -> SimulatedBattery:
    hours = settings.pop("hours", None)
    if hours is None:
        return SimulatedBattery(**settings)
    if "capacity_j" in settings:
        raise ConfigError("battery simulated: hours and capacity_j both say how large it is; give one of them")
    base_mw = settings.get("base_mw", SimulatedBattery().base_mw)
    return SimulatedBattery(capacity_j=base_mw / 1000.0 * hours * 3600.0, **settings)
