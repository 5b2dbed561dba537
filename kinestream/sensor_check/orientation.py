"""How a sensor is turned on its wearer, told from gravity before and after a movement.

Gravity while standing gives the axis that points up. Bending forward moves it away from where the wearer looks,
which gives the second direction; two directions fix a rotation. What the gyroscope says of the same movement must
turn the one reading of gravity into the other: that shows its unit and its signs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.signals import AXES
from kinestream.windowing import ChannelMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GYRO_UNITS = {"rad/s": 1.0, "deg/s": np.pi / 180, "mrad/s": 1e-3, "mdeg/s": np.pi / 180_000}
"""What an angular rate may be in, with the factor to rad/s."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """How the sensor was worn by the people a model learned from."""

    name: str
    place: str
    """Where to put the sensor, in words that go on from "put it"."""
    up: tuple[float, float, float]
    """The direction up, as the sensor's axes saw it while they stood."""
    forward: tuple[float, float, float]
    """The direction they looked in; need not be at right angles to ``up``."""


HAPT_WAIST = Orientation(
    "waist of HAPT",
    "at your waist, on the left front of the hip, where the belt is",
    up=(0.988, -0.155, -0.020),
    forward=(0.0, 0.866, 0.500),
)
"""x up, y forward, z outward to the left, turned by 30 degrees between the last two.

Measured on the 17 people that ``uci_cnn`` was trained on. Up: the mean of their standing, which leans 11 degrees from
x in the median person (4 to 20 in nine of ten). Forward, as an angle from y towards z: 38 degrees from lying on the
back, 32 from leaning back when they sit, 20 from the angular rate of lying down; half of the people are between 12
and 54. So a sensor that is turned about the vertical by 30 degrees is no stranger to the model.
"""


def orientation_of(card: Mapping[str, Any]) -> Orientation | None:
    """How the sensor was worn in the data that a model's card names; None where it was not the same on everybody.

    A phone in a trouser pocket and a watch on whichever wrist are turned differently on each person.
    """
    return HAPT_WAIST if str(card.get("data", "")).startswith("UCI-HAR rebuilt from HAPT") else None


def frame(up: Floats, forward: Floats) -> Floats:
    """(3, 3) orthonormal columns up, forward, left; ``up`` is kept, ``forward`` made square to it."""
    up = up / np.linalg.norm(up)
    forward = forward - up * (up @ forward)
    forward = forward / np.linalg.norm(forward)
    return np.stack([up, forward, np.cross(up, forward)], axis=1)


def forward_from_bend(upright: Floats, bent: Floats) -> Floats:
    """The direction the wearer looks in: bending forward, what was up in the sensor moves towards the back."""
    upright = upright / np.linalg.norm(upright)
    return upright * (bent @ upright) - bent


def angle_deg(a: Floats, b: Floats) -> float:
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def turned_by(gyro: Floats, t: Floats) -> Floats:
    """(3, 3) rotation that rates (n, 3) in rad/s at times (n,) in s add up to, in the axes at the start.

    Each step turns by the mean of its two rates about a fixed axis (Rodrigues' formula).
    """
    total = np.eye(3)
    for step in (gyro[1:] + gyro[:-1]) / 2 * np.diff(t)[:, None]:
        angle = float(np.linalg.norm(step))
        if angle:
            k = _cross_matrix(step / angle)
            total = total @ (np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k)
    return total


def rotation_vector(rotation: Floats) -> Floats:
    """(3,) the axis of a rotation matrix, as long as its angle in radians, which must be less than half a turn."""
    skew = rotation - rotation.T
    axis = np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
    length = float(np.linalg.norm(axis))
    angle = float(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))
    return axis / length * angle if length else np.zeros(3)


def _cross_matrix(v: Floats) -> Floats:
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])


def disagreement_deg(before: Floats, after: Floats, gyro: Floats, t: Floats) -> float:
    """How far gravity, turned as the gyroscope says, ends from where the accelerometer reads it."""
    return angle_deg(turned_by(gyro, t).T @ before, after)


@dataclass(frozen=True, slots=True)
class Nearest:
    """The axis mapping nearest to a rotation."""

    axes: ChannelMap
    off_deg: float
    """The angle that is left; at 45 the next mapping is as near."""
    next_axes: ChannelMap
    next_off_deg: float


def nearest_axes(upright: Floats, forward: Floats, orientation: Orientation) -> Nearest:
    """Which sensor axes serve as the model's, from two directions of the wearer in the sensor's axes."""
    reference = frame(np.array(orientation.up), np.array(orientation.forward))
    rotation = reference @ frame(upright, forward).T  # from the sensor's axes to the model's
    found: list[tuple[float, ChannelMap]] = []
    for axes in permutations((0, 1, 2), 3):
        for signs in product((1, -1), (1, -1), (1, -1)):
            matrix = np.zeros((3, 3))
            matrix[range(3), axes] = signs
            if np.linalg.det(matrix) > 0:
                cosine = (np.trace(matrix.T @ rotation) - 1) / 2
                found.append((float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))), ChannelMap(axes, signs)))
    (off, best), (next_off, following) = sorted(found, key=lambda one: one[0])[:2]
    return Nearest(best, off, following, next_off)


def axis_name(direction: Floats) -> tuple[str, float]:
    """The signed axis nearest to a direction, and the angle between them in degrees."""
    axis = int(np.argmax(np.abs(direction)))
    sign = "-" if direction[axis] < 0 else "+"
    along = np.zeros(3)
    along[axis] = np.sign(direction[axis])
    return sign + AXES[axis], angle_deg(direction, along)
