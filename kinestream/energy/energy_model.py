"""What a device's processor, radio and sensor draw: an estimate, always shown with its model's name.

A model is a TOML file of coefficients (``models/``, or one's own): each says where its number comes from. The
energy of one window is the processor's; what sensor, radio and the sleeping processor draw goes on whether or not a
window is computed, and is told as a power.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError
from kinestream.core.toml_file import bundled_names, check_keys, parse_toml, read_description

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kinestream.core.operating_table import OperatingPoint, OperatingTable
    from kinestream.core.signals import Sensing

Curve = tuple[tuple[float, float], ...]
"""Sampling rates in Hz, ascending, and the power in mW at each."""


@dataclass(frozen=True, slots=True)
class Processor:
    """Where the network runs."""

    power_mw: float
    """While it computes."""
    macs_per_s: float | None = None
    """How many multiply-accumulates it does in a second; None: as long as was measured on this machine."""
    sleep_mw: float = 0.0
    """While it does not compute."""


@dataclass(frozen=True, slots=True)
class Radio:
    """What leaves the device: every sample, or only what was recognised."""

    event_uj: float
    """One connection event without payload."""
    byte_uj: float
    """Each byte of payload."""
    events_per_s: float
    """Connection events that are kept up whatever is sent."""
    sample_bytes: float = 2.0
    """Bytes of one channel's sample; 0: samples stay on the device."""
    result_bytes: float = 0.0
    """Bytes of one prediction; 0: predictions stay on the device."""

    def power_mw(self, values_per_s: float, predictions_per_s: float) -> float:
        """Mean power for so many channel values and predictions a second."""
        bytes_per_s = self.sample_bytes * values_per_s + self.result_bytes * predictions_per_s
        return (self.event_uj * self.events_per_s + self.byte_uj * bytes_per_s) / 1000.0


@dataclass(frozen=True, slots=True)
class Sensor:
    """The motion sensor's power over its rate, straight lines between the rates that are known."""

    accelerometer_mw: Curve
    """Accelerometer alone."""
    both_mw: Curve
    """With the gyroscope."""

    def power_mw(self, sensing: Sensing) -> float:
        """Mean power; beyond the ends of the curve, that of its end."""
        return _along(self.both_mw if sensing.gyro else self.accelerometer_mw, sensing.fs_hz)


@dataclass(frozen=True, slots=True)
class EnergyModel:
    """Coefficients of one device."""

    name: str
    about: str
    processor: Processor
    radio: Radio | None = None
    sensor: Sensor | None = None
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where each coefficient comes from and how sure it is, by ``part.key``."""

    def window_mj(self, point: OperatingPoint) -> float:
        """The processor's energy for one window."""
        return self.window_ms(point) * (self.processor.power_mw / 1000.0)

    def window_ms(self, point: OperatingPoint) -> float:
        """How long the processor computes one window."""
        speed = self.processor.macs_per_s
        return point.p50_ms if speed is None else point.macs / speed * 1000.0

    def base_mw(self, sensing: Sensing, predictions_per_s: float = 0.0) -> float:
        """What is drawn whatever the network does: sensor, radio and the sleeping processor."""
        values_per_s = sensing.fs_hz * (6 if sensing.gyro else 3)
        radio = self.radio.power_mw(values_per_s, predictions_per_s) if self.radio else 0.0
        sensor = self.sensor.power_mw(sensing) if self.sensor else 0.0
        return self.processor.sleep_mw + radio + sensor

    def applied(self, table: OperatingTable, *, latency: bool = True) -> OperatingTable:
        """The table with this model's energies and, where the model says how fast its processor is, its latencies.

        Args:
            latency: False keeps the table's own, for a run on the machine that was measured.
        """
        speed = self.processor.macs_per_s
        costed = replace(
            table,
            energy_model=self.told(),
            points=tuple(replace(point, energy_mj=self.window_mj(point)) for point in table.points),
            sensing=tuple(replace(row, base_mw=self.base_mw(row.sensing)) for row in table.sensing),
        )
        if speed is None or not latency:
            return costed
        return replace(
            costed,
            machine=f"{self.name}, {speed / 1e6:,.10g} million MACs a second",
            points=tuple(self._timed(point) for point in costed.points),
        )

    def _timed(self, point: OperatingPoint) -> OperatingPoint:
        ms = self.window_ms(point)
        # From window to window it varies as it does here: nobody knows how it varies there.
        return replace(point, p50_ms=ms, p95_ms=ms * (point.p95_ms / point.p50_ms))

    def told(self) -> str:
        """How the energy of one window is estimated, in words."""
        how = "measured p50 latency" if self.processor.macs_per_s is None else "MACs over the processor's speed"
        return f"estimated by '{self.name}': {how} x {self.processor.power_mw / 1000:g} W; {self.about}"


