"""A day as a script: battery, load, deadline and link, hour by hour, in a TOML file."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

from kinestream.core.errors import ConfigError
from kinestream.core.toml_file import bundled_names, check_keys, parse_toml, read_description


@dataclass(frozen=True, slots=True)
class Phase:
    """How things stand from ``from_h`` until the next phase."""

    from_h: float = 0.0
    load: float = 1.0
    """How many times as long as the table says a window takes."""
    deadline_ms: float | None = None
    deadline: float | None = None
    """The same as a multiple of the full network's typical latency, so that a script fits any model and machine."""
    missing: float = 0.0
    """Share of samples the link loses. The policy is told; the windows are those without loss."""
    age_s: float = 0.0
    """How old the newest sample is on arrival."""
    extra_mw: float = 0.0
    """What other uses of the device draw: the plan is not told, only the gauge shows it."""
    charge_mw: float = 0.0
    """What a charger gives."""
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class Supply:
    """The battery at the beginning."""

    frac: float = 1.0
    capacity_j: float | None = None
    """None: it is as large as ``lasts_h`` says."""
    lasts_h: float | None = None
    """How long the full battery lasts if the full network runs on every window."""
    gauge: float = 0.0
    """The steps in which it tells its charge; 0: exactly."""
    tells_capacity: bool = True
    tells_base: float = 1.0
    """How much of the truth it says the device draws without inference."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One day.

    Raises:
        ConfigError: a value out of range, or phases that do not follow one another.
    """

    name: str
    about: str
    hours: float
    phases: tuple[Phase, ...]
    supply: Supply | None = None
    """None: the battery is never empty."""
    noise: float = 0.05
    """Standard deviation of a latency's logarithm from window to window."""

    def __post_init__(self) -> None:
        where = f"scenario {self.name}"
        if not (math.isfinite(self.hours) and 0 < self.hours <= 240):
            raise ConfigError(f"{where}: hours = {self.hours}; expected above 0, at most 240")
        if not 0 <= self.noise <= 2:
            raise ConfigError(f"{where}: noise = {self.noise}; expected 0 to 2")
        if not self.phases or self.phases[0].from_h != 0:
            raise ConfigError(f"{where}: the first [[phase]] must begin at from_h = 0")
        for one, two in pairwise(self.phases):
            if not one.from_h < two.from_h < self.hours:
                raise ConfigError(f"{where}: phases must follow one another within the day; see from_h = {two.from_h}")
        for phase in self.phases:
            _check_phase(where, phase)
        if self.supply is not None:
            _check_supply(where, self.supply)


def _check_phase(where: str, phase: Phase) -> None:
    at = f"{where}, phase from {phase.from_h:g} h"
    limits = {"load": (1e-3, 1e3), "missing": (0, 1), "age_s": (0, 3600), "extra_mw": (0, 1e6), "charge_mw": (0, 1e6)}
    for name, (least, most) in limits.items():
        if not least <= getattr(phase, name) <= most:
            raise ConfigError(f"{at}: {name} = {getattr(phase, name)}; expected {least:g} to {most:g}")
    if phase.deadline_ms is not None and phase.deadline is not None:
        raise ConfigError(f"{at}: deadline_ms and deadline both say how long a window may take; give one of them")
    for name in ("deadline_ms", "deadline"):
        value = getattr(phase, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{at}: {name} = {value}; expected above 0")


def _check_supply(where: str, supply: Supply) -> None:
    if (supply.capacity_j is None) == (supply.lasts_h is None):
        raise ConfigError(f"{where}, [battery]: give either capacity_j or lasts_h")
    for name in ("capacity_j", "lasts_h"):
        value = getattr(supply, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{where}, [battery]: {name} = {value}; expected above 0")
    if not (0 < supply.frac <= 1 and 0 <= supply.gauge < 1 and 0 <= supply.tells_base <= 10):
        raise ConfigError(f"{where}, [battery]: frac above 0 to 1, gauge 0 to below 1, tells_base 0 to 10")


def scenario_names() -> tuple[str, ...]:
    """The scenarios that come with kinestream."""
    return bundled_names("kinestream.lab.scenarios")


def read_scenario(name_or_path: str) -> Scenario:
    """A bundled scenario by its name, or a TOML file like the bundled ones.

    Raises:
        ConfigError: no such scenario (the nearest is named), or a key or value the format does not have.
    """
    told = read_description("scenario", "kinestream.lab.scenarios", name_or_path)
    return parse_scenario(told.name, told.text)


def parse_scenario(name: str, text: str) -> Scenario:
    """The scenario a TOML text describes.

    Raises:
        ConfigError: no TOML, an unknown key (the nearest is named), or a value of another kind or out of range.
    """
    where = f"scenario {name}"
    told = parse_toml(where, text)
    check_keys(where, told, ("about", "hours", "noise", "battery", "phase"))
    phases = told.get("phase", [{}])
    if not isinstance(phases, list):
        raise ConfigError(f"{where}: expected [[phase]] tables")
    supply = told.get("battery")
    whole = {key: told[key] for key in ("hours", "noise") if key in told}
    numbers = {key: _value(where, key, value, "float") for key, value in whole.items()}
    if "hours" not in numbers or not isinstance(told.get("about", ""), str):
        raise ConfigError(f'{where}: expected hours = ... and about = "..."')
    return Scenario(
        name=name,
        about=told.get("about", ""),
        phases=tuple(Phase(**_values(f"{where}, [[phase]]", phase, Phase)) for phase in phases),
        supply=None if supply is None else Supply(**_values(f"{where}, [battery]", supply, Supply)),
        **numbers,
    )


def _values(where: str, told: Any, cls: type[Any]) -> dict[str, Any]:
    kinds = {f.name: str(f.type) for f in fields(cls)}
    check_keys(where, told, kinds)
    return {key: _value(where, key, value, kinds[key]) for key, value in told.items()}


def _value(where: str, key: str, value: Any, kind: str) -> Any:
    if kind == "bool":
        if not isinstance(value, bool):
            raise ConfigError(f"{where}: {key} = {value!r}; expected true or false")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ConfigError(f"{where}: {key} = {value!r}; expected a number")
    return float(value)
