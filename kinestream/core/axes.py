"""The text that says how a sensor's axes become another frame's: ``-y x z``, or ``y x z mirrored``."""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import ConfigError
from .signals import AXES

MIRRORED = "mirrored"
"""The word after the axes of a sensor whose own axes are left-handed."""


class AxisMap(NamedTuple):
    """The sensor axis, with its sign, that serves as each axis of the other frame.

    >>> str(AxisMap((1, 0, 2), (1, 1, 1)))
    'y x z mirrored'
    """

    axes: tuple[int, int, int] = (0, 1, 2)
    signs: tuple[int, int, int] = (1, 1, 1)

    def __str__(self) -> str:
        axes = " ".join("-" * (sign < 0) + AXES[axis] for axis, sign in zip(self.axes, self.signs, strict=True))
        return f"{axes} {MIRRORED}" if self.mirrored else axes

    @property
    def mirrored(self) -> bool:
        """Whether it is a mirror image, not a turn."""
        (a, b, c), signs = self.axes, self.signs
        odd = (a > b) ^ (a > c) ^ (b > c)
        return (signs[0] * signs[1] * signs[2] < 0) ^ odd


def parse_axes(text: str) -> AxisMap:
    """Return the map in a text, whose parts are separated by spaces or commas.

    A sensor can only be turned, so a mirror image is refused as a slip of the pen, unless the word ``mirrored`` says
    that the sensor's own axes are left-handed.

    Raises:
        ConfigError: the text does not name three different axes, or describes a mirror image without saying so, or a
            turn that it calls mirrored.

    >>> parse_axes("-y, x, z").axes
    (1, 0, 2)
    """
    parts = re.split(r"[\s,]+", text.strip().lower())
    mirrored = parts[-1] == MIRRORED
    if mirrored:
        parts.pop()
    if len(parts) != 3 or any(re.fullmatch(r"[+-]?[xyz]", part) is None for part in parts):
        raise ConfigError(f"axes '{text}': expected three of x, y, z, each with an optional minus, e.g. '-y x z'")
    x, y, z = (AXES.index(part[-1]) for part in parts)
    if len({x, y, z}) < 3:
        raise ConfigError(f"axes '{text}': expected each of x, y and z once, e.g. '-y x z'")
    sign_x, sign_y, sign_z = (-1 if part[0] == "-" else 1 for part in parts)
    axis_map = AxisMap((x, y, z), (sign_x, sign_y, sign_z))
    if axis_map.mirrored and not mirrored:
        raise ConfigError(
            f"axes '{text}' mirror the sensor; a sensor can only be turned: change one sign, or, if its own axes are "
            f"left-handed, write '{axis_map}'"
        )
    if mirrored and not axis_map.mirrored:
        raise ConfigError(f"axes '{text}' only turn the sensor; change one sign, or leave '{MIRRORED}' out")
    return axis_map
