"""Turn the axes of a sensor worn differently to those the model was trained on."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError
from kinestream.core.signals import ACC, AXES, BODY_ACC, GRAVITY, GYRO, MAG, SampleChunk

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ChannelMap:
    """The sensor axis, with its sign, that serves as each of the model's axes.

    With ``-y x z``, the model's x is the sensor's -y, its y the sensor's x, and its z the sensor's z.

    >>> ChannelMap.parse("-y x z")
    ChannelMap(axes=(1, 0, 2), signs=(-1, 1, 1), acc_factor=1.0, gyro_factor=1.0)
    >>> str(ChannelMap.parse("-y, x, z"))
    '-y x z'
    """

    axes: tuple[int, int, int] = (0, 1, 2)
    signs: tuple[int, int, int] = (1, 1, 1)
    acc_factor: float = 1.0
    """Factor of acceleration; 1 unless ``kinestream wear`` found a sensor that does not send SI units."""
    gyro_factor: float = 1.0
    """Factor of the angular rate."""

    def __str__(self) -> str:
        return " ".join("-" * (sign < 0) + AXES[axis] for axis, sign in zip(self.axes, self.signs, strict=True))

    @classmethod
    def parse(cls, text: str) -> ChannelMap:
        """Return the map in a text such as ``-y x z``, with spaces or commas.

        Raises:
            ConfigError: the text does not name three different axes, or describes a mirror image.
        """
        parts = re.split(r"[\s,]+", text.strip().lower())
        if len(parts) != 3 or any(re.fullmatch(r"[+-]?[xyz]", part) is None for part in parts):
            raise ConfigError(f"axes '{text}': expected three of x, y, z, each with an optional minus, e.g. '-y x z'")
        axes = tuple(AXES.index(part[-1]) for part in parts)
        signs = tuple(-1 if part[0] == "-" else 1 for part in parts)
        matrix = np.zeros((3, 3))
        matrix[range(3), axes] = signs
        if len(set(axes)) < 3:
            raise ConfigError(f"axes '{text}': expected each of x, y and z once, e.g. '-y x z'")
        if np.linalg.det(matrix) < 0:
            raise ConfigError(f"axes '{text}' mirror the sensor; a sensor can only be turned: change one sign")
        return cls((axes[0], axes[1], axes[2]), (signs[0], signs[1], signs[2]))

    def apply(self, chunk: SampleChunk) -> SampleChunk:
        """Return the samples as the turned sensor would measure them, in SI units.

        Raises:
            ConfigError: the chunk has an axis but lacks the one that replaces it.
        """
        if self == ChannelMap():
            return chunk
        x: NDArray[np.float32] = chunk.x.copy()
        factors = {ACC: self.acc_factor, GYRO: self.gyro_factor, BODY_ACC: self.acc_factor, GRAVITY: self.acc_factor}
        for family in (ACC, GYRO, MAG, BODY_ACC, GRAVITY):
            factor = factors.get(family, 1.0)
            for to, (axis, sign) in enumerate(zip(self.axes, self.signs, strict=True)):
                if family[to] in chunk.channels:
                    if family[axis] not in chunk.channels:
                        raise ConfigError(f"axes cannot be turned: the source has {family[to]} but not {family[axis]}")
                    source = chunk.channels.index(family[axis])
                    x[:, chunk.channels.index(family[to])] = sign * factor * chunk.x[:, source]
        return replace(chunk, x=x)
