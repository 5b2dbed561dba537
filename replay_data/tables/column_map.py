"""Which column of a table is what, in which unit: said by a person, or read off the usual names."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kinestream.core.errors import ConfigError
from kinestream.core.signals import AXES, STANDARD_GRAVITY

TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
ACC_UNITS = {"m/s^2": 1.0, "m/s2": 1.0, "g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY / 1000}
GYRO_UNITS = {"rad/s": 1.0, "dps": math.pi / 180, "deg/s": math.pi / 180}
"""Factors to SI units."""

_TIME_NAME = re.compile(r"(?:t|time|timestamp|time_stamp|datetime|date_time|elapsed)(?:_(s|sec|seconds|ms|us|ns))?")
_SENSOR_NAMES = {
    "acc": r"(?:(?:acc|accel|acceleration|accelerometer)_?([xyz])|a([xyz]))(?:_(m_s_?2|ms2|mps2|mg|g))?",
    "gyro": r"(?:(?:gyro|gyr|gyroscope|angular_velocity|rotation_rate)_?([xyz])|[gw]([xyz]))(?:_(rad_?s|dps|deg_?s))?",
}
_UNIT_IN_NAME = {
    **dict.fromkeys(("m_s2", "m_s_2", "ms2", "mps2"), "m/s^2"),
    **dict.fromkeys(("rad_s", "rads"), "rad/s"),
    **dict.fromkeys(("deg_s", "degs", "dps"), "dps"),
    **dict.fromkeys(("sec", "seconds"), "s"),
}
_SIGNS = str.maketrans({"²": "2", "°": "deg", "µ": "u", "μ": "u"})
_LABEL_NAMES = ("label", "activity", "class", "annotation")
_SUBJECT_NAMES = ("subject", "user", "person", "participant", "subject_id", "user_id")


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """What a person says about a table; what is left out is looked for under the usual names."""

    time: str | None = None
    time_unit: str | None = None
    """One of ``TIME_UNITS``; default: the one that puts the rate between 5 and 500 Hz."""
    rate_hz: float | None = None
    """Needed where there is no time column; else checked against it."""
    acc: tuple[str, ...] = ()
    """The columns of x, y, z."""
    acc_unit: str | None = None
    """One of ``ACC_UNITS``; default: the one in which gravity is about 9.8 m/s^2."""
    gyro: tuple[str, ...] = ()
    gyro_unit: str | None = None
    """One of ``GYRO_UNITS``; default: rad/s, refused where nobody could turn that fast."""
    label: str | None = None
    subject: str | None = None

    def __post_init__(self) -> None:
        for name, columns in (("acc", self.acc), ("gyro", self.gyro)):
            if len(columns) not in (0, 3):
                raise ConfigError(f"{name} has the columns {', '.join(columns)}; expected three, for x, y, z")
        for name, unit, known in (
            ("time", self.time_unit, TIME_UNITS),
            ("acc", self.acc_unit, ACC_UNITS),
            ("gyro", self.gyro_unit, GYRO_UNITS),
        ):
            if unit is not None and unit not in known:
                raise ConfigError(f"{name} is in '{unit}'; expected one of {', '.join(known)}")
        if self.rate_hz is not None and not (math.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise ConfigError(f"rate is {self.rate_hz}; expected a positive number of Hz")

    @classmethod
    def parse(cls, text: str) -> ColumnMap:
        """The mapping written on a command line: ``time=ts:ms; acc=ax,ay,az:g; gyro=gx,gy,gz:dps; rate=50``.

        Parts are separated by ``;``, the columns of a sensor by ``,``; a unit follows a ``:``. Keys are time,
        rate, acc, gyro, label, subject.

        Raises:
            ConfigError: a part has another form, or an unknown key, unit or rate.
        """
        said = cls()
        for part in filter(None, (part.strip() for part in text.split(";"))):
            key, _, value = (piece.strip() for piece in part.partition("="))
            name, colon, unit = (piece.strip() for piece in value.rpartition(":")) if ":" in value else (value, "", "")
            match key:
                case "time" if value:
                    said = replace(said, time=name, time_unit=unit if colon else None)
                case "acc" if value:
                    said = replace(said, acc=_split(name), acc_unit=unit if colon else None)
                case "gyro" if value:
                    said = replace(said, gyro=_split(name), gyro_unit=unit if colon else None)
                case "label" if value:
                    said = replace(said, label=value)
                case "subject" if value:
                    said = replace(said, subject=value)
                case "rate":
                    try:
                        said = replace(said, rate_hz=float(value))
                    except ValueError:
                        raise ConfigError(f"rate is '{value}'; expected a number of Hz") from None
                case _:
                    raise ConfigError(
                        f"'{part}' in the column mapping; expected e.g. time=ts:ms; acc=ax,ay,az:g; "
                        "gyro=gx,gy,gz:dps; label=activity; subject=user; rate=50"
                    )
        return said

    def resolve(self, header: Sequence[str], where: str) -> ColumnMap:
        """The same with every column named that the table has, and every unit that stands in a column's name.

        Raises:
            ConfigError: a column that was named is not there, there is no accelerometer or gyroscope, or neither
                a time column nor a rate.
        """
        named = [self.time, *self.acc, *self.gyro, self.label, self.subject]
        missing = [name for name in named if name is not None and name not in header]
        if missing:
            raise ConfigError(f"{where} has no column {', '.join(missing)}; it has {', '.join(header)}")
        full = self
        if self.time is None:
            for name in header:
                if match := _TIME_NAME.fullmatch(_plain(name)):
                    full = replace(full, time=name, time_unit=self.time_unit or _unit(match[1]))
                    break
        for sensor in ("acc", "gyro"):
            if not getattr(self, sensor):
                columns, unit = _find_sensor(sensor, header, where)
                full = replace(full, **{sensor: columns, f"{sensor}_unit": getattr(self, f"{sensor}_unit") or unit})
        if not full.acc and not full.gyro:
            raise ConfigError(
                f"{where} has no column that looks like an accelerometer or gyroscope (acc_x, ax, gyro_x, gx, ...); "
                f"it has {', '.join(header)}: name them, e.g. acc=X,Y,Z:g"
            )
        if full.time is None and full.rate_hz is None:
            raise ConfigError(
                f"{where} has no column that looks like a time (t, time, timestamp, ...); it has {', '.join(header)}: "
                "name it, e.g. time=ts:ms, or give the rate, e.g. rate=50"
            )
        return replace(
            full,
            label=self.label or _first(header, _LABEL_NAMES),
            subject=self.subject or _first(header, _SUBJECT_NAMES),
        )


def _find_sensor(sensor: str, header: Sequence[str], where: str) -> tuple[tuple[str, ...], str | None]:
    """The columns of x, y, z, or none; and their unit, where their names say it."""
    found: dict[str, str] = {}
    unit = None
    for name in header:
        if (match := re.fullmatch(_SENSOR_NAMES[sensor], _plain(name))) and (axis := match[1] or match[2]) not in found:
            found[axis] = name
            unit = unit or _unit(match[3])
    if 0 < len(found) < 3:
        lost = ", ".join(axis for axis in AXES if axis not in found)
        raise ConfigError(
            f"{where} has {', '.join(found.values())}, but no {sensor} column for {lost}; it has {', '.join(header)}: "
            f"name them, e.g. {sensor}=X,Y,Z"
        )
    return (tuple(found[axis] for axis in AXES), unit) if found else ((), None)


def _plain(name: str) -> str:
    """``Acceleration x (m/s^2)`` and ``Acceleration x [m/s²]`` become ``acceleration_x_m_s_2`` and ``_m_s2``,
    ``gyro_x (°/s)`` becomes ``gyro_x_deg_s``, ``rotationRateX`` becomes ``rotation_rate_x``."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.translate(_SIGNS))
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _unit(in_name: str | None) -> str | None:
    return None if in_name is None else _UNIT_IN_NAME.get(in_name, in_name)


def _first(header: Sequence[str], wanted: tuple[str, ...]) -> str | None:
    return next((name for name in header if _plain(name) in wanted), None)


def _split(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(","))
