"""Energy models: estimates of what a device's processor, radio and sensor draw, always shown with the model's name.

A model is a TOML file of coefficients, bundled in ``models/`` or written by the user; each coefficient states its
source. The energy of a window is the processor's. Sensor, radio and the sleeping processor draw power whether or not a
window is computed, so their part is a power.
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
"""Pairs of sampling rate in Hz, ascending, and power in mW."""


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor that runs the network."""

    power_mw: float
    """Power while it computes."""
    macs_per_s: float | None = None
    """Multiply-accumulates per second; None takes the latencies measured on this machine."""
    sleep_mw: float = 0.0
    """Power while it does not compute."""


@dataclass(frozen=True, slots=True)
class Radio:
    """The radio that sends every sample, or only the predictions."""

    event_uj: float
    """Energy of one connection event without payload."""
    byte_uj: float
    """Energy of each byte of payload."""
    events_per_s: float
    """Connection events per second, independent of the payload."""
    sample_bytes: float = 2.0
    """Bytes of one sample of one channel; 0 keeps samples on the device."""
    result_bytes: float = 0.0
    """Bytes of one prediction; 0 keeps predictions on the device."""

    def power_mw(self, values_per_s: float, predictions_per_s: float) -> float:
        """Return the mean power at these rates of channel values and predictions.

        >>> Radio(event_uj=10.0, byte_uj=1.0, events_per_s=5.0).power_mw(values_per_s=300.0, predictions_per_s=1.0)
        0.65
        """
        bytes_per_s = self.sample_bytes * values_per_s + self.result_bytes * predictions_per_s
        return (self.event_uj * self.events_per_s + self.byte_uj * bytes_per_s) / 1000.0


@dataclass(frozen=True, slots=True)
class Sensor:
    """The motion sensor's power by its rate, linear between the known rates.

    >>> from kinestream.core.signals import Sensing
    >>> Sensor(accelerometer_mw=((0.0, 0.0), (50.0, 0.5)), both_mw=((50.0, 2.0),)).power_mw(Sensing(25.0, gyro=False))
    0.25
    """

    accelerometer_mw: Curve
    """Power of the accelerometer alone."""
    both_mw: Curve
    """Power of accelerometer and gyroscope together."""

    def power_mw(self, sensing: Sensing) -> float:
        """Return the mean power; outside the known rates, the power at the nearest one."""
        return _along(self.both_mw if sensing.gyro else self.accelerometer_mw, sensing.fs_hz)


