"""Conversion of a phone's sensors to acceleration with gravity and angular rate, in SI units and Android's signs.

On Android, an acceleration is positive in the direction in which the phone is pushed, so a phone at rest reads
+9.8 m/s^2 upwards; ``acc_*`` has this convention. On an iPhone, acceleration and gravity have the opposite signs, and
the uncalibrated accelerometer is in g (COORDINATES.md and CROSSPLATFORM.md of
github.com/tszheichoi/awesome-sensor-logger), unless "Standardise Units & Frames" is on. Angular rates are the same on
both. An Apple Watch follows the iPhone, with gravity and acceleration in g.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kinestream.core.signals import ACC, GRAVITY, GYRO, STANDARD_GRAVITY

from .readings import Readings
from .sensor_logger import GRAVITY as GRAVITY_SENSOR
from .sensor_logger import GYRO as GYRO_SENSOR
from .sensor_logger import LINEAR, RAW, RAW_GYRO, TOTAL, WRIST_GRAVITY, WRIST_GYRO, WRIST_LINEAR

Convention = Literal["ios", "android", "standard"]
CONVENTIONS: tuple[Convention, ...] = ("ios", "android", "standard")

_HALFWAY = 3.3  # the geometric mean of 1 (g) and 9.8 (m/s^2), about
_PLAUSIBLE = (6.0, 20.0)  # m/s^2, median on a body: 9.8 at rest, up to twice that when running


@dataclass(frozen=True, slots=True)
class Conversion:
    """The sensors that make up a stream, and how to convert them."""

    sensors: Mapping[str, tuple[str, ...]]
    """The columns of each sensor; the first sensor leads the others in time."""
    factor: float
    """Factor from the sum of the acceleration sensors to m/s^2 with Android's signs."""
    assumed: str
    """The assumptions about units and signs, for the user."""
    doubt: str = ""
    """Why an assumption may be wrong, and what to do; empty if nothing speaks against them."""

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels of the stream."""
        return (*ACC, *GYRO) if GYRO in self.sensors.values() else ACC


def choose_conversion(
    readings: Mapping[str, Readings],
    setting: Convention | None = None,
    system: Literal["ios", "android"] | None = None,
) -> Conversion | None:
    """Return the conversion for a phone's first seconds; None if its sensors give no acceleration with gravity.

    Args:
        readings: the first readings of every sensor.
        setting: the convention set by the user.
        system: the operating system according to the phone's requests.

    >>> at_rest = Readings(np.arange(50), np.full((50, 3), [0.0, 0.0, -1.0], np.float32))
    >>> conversion = choose_conversion({RAW: at_rest})
    >>> conversion.channels, round(conversion.factor, 2)
    (('acc_x', 'acc_y', 'acc_z'), -9.81)
    """
    sensors = _acceleration(readings)
    if sensors is None:
        return None
    convention, reason = _convention(readings, setting, system)
    gyro = next((sensor for sensor in (GYRO_SENSOR, RAW_GYRO) if sensor in readings), None)
    names = " + ".join(sensors)
    if gyro is not None:
        sensors[gyro] = GYRO
    factor = -1.0 if convention == "ios" else 1.0
    if RAW in sensors and convention == "ios":
        factor *= STANDARD_GRAVITY
    assumed = f"acceleration from {names}, {reason}"
    level = _median_norm([readings[sensor] for sensor, columns in sensors.items() if columns != GYRO]) * abs(factor)
    doubt = ""
    if not _PLAUSIBLE[0] <= level <= _PLAUSIBLE[1]:
        doubt = f"its median is {level:.1f} m/s^2, expected about 9.8: check the units and os="
        assumed += f"; {doubt}"
    if gyro is None:
        assumed += "; no gyroscope"
    return Conversion(sensors, factor, assumed, doubt and f"acceleration from {names}: {doubt}")


def choose_wrist_conversion(readings: Mapping[str, Readings], setting: Convention | None = None) -> Conversion | None:
    """Return the conversion for an Apple Watch's first seconds; None without its motion.

    Its gravity tells the convention: it is as long as 1 g, in g with an iPhone's signs, or in m/s^2 with Android's
    signs if "Standardise Units & Frames" is on.

    >>> still = Readings(np.arange(50), np.zeros((50, 3), np.float32))
    >>> down = Readings(np.arange(50), np.full((50, 3), [0.0, 0.0, -1.0], np.float32))
    >>> conversion = choose_wrist_conversion({WRIST_LINEAR: still, WRIST_GRAVITY: down, WRIST_GYRO: still})
    >>> round(conversion.factor, 2)
    -9.81
    """
    if WRIST_GRAVITY not in readings:
        return None
    sensors = {WRIST_LINEAR: ACC, WRIST_GRAVITY: GRAVITY, WRIST_GYRO: GYRO}
    level = _median_norm([readings[WRIST_GRAVITY]])
    in_g = level < _HALFWAY
    ios = in_g if setting is None else setting == "ios"
    factor = (-1.0 if ios else 1.0) * (STANDARD_GRAVITY if in_g else 1.0)
    signs = f"signs of {'an iPhone' if ios else 'Android'}"
    reason = "because its gravity is in " + ("g" if in_g else "m/s^2") if setting is None else f"set by os={setting}"
    doubt = ""
    if not 0.9 <= level / (1.0 if in_g else STANDARD_GRAVITY) <= 1.1:
        doubt = f"the gravity of the watch is {level:.2f} long, expected 1 g or 9.8 m/s^2: update Sensor Logger"
    return Conversion(sensors, factor, f"acceleration from a watch's motion, {signs}, {reason}", doubt)


def _acceleration(sensors: Container[str]) -> dict[str, tuple[str, ...]] | None:
    """Return the sensors that together give the acceleration with gravity, and their columns."""
    if TOTAL in sensors:
        return {TOTAL: ACC}
    if LINEAR in sensors and GRAVITY_SENSOR in sensors:
        return {LINEAR: ACC, GRAVITY_SENSOR: GRAVITY}
    if RAW in sensors:
        return {RAW: ACC}
    return None


def _convention(
    readings: Mapping[str, Readings], setting: Convention | None, system: Literal["ios", "android"] | None
) -> tuple[Convention, str]:
    """Return the convention, and the reason for it."""
    if setting is not None:
        return setting, f"units and signs set by os={setting}"
    if TOTAL in readings:
        return "android", "signs of Android, because only Android sends a total acceleration"
    if RAW in readings:
        if _median_norm([readings[RAW]]) < _HALFWAY:
            return "ios", "signs of an iPhone, because the uncalibrated accelerometer is in g"
        return "standard", "signs of Android, because the uncalibrated accelerometer is in m/s^2"
    if system == "android":
        return "android", "signs of Android, according to the app's requests"
    reason = "according to the app's requests" if system == "ios" else "because Android would send a total acceleration"
    return "ios", f"signs of an iPhone, {reason}; if 'Standardise Units & Frames' is on, set os=standard"


def _median_norm(parts: list[Readings]) -> float:
    """Return the median length of the vectors; for several sensors, the length of the sum of their median vectors."""
    if len(parts) == 1:
        return float(np.median(np.linalg.norm(parts[0].x, axis=1)))
    return float(np.linalg.norm(sum(np.median(part.x, axis=0) for part in parts)))
