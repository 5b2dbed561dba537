"""The orientation of a sensor on its wearer, from gravity before and after a movement.

Gravity while standing gives the axis that points up. Bending forward tilts that axis away from the direction of view,
which gives the second direction; two directions determine a rotation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.signals import AXES
from kinestream.observe.rotation import angle_deg
from kinestream.windowing import ChannelMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Orientation:
    """How the sensor was worn by the people a model learned from."""

    name: str
    place: str
    """Where to put the sensor; completes "put it ..."."""
    up: tuple[float, float, float]
    """The direction up in the sensor's axes, while standing."""
    forward: tuple[float, float, float]
    """The direction of view in the sensor's axes; not necessarily perpendicular to ``up``."""


HAPT_WAIST = Orientation(
    "waist of HAPT",
    "at your waist, on the left front of the hip, where the belt is",
    up=(0.988, -0.155, -0.020),
    forward=(0.0, 0.866, 0.500),
)
"""x up, y forward, z outward to the left, the last two turned by 30 degrees.

Measured on the 17 people that ``uci_cnn`` was trained on. Up: the mean while standing, 11 degrees from x in the median
person (4 to 20 in nine of ten). Forward, as an angle from y towards z: 38 degrees from lying on the back, 32 from
leaning back while sitting, 20 from the angular rate of lying down; half of the people are between 12 and 54. The model
has therefore seen sensors turned about the vertical by 30 degrees.
"""


def orientation_of(card: Mapping[str, Any]) -> Orientation | None:
    """How the sensor was worn in the data that a model's card names; None if that differed between people.

    A phone in a trouser pocket and a watch on either wrist are turned differently on each person.
    """
    return HAPT_WAIST if str(card.get("data", "")).startswith("UCI-HAR rebuilt from HAPT") else None


def frame(up: Floats, forward: Floats) -> Floats:
    """(3, 3) orthonormal columns up, forward, left; ``forward`` is made perpendicular to ``up``."""
    up = up / np.linalg.norm(up)
    forward = forward - up * (up @ forward)
    forward = forward / np.linalg.norm(forward)
    return np.stack([up, forward, np.cross(up, forward)], axis=1)


def forward_from_bend(upright: Floats, bent: Floats) -> Floats:
    """The direction of view: when the wearer bends forward, the sensor's up axis tilts towards the back."""
    upright = upright / np.linalg.norm(upright)
    return upright * (bent @ upright) - bent


@dataclass(frozen=True, slots=True)
class Nearest:
    """The axis mapping nearest to a rotation."""

    axes: ChannelMap
    off_deg: float
    """The remaining angle; at 45 degrees the next mapping is equally near."""
    next_axes: ChannelMap
    next_off_deg: float


def nearest_axes(upright: Floats, forward: Floats, orientation: Orientation) -> Nearest:
    """The mapping from sensor axes to the model's, from two directions of the wearer in the sensor's axes."""
    reference = frame(np.array(orientation.up), np.array(orientation.forward))
    rotation = reference @ frame(upright, forward).T  # from the sensor's axes to the model's
    mappings: list[tuple[float, ChannelMap]] = []
    for axes in permutations((0, 1, 2), 3):
        for signs in product((1, -1), (1, -1), (1, -1)):
            matrix = np.zeros((3, 3))
            matrix[range(3), axes] = signs
            if np.linalg.det(matrix) > 0:
                cosine = (np.trace(matrix.T @ rotation) - 1) / 2
                mappings.append((float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))), ChannelMap(axes, signs)))
    (off, best), (next_off, following) = sorted(mappings, key=lambda mapping: mapping[0])[:2]
    return Nearest(best, off, following, next_off)


def axis_name(direction: Floats) -> tuple[str, float]:
    """The signed axis nearest to a direction, and the angle between them in degrees."""
    axis = int(np.argmax(np.abs(direction)))
    sign = "-" if direction[axis] < 0 else "+"
    along = np.zeros(3)
    along[axis] = np.sign(direction[axis])
    return sign + AXES[axis], angle_deg(direction, along)
