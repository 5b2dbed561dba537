"""Acceleration with gravity, and angular rate, out of whatever sensors a phone sends.

Android counts an acceleration positive in the direction the phone is pushed, so that a phone at rest reads +9.8 m/s^2
upwards; that is what ``acc_*`` means. An iPhone has every sign of acceleration and gravity the other way, and its
uncalibrated accelerometer in g (COORDINATES.md and CROSSPLATFORM.md of github.com/tszheichoi/awesome-sensor-logger),
unless "Standardise Units & Frames" is on. Angular rates are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kinestream.core.signals import ACC, GRAVITY, GYRO, STANDARD_GRAVITY

from .readings import Readings
from .sensor_logger import GRAVITY as GRAVITY_SENSOR
from .sensor_logger import GYRO as GYRO_SENSOR
from .sensor_logger import LINEAR, RAW, RAW_GYRO, TOTAL

Convention = Literal["ios", "android", "standard"]
CONVENTIONS: tuple[Convention, ...] = ("ios", "android", "standard")

_HALFWAY = 3.3  # between 1 g and 9.8 m/s^2, on the scale of their logarithms
_PLAUSIBLE = (6.0, 20.0)  # m/s^2, median of what a body wears: at rest 9.8, running up to twice that


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which sensors make the stream, and how."""

    sensors: Mapping[str, tuple[str, ...]]
    """Their columns, by sensor: the first leads the others in time."""
    factor: float
    """What turns the sum of the acceleration's sensors into m/s^2 with Android's sign."""
    assumed: str
    """What was taken for granted, for a person."""

    @property
    def channels(self) -> tuple[str, ...]:
        return (*ACC, *GYRO) if GYRO in self.sensors.values() else ACC


def choose(
    seen: Mapping[str, Readings], told: Convention | None = None, system: Literal["ios", "android"] | None = None
) -> Recipe | None:
    """The recipe for what a phone sent in its first seconds; None if no acceleration can be made of it.

    Args:
        seen: the first readings of every sensor.
        told: what the person said of units and signs.
        system: what the phone's requests say of its operating system.
    """
    sensors = _acceleration(seen)
    if sensors is None:
        return None
    convention, why = _convention(seen, told, system)
    gyro = next((sensor for sensor in (GYRO_SENSOR, RAW_GYRO) if sensor in seen), None)
    of = " + ".join(sensors)
    if gyro is not None:
        sensors[gyro] = GYRO
    factor = -1.0 if convention == "ios" else 1.0
    if RAW in sensors and convention == "ios":
        factor *= STANDARD_GRAVITY
    assumed = f"acceleration from {of}, {why}"
    level = _median_norm([seen[sensor] for sensor, columns in sensors.items() if columns != GYRO]) * abs(factor)
    if not _PLAUSIBLE[0] <= level <= _PLAUSIBLE[1]:
        assumed += f"; it is {level:.1f} m/s^2 in the median, expected about 9.8: check the units and os="
    if gyro is None:
        assumed += "; no gyroscope"
    return Recipe(sensors, factor, assumed)


def _acceleration(seen: Mapping[str, Readings]) -> dict[str, tuple[str, ...]] | None:
    if TOTAL in seen:
        return {TOTAL: ACC}
    if LINEAR in seen and GRAVITY_SENSOR in seen:
        return {LINEAR: ACC, GRAVITY_SENSOR: GRAVITY}
    if RAW in seen:
        return {RAW: ACC}
    return None


def _convention(
    seen: Mapping[str, Readings], told: Convention | None, system: Literal["ios", "android"] | None
) -> tuple[Convention, str]:
    if told is not None:
        return told, f"units and signs as os={told} says"
    if TOTAL in seen:
        return "android", "signs of Android, which alone sends a total"
    if RAW in seen:
        if _median_norm([seen[RAW]]) < _HALFWAY:
            return "ios", "signs of an iPhone, as the uncalibrated accelerometer is in g"
        return "standard", "signs of Android, as the uncalibrated accelerometer is in m/s^2"
    if system == "android":
        return "android", "signs of Android, as its requests say"
    why = "as its requests say" if system == "ios" else "as Android would send a total"
    return "ios", f"signs of an iPhone, {why}; if 'Standardise Units & Frames' is on, say os=standard"


def _median_norm(parts: list[Readings]) -> float:
    """The usual length of the sum; of parts at times of their own, of the sum of their usual vectors."""
    if len(parts) == 1:
        return float(np.median(np.linalg.norm(parts[0].x, axis=1)))
    return float(np.linalg.norm(sum(np.median(part.x, axis=0) for part in parts)))
