"""The TOML file that ``kinestream wear`` writes and ``--axes`` reads: how a sensor is turned, and its units.

It holds ``axes``, and where a unit was wrong ``acc_factor`` and ``gyro_factor``; the rest is for people.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

from kinestream.core.atomic_file import write_atomically
from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError
from kinestream.core.toml_file import toml_text
from kinestream.windowing import ChannelMap

SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class AxesFile:
    """One sensor, checked once."""

    axes: str
    """As ``ChannelMap.parse`` reads it."""
    acc_factor: float = 1.0
    """Makes m/s^2 of the sensor's acceleration."""
    gyro_factor: float = 1.0
    """Makes rad/s of the sensor's angular rate."""
    source: str = ""
    """The address that was checked."""
    model: str = ""
    worn: str = ""
    """The orientation that ``axes`` leads to; empty: none, only units were checked."""
    rate_hz: float | None = None
    """As measured."""
    date: datetime | None = None
    notes: tuple[str, ...] = ()
    """What was found, a line each."""

    @property
    def channel_map(self) -> ChannelMap:
        """Raises: ConfigError."""
        return replace(ChannelMap.parse(self.axes), acc_factor=self.acc_factor, gyro_factor=self.gyro_factor)


def read_axes_file(path: Path) -> AxesFile:
    """The file's content, checked.

    Raises:
        ConfigError: it is not there, not TOML, or says something that makes no sense.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise ConfigError(f"{path} cannot be read ({reason}); kinestream wear writes such a file") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML ({error}); kinestream wear writes such a file") from None
    known = [field.name for field in fields(AxesFile)]
    for key in told:
        if key not in known:
            raise ConfigError(f"{path}: {unknown('key', key, known, 0.6)}")
    if not isinstance(told.get("axes"), str):
        raise ConfigError(f'{path}: expected axes = "-y x z", found {told.get("axes", "nothing")}')
    for key in ("acc_factor", "gyro_factor"):
        value = told.get(key, 1.0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value):
            raise ConfigError(f"{path}: {key} is {value!r}; expected a number other than 0")
    found = AxesFile(**{**told, "notes": tuple(told.get("notes", ()))})
    try:
        found.channel_map  # noqa: B018  # raises what is wrong with the axes
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return found


def is_axes_file(text: str) -> bool:
    """Whether what ``--axes`` was given is a file's path, and not ``-y x z``."""
    return text.strip().lower().endswith(SUFFIX)


def write_axes_file(path: Path, content: AxesFile) -> None:
    """Write the file, whole or not at all.

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
        raise ConfigError(f"{path} cannot be written ({error.strerror}); name another place with --out") from None
