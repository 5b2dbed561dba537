"""From what a person types to a policy or a battery: ``latency:low=0.7,high=1.0``, ``simulated:hours=8,frac=0.3``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from kinestream.errors import ConfigError
from kinestream.operating_table import OperatingTable
from kinestream.signals import Subnet

from .battery import Battery, FixedBattery, LaptopBattery, SimulatedBattery
from .battery_policy import BatteryPolicy
from .fixed import FixedPolicy
from .latency import LatencyPolicy
from .state import Policy

POLICIES: dict[str, type[FixedPolicy] | type[LatencyPolicy] | type[BatteryPolicy]] = {
    cls.kind: cls for cls in (FixedPolicy, LatencyPolicy, BatteryPolicy)
}
"""Every kind of policy by the name it is asked for with."""

BATTERIES = ("simulated", "laptop")
"""The named batteries; a number from 0 to 1 is a fixed charge."""

# How the text of a setting is read, by the annotation of its field.
_READ: dict[str, Callable[[str], Any]] = {"float": float, "int": int, "Subnet | None": Subnet.parse}


def make_policy(text: str, table: OperatingTable) -> Policy:
    """The policy a person wrote as ``KIND`` or ``KIND:KEY=VALUE,...``; ``fixed:0.5x-128`` for short.

    Raises:
        ConfigError: unknown kind or key (the nearest known one is named), or a value out of range.
    """
    kind, _, rest = text.strip().partition(":")
    cls = POLICIES.get(kind)
    if cls is None:
        raise ConfigError(_unknown("policy", kind, POLICIES))
    if cls is FixedPolicy and rest and "=" not in rest:
        rest = f"subnet={rest}"
    readers = {f.name: _READ[str(f.type)] for f in fields(cls) if f.init and f.name != "table"}
    return cls(table, **_settings(f"policy {kind}", rest, readers))


def write_policy(policy: Policy) -> str:
    """The text from which ``make_policy`` makes this policy again, all its settings written out."""
    cls = POLICIES[policy.kind]
    settings = {f.name: getattr(policy, f.name) for f in fields(cls) if f.init and f.name != "table"}
    written = ",".join(f"{name}={value}" for name, value in settings.items() if value is not None)
    return f"{policy.kind}:{written}" if written else policy.kind


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
        return _simulated(_settings("battery simulated", rest, dict.fromkeys(_SIMULATED, float)))
    try:
        return FixedBattery(float(text))
    except ValueError:
        raise ConfigError(_unknown("battery", text, BATTERIES) + "; or a charge from 0 to 1") from None


_SIMULATED = ("capacity_j", "frac", "base_mw", "hours")


def _simulated(settings: dict[str, float]) -> SimulatedBattery:
    hours = settings.pop("hours", None)
    if hours is None:
        return SimulatedBattery(**settings)
    if "capacity_j" in settings:
        raise ConfigError("battery simulated: hours and capacity_j both say how large it is; give one of them")
    base_mw = settings.get("base_mw", SimulatedBattery().base_mw)
    return SimulatedBattery(capacity_j=base_mw / 1000.0 * hours * 3600.0, **settings)


def _settings(owner: str, text: str, readers: dict[str, Callable[[str], Any]]) -> dict[str, Any]:
    """The ``KEY=VALUE,...`` of one policy or battery, each value read by its key's reader."""
    settings: dict[str, Any] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise ConfigError(f"{owner}: '{item}' is not KEY=VALUE; keys are {', '.join(readers)}")
        if key not in readers:
            raise ConfigError(_unknown(f"{owner}: key", key, readers))
        if key in settings:
            raise ConfigError(f"{owner}: {key} is given twice")
        try:
            settings[key] = readers[key](value)
        except ValueError:
            raise ConfigError(f"{owner}: {key}={value} is not a number") from None
    return settings


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"unknown {what} '{name}'{hint}; known: {', '.join(known)}"