@dataclass(frozen=True, slots=True)
class EnergyModel:
    """The coefficients of one device.

    >>> busy_core(5.0).describe()[:53]
    "estimated by 'busy_core': measured p50 latency x 5 W;"
    """

    name: str
    about: str
    processor: Processor
    radio: Radio | None = None
    sensor: Sensor | None = None
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Source and certainty of each coefficient, by ``part.key``."""

    def window_mj(self, point: OperatingPoint) -> float:
        """Return the processor's energy for one window."""
        return self.window_ms(point) * (self.processor.power_mw / 1000.0)

    def window_ms(self, point: OperatingPoint) -> float:
        """Return how long the processor computes one window."""
        speed = self.processor.macs_per_s
        return point.p50_ms if speed is None else point.macs / speed * 1000.0

    def base_mw(self, sensing: Sensing, predictions_per_s: float = 0.0) -> float:
        """Return the power of sensor, radio and sleeping processor, which the network does not change."""
        values_per_s = sensing.fs_hz * (6 if sensing.gyro else 3)
        radio = self.radio.power_mw(values_per_s, predictions_per_s) if self.radio else 0.0
        sensor = self.sensor.power_mw(sensing) if self.sensor else 0.0
        return self.processor.sleep_mw + radio + sensor

    def applied(self, table: OperatingTable, *, latency: bool = True) -> OperatingTable:
        """Return the table with this model's energies and, if the model states its processor's speed, its latencies.

        Args:
            latency: False keeps the table's latencies, for a run on the machine that was measured.
        """
        speed = self.processor.macs_per_s
        costed = replace(
            table,
            energy_model=self.describe(),
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
        # The spread between windows on the device is unknown; assume the relative spread measured here.
        return replace(point, p50_ms=ms, p95_ms=ms * (point.p95_ms / point.p50_ms))

    def describe(self) -> str:
        """Return how the energy of one window is estimated, in words."""
        how = "measured p50 latency" if self.processor.macs_per_s is None else "MACs over the processor's speed"
        return f"estimated by '{self.name}': {how} x {self.processor.power_mw / 1000:g} W; {self.about}"


def busy_core(power_w: float) -> EnergyModel:
    """Return the simplest model: one busy core of this machine and nothing else.

    Raises:
        ConfigError: ``power_w`` is not a positive number.

    >>> busy_core(5.0).processor.power_mw
    5000.0
    """
    if not (math.isfinite(power_w) and power_w > 0):
        raise ConfigError(f"power_w is {power_w}; expected the watts a busy core draws, such as 5")
    about = "the assumed power of one busy core; the ratios between subnetworks do not depend on it"
    return EnergyModel("busy_core", about, Processor(power_w * 1000.0))


def energy_model_names() -> tuple[str, ...]:
    """Return the names of the bundled models.

    >>> "laptop" in energy_model_names()
    True
    """
    return bundled_names("kinestream.energy.models")


def read_energy_model(name_or_path: str) -> EnergyModel:
    """Return the bundled model of that name, or the model in a TOML file.

    Raises:
        ConfigError: no model has that name (the message suggests the nearest), or the file has a wrong key or value.

    >>> read_energy_model("nrf52840_lsm6dso").name
    'nrf52840_lsm6dso'
    """
    description = read_description("energy model", "kinestream.energy.models", name_or_path)
    return parse_energy_model(description.name, description.text, str(description.path or ""))


def parse_energy_model(name: str, text: str, where: str = "") -> EnergyModel:
    """Return the model in a TOML text.

    Args:
        where: the file's name for messages; default: the model's name.
    Raises:
        ConfigError: the text is not valid TOML, a key is unknown (the message suggests the nearest) or missing, or a
            value is out of range.

    >>> parse_energy_model("mine", 'about = "a watch"\\n[processor]\\npower_mw = 20').processor.power_mw
    20.0
    """
    where = f"energy model {where or name}"
    tables = parse_toml(where, text)
    check_keys(where, tables, ("about", "processor", "radio", "sensor", "sources"))
    if not isinstance(tables.get("about"), str) or "processor" not in tables:
        raise ConfigError(f'{where}: expected about = "..." and a [processor] table')
    sources = tables.get("sources", {})
    if not isinstance(sources, dict) or not all(isinstance(value, str) for value in sources.values()):
        raise ConfigError(f"{where}: expected [sources] with one text per coefficient")
    return EnergyModel(
        name,
        tables["about"],
        Processor(**_numbers(f"{where}, [processor]", tables["processor"], Processor, positive=("macs_per_s",))),
        Radio(**_numbers(f"{where}, [radio]", tables["radio"], Radio)) if "radio" in tables else None,
        _sensor(f"{where}, [sensor]", tables["sensor"]) if "sensor" in tables else None,
        sources,
    )


def _sensor(where: str, table: Any) -> Sensor:
    check_keys(where, table, [f.name for f in fields(Sensor)])
    curves: dict[str, Curve] = {}
    for name in (f.name for f in fields(Sensor)):
        pairs = table.get(name)
        good = isinstance(pairs, list) and pairs and all(isinstance(p, list) and len(p) == 2 for p in pairs)
        if not good or not all(_is_number(value) for pair in pairs for value in pair):
            raise ConfigError(f"{where}: expected {name} = [[Hz, mW], ...], found {pairs!r}")
        if any(a[0] >= b[0] for a, b in pairwise(pairs)):
            raise ConfigError(f"{where}: the rates of {name} must be in ascending order")
        curves[name] = tuple((float(hz), float(mw)) for hz, mw in pairs)
    return Sensor(**curves)


def _numbers(where: str, table: Any, cls: type[Any], positive: tuple[str, ...] = ()) -> dict[str, float]:
    known = {f.name: f for f in fields(cls)}
    check_keys(where, table, known)
    for key, value in table.items():
        if not _is_number(value) or (key in positive and value == 0):
            least = "above 0" if key in positive else "of 0 or more"
            raise ConfigError(f"{where}: {key} = {value!r}; expected a number {least}")
    required = ["power_mw"] if cls is Processor else ["event_uj", "byte_uj", "events_per_s"]
    if missing := [key for key in required if key not in table]:
        raise ConfigError(f"{where}: {missing[0]} is missing")
    return {key: float(value) for key, value in table.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _along(curve: Curve, at: float) -> float:
    if at <= curve[0][0]:
        return curve[0][1]
    for (x0, y0), (x1, y1) in pairwise(curve):
        if at <= x1:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return curve[-1][1]
