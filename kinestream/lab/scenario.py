"""A scripted day in a TOML file: battery, load, deadline and link, phase by phase."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

from kinestream.core.errors import ConfigError
from kinestream.core.toml_file import bundled_names, check_keys, parse_toml, read_description


@dataclass(frozen=True, slots=True)
class Phase:
    """The conditions from ``from_h`` until the next phase.

    >>> Phase(from_h=2, load=3.0, deadline_ms=20).extra_mw
    0.0
    """

    from_h: float = 0.0
    load: float = 1.0
    """Latency of a window as a multiple of the table's."""
    deadline_ms: float | None = None
    deadline: float | None = None
    """The deadline as a multiple of the full network's typical latency, for scripts that fit any model and machine."""
    missing: float = 0.0
    """Share of samples that the link loses. The policy sees it; the windows themselves are complete."""
    age_s: float = 0.0
    """Age of the newest sample on arrival, in seconds."""
    extra_mw: float = 0.0
    """Power that other uses of the device draw: only the battery gauge shows it to a policy."""
    charge_mw: float = 0.0
    """Power from a charger."""
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class Supply:
    """The battery at the start of the day.

    >>> Supply(frac=0.5, lasts_h=8).tells_capacity
    True
    """

    frac: float = 1.0
    """Charge, above 0 to 1."""
    capacity_j: float | None = None
    """Energy of the full battery; None: ``lasts_h`` gives it."""
    lasts_h: float | None = None
    """Hours that the full battery lasts if the full network runs on every window."""
    gauge: float = 0.0
    """Resolution of the battery gauge, as a share of the full charge; 0: exact."""
    tells_capacity: bool = True
    """Whether a policy can read the battery's capacity."""
    tells_base: float = 1.0
    """Reported power without inference, as a share of the true one."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One day.

    Raises:
        ConfigError: a value is out of range, or the phases are out of order.

    >>> day = Scenario("mine", "", hours=8, phases=(Phase(deadline_ms=20), Phase(from_h=4, load=2.0)))
    >>> [phase.from_h for phase in day.phases]
    [0.0, 4]
    """

    name: str
    about: str
    hours: float
    phases: tuple[Phase, ...]
    supply: Supply | None = None
    """None: the battery is never empty."""
    noise: float = 0.05
    """Standard deviation of the logarithm of a window's latency."""

    def __post_init__(self) -> None:
        where = f"scenario {self.name}"
        if not (math.isfinite(self.hours) and 0 < self.hours <= 240):
            raise ConfigError(f"{where}: hours = {self.hours}; expected above 0, at most 240")
        if not 0 <= self.noise <= 2:
            raise ConfigError(f"{where}: noise = {self.noise}; expected 0 to 2")
        if not self.phases or self.phases[0].from_h != 0:
            raise ConfigError(f"{where}: the first [[phase]] must begin at from_h = 0")
        for phase, following in pairwise(self.phases):
            if not phase.from_h < following.from_h < self.hours:
                raise ConfigError(
                    f"{where}: phases must be in order and within the day; see from_h = {following.from_h}"
                )
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
        raise ConfigError(f"{at}: deadline_ms and deadline both set the deadline; give only one")
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
        raise ConfigError(
            f"{where}, [battery]: expected frac above 0 and at most 1, gauge from 0 to below 1, tells_base from 0 to 10"
        )


def scenario_names() -> tuple[str, ...]:
    """The names of the bundled scenarios.

    >>> scenario_names()
    ('busy_phone', 'clinic_day', 'commute', 'low_battery')
    """
    return bundled_names("kinestream.lab.scenarios")


def read_scenario(name_or_path: str) -> Scenario:
    """A bundled scenario by name, or one in a TOML file of the same format.

    Raises:
        ConfigError: there is no such scenario, or the file does not follow the format.

    >>> read_scenario("low_battery").hours
    6.0
    """
    description = read_description("scenario", "kinestream.lab.scenarios", name_or_path)
    return parse_scenario(description.name, description.text)


def parse_scenario(name: str, text: str) -> Scenario:
    """The scenario that a TOML text describes.

    Raises:
        ConfigError: the text is not valid TOML, a key is unknown, or a value has the wrong type or is out of range.

    >>> parse_scenario("mine", "hours = 2\\n[[phase]]\\ndeadline_ms = 30").phases[0].deadline_ms
    30.0
    """
    where = f"scenario {name}"
    values = parse_toml(where, text)
    check_keys(where, values, ("about", "hours", "noise", "battery", "phase"))
    phases = values.get("phase", [{}])
    if not isinstance(phases, list):
        raise ConfigError(f"{where}: expected [[phase]] tables")
    supply = values.get("battery")
    numbers = {key: _value(where, key, values[key], "float") for key in ("hours", "noise") if key in values}
    if "hours" not in numbers or not isinstance(values.get("about", ""), str):
        raise ConfigError(f'{where}: expected hours = ... and about = "..."')
    return Scenario(
        name=name,
        about=values.get("about", ""),
        phases=tuple(Phase(**_values(f"{where}, [[phase]]", phase, Phase)) for phase in phases),
        supply=None if supply is None else Supply(**_values(f"{where}, [battery]", supply, Supply)),
        **numbers,
    )


def _values(where: str, table: Any, cls: type[Any]) -> dict[str, Any]:
    kinds = {f.name: str(f.type) for f in fields(cls)}
    check_keys(where, table, kinds)
    return {key: _value(where, key, value, kinds[key]) for key, value in table.items()}


def _value(where: str, key: str, value: Any, kind: str) -> Any:
    if kind == "bool":
        if not isinstance(value, bool):
            raise ConfigError(f"{where}: {key} = {value!r}; expected true or false")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ConfigError(f"{where}: {key} = {value!r}; expected a number")
    return float(value)
