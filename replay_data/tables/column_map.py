"""The meaning and unit of a table's columns: given by the user, or derived from common names."""

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
"""The unit names of each quantity, with their factors to SI units."""

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
    """The columns and units a user gives for a table; missing entries are found by common names.

    >>> columns = ColumnMap.parse("time=ts:ms; acc=X,Y,Z:g")
    >>> columns.acc, columns.acc_unit, columns.time_unit
    (('X', 'Y', 'Z'), 'g', 'ms')
    >>> ColumnMap().resolve(["t", "ax", "ay", "az"], "walk.csv").acc
    ('ax', 'ay', 'az')

    Raises:
        ConfigError: a sensor has other than three columns, or a unit or the rate is not valid.
    """

    time: str | None = None
    time_unit: str | None = None
    """A key of ``TIME_UNITS``; default: the unit that puts the rate between 5 and 500 Hz."""
    rate_hz: float | None = None
    """Required without a time column; otherwise checked against it."""
    acc: tuple[str, ...] = ()
    """The columns of x, y and z."""
    acc_unit: str | None = None
    """A key of ``ACC_UNITS``; default: the unit in which gravity is about 9.8 m/s^2."""
    gyro: tuple[str, ...] = ()
    gyro_unit: str | None = None
    """A key of ``GYRO_UNITS``; default: rad/s, refused if no person could turn that fast."""
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
        """Parse the notation of the command line: ``time=ts:ms; acc=ax,ay,az:g; gyro=gx,gy,gz:dps; rate=50``.

        ``;`` separates the parts, ``,`` the columns of a sensor, and a unit follows a ``:``. The keys are time, rate,
        acc, gyro, label and subject.

        Raises:
            ConfigError: a part has another form, or a key, unit or rate is not valid.
        """
        columns = cls()
        for part in filter(None, (part.strip() for part in text.split(";"))):
            key, _, value = (piece.strip() for piece in part.partition("="))
            name, colon, unit = (piece.strip() for piece in value.rpartition(":")) if ":" in value else (value, "", "")
            match key:
                case "time" if value:
                    columns = replace(columns, time=name, time_unit=unit if colon else None)
                case "acc" if value:
                    columns = replace(columns, acc=_split(name), acc_unit=unit if colon else None)
                case "gyro" if value:
                    columns = replace(columns, gyro=_split(name), gyro_unit=unit if colon else None)
                case "label" if value:
                    columns = replace(columns, label=value)
                case "subject" if value:
                    columns = replace(columns, subject=value)
                case "rate":
                    try:
                        columns = replace(columns, rate_hz=float(value))
                    except ValueError:
                        raise ConfigError(f"rate is '{value}'; expected a number of Hz") from None
                case _:
                    raise ConfigError(
                        f"'{part}' in the column mapping; expected e.g. time=ts:ms; acc=ax,ay,az:g; "
                        "gyro=gx,gy,gz:dps; label=activity; subject=user; rate=50"
                    )
        return columns

    def resolve(self, header: Sequence[str], where: str) -> ColumnMap:
        """This map completed from a table's header: its columns and the units in their names.

        Args:
            header: the names of the table's columns.
            where: the table's name for messages.
        Raises:
            ConfigError: a given column is missing, there is no accelerometer or gyroscope, or neither a time column
                nor a rate.
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
    """The columns of x, y and z, empty if there are none; and their unit, if their names contain it."""
    columns: dict[str, str] = {}
    unit = None
    for name in header:
        if (match := re.fullmatch(_SENSOR_NAMES[sensor], _plain(name))) and (
            axis := match[1] or match[2]
        ) not in columns:
            columns[axis] = name
            unit = unit or _unit(match[3])
    if 0 < len(columns) < 3:
        missing = ", ".join(axis for axis in AXES if axis not in columns)
        raise ConfigError(
            f"{where} has {', '.join(columns.values())}, but no {sensor} column for {missing}; "
            f"it has {', '.join(header)}: name them, e.g. {sensor}=X,Y,Z"
        )
    return (tuple(columns[axis] for axis in AXES), unit) if columns else ((), None)


def _plain(name: str) -> str:
    """The name in lower case with underscores.

    ``Acceleration x (m/s^2)`` and ``Acceleration x [m/s²]`` become ``acceleration_x_m_s_2`` and ``_m_s2``,
    ``gyro_x (°/s)`` becomes ``gyro_x_deg_s``, ``rotationRateX`` becomes ``rotation_rate_x``.
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.translate(_SIGNS))
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _unit(in_name: str | None) -> str | None:
    return None if in_name is None else _UNIT_IN_NAME.get(in_name, in_name)


def _first(header: Sequence[str], wanted: tuple[str, ...]) -> str | None:
    return next((name for name in header if _plain(name) in wanted), None)


def _split(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(","))