def busy_core(power_w: float) -> EnergyModel:
    """The plainest model: one busy core of this machine, nothing else.

    Raises:
        ConfigError: ``power_w`` is not a positive number.
    """
    if not (math.isfinite(power_w) and power_w > 0):
        raise ConfigError(f"power_w is {power_w}; expected the watts a busy core draws, such as 5")
    about = "the assumed power of one busy core; the ratios between subnetworks do not depend on it"
    return EnergyModel("busy_core", about, Processor(power_w * 1000.0))


def energy_model_names() -> tuple[str, ...]:
    """The models that come with kinestream."""
    return bundled_names("kinestream.energy.models")


def read_energy_model(name_or_path: str) -> EnergyModel:
    """A bundled model by its name, or a TOML file like the bundled ones.

    Raises:
        ConfigError: no such model (the nearest is named), or a key or value the format does not have.
    """
    told = read_description("energy model", "kinestream.energy.models", name_or_path)
    return parse_energy_model(told.name, told.text, str(told.path or ""))


def parse_energy_model(name: str, text: str, where: str = "") -> EnergyModel:
    """The model a TOML text describes; ``where`` is named in complaints.

    Raises:
        ConfigError: no TOML, an unknown key (the nearest is named), a key missing, or a value out of range.
    """
    where = f"energy model {where or name}"
    told = parse_toml(where, text)
    check_keys(where, told, ("about", "processor", "radio", "sensor", "sources"))
    if not isinstance(told.get("about"), str) or "processor" not in told:
        raise ConfigError(f'{where}: expected about = "..." and a [processor] table')
    sources = told.get("sources", {})
    if not isinstance(sources, dict) or not all(isinstance(value, str) for value in sources.values()):
        raise ConfigError(f"{where}: [sources] tells in words where each number comes from")
    return EnergyModel(
        name,
        told["about"],
        Processor(**_numbers(f"{where}, [processor]", told["processor"], Processor, positive=("macs_per_s",))),
        Radio(**_numbers(f"{where}, [radio]", told["radio"], Radio)) if "radio" in told else None,
        _sensor(f"{where}, [sensor]", told["sensor"]) if "sensor" in told else None,
        sources,
    )


def _sensor(where: str, told: Any) -> Sensor:
    check_keys(where, told, [f.name for f in fields(Sensor)])
    curves: dict[str, Curve] = {}
    for name in (f.name for f in fields(Sensor)):
        pairs = told.get(name)
        good = isinstance(pairs, list) and pairs and all(isinstance(p, list) and len(p) == 2 for p in pairs)
        if not good or not all(_is_number(value) for pair in pairs for value in pair):
            raise ConfigError(f"{where}: expected {name} = [[Hz, mW], ...], found {pairs!r}")
        if any(a[0] >= b[0] for a, b in pairwise(pairs)):
            raise ConfigError(f"{where}: the rates of {name} must rise")
        curves[name] = tuple((float(hz), float(mw)) for hz, mw in pairs)
    return Sensor(**curves)


def _numbers(where: str, told: Any, cls: type[Any], positive: tuple[str, ...] = ()) -> dict[str, float]:
    known = {f.name: f for f in fields(cls)}
    check_keys(where, told, known)
    for key, value in told.items():
        if not _is_number(value) or (key in positive and value == 0):
            least = "above 0" if key in positive else "of 0 or more"
            raise ConfigError(f"{where}: {key} = {value!r}; expected a number {least}")
    required = ["power_mw"] if cls is Processor else ["event_uj", "byte_uj", "events_per_s"]
    if missing := [key for key in required if key not in told]:
        raise ConfigError(f"{where}: {missing[0]} is missing")
    return {key: float(value) for key, value in told.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _along(curve: Curve, at: float) -> float:
    if at <= curve[0][0]:
        return curve[0][1]
    for (x0, y0), (x1, y1) in pairwise(curve):
        if at <= x1:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return curve[-1][1]
