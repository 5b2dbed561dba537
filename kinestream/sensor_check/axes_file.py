"""The TOML file that ``kinestream wear`` writes and ``--axes`` reads: a sensor's orientation and units.

``axes`` is required, ``acc_factor`` and ``gyro_factor`` correct a wrong unit, and all other keys inform people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

from kinestream.core.atomic_file import write_atomically
from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError
from kinestream.core.toml_file import parse_toml, toml_text
from kinestream.windowing import ChannelMap

SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class AxesFile:
    """The result of checking one sensor."""

    axes: str
    """As ``ChannelMap.parse`` reads it."""
    acc_factor: float = 1.0
    """Factor from the sensor's acceleration to m/s^2."""
    gyro_factor: float = 1.0
    """Factor from the sensor's angular rate to rad/s."""
    source: str = ""
    """The address of the checked sensor."""
    model: str = ""
    worn: str = ""
    """The orientation that ``axes`` maps to; empty: only the units were checked."""
    rate_hz: float | None = None
    """The measured rate."""
    date: datetime | None = None
    notes: tuple[str, ...] = ()
    """The findings, one line each."""

    @property
    def channel_map(self) -> ChannelMap:
        """The mapping with its factors.

        Raises:
            ConfigError: ``axes`` is not a valid mapping.
        """
        return replace(ChannelMap.parse(self.axes), acc_factor=self.acc_factor, gyro_factor=self.gyro_factor)


def read_axes_file(path: Path) -> AxesFile:
    """The checked content of the file.

    Raises:
        ConfigError: the file is missing, is not valid TOML, or has an unknown key or a wrong value.
    """
    try:
        values = parse_toml(str(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"{path} cannot be read ({reason}); kinestream wear writes such a file") from None
    known = [field.name for field in fields(AxesFile)]
    for key in values:
        if key not in known:
            raise ConfigError(f"{path}: {unknown('key', key, known, 0.6)}")
    if not isinstance(values.get("axes"), str):
        raise ConfigError(f'{path}: expected axes = "-y x z", found {values.get("axes", "nothing")}')
    for key in ("acc_factor", "gyro_factor"):
        value = values.get(key, 1.0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value):
            raise ConfigError(f"{path}: {key} is {value!r}; expected a number other than 0")
    for key, expected in _OTHERS.items():
        if key in values and not _is(values[key], expected):
            raise ConfigError(f"{path}: {key} is {values[key]!r}; expected {expected}")
    content = AxesFile(**{**values, "notes": tuple(values.get("notes", ()))})
    try:
        content.channel_map  # noqa: B018  # raises if the axes are wrong
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return content


_OTHERS = {
    **dict.fromkeys(("source", "model", "worn"), "a text"),
    "rate_hz": "a positive number",
    "date": "a date and time",
    "notes": "a list of texts",
}


def _is(value: object, expected: str) -> bool:
    match expected:
        case "a text":
            return isinstance(value, str)
        case "a positive number":
            return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
        case "a date and time":
            return isinstance(value, datetime)
        case _:
            return isinstance(value, list) and all(isinstance(text, str) for text in value)


def is_axes_file(text: str) -> bool:
    """Whether the value of ``--axes`` is the path of a file rather than a mapping such as ``-y x z``."""
    return text.strip().lower().endswith(SUFFIX)


def write_axes_file(path: Path, content: AxesFile) -> None:
    """Write the file atomically.

    Raises:
        ConfigError: the folder cannot be written.
    """
    values = {field.name: getattr(content, field.name) for field in fields(AxesFile)}
    stated = {key: value for key, value in values.items() if value not in (None, "", ())}
    if content.date is not None:
        stated["date"] = content.date.replace(microsecond=0)
    try:
        write_atomically(path, toml_text(stated, f"kinestream run SOURCE --axes {path.name}"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}); choose another path with --out") from None
