"""From what a person types to a battery: ``simulated:hours=8,frac=0.3``, ``laptop``, ``0.35``."""

from __future__ import annotations

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError

from .batteries import Battery, FixedBattery, LaptopBattery, SimulatedBattery
from .settings_text import converted, settings

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
        return _simulated(
            converted(
                "battery simulated", settings("battery simulated", rest, _SIMULATED), dict.fromkeys(_SIMULATED, float)
            )
        )
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
