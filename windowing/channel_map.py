"""A sensor worn another way round, turned to the axes a model was trained on."""

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
    """Which sensor axis, with which sign, serves as x, y and z.

    ``-y x z`` says: the model's x is the sensor's -y, its y the sensor's x, its z the sensor's z.
    """

    axes: tuple[int, int, int] = (0, 1, 2)
    signs: tuple[int, int, int] = (1, 1, 1)
    acc_factor: float = 1.0
    """What acceleration is multiplied by: 1 but for a sensor found not to send SI units (``kinestream wear``)."""
    gyro_factor: float = 1.0
    """The same of the angular rate."""

    def __str__(self) -> str:
        return " ".join("-" * (sign < 0) + AXES[axis] for axis, sign in zip(self.axes, self.signs, strict=True))

    @classmethod
    def parse(cls, text: str) -> ChannelMap:
        """Read ``-y x z`` (or with commas).

        Raises:
            ConfigError: not three different axes, or a mirror image, which no turn of a sensor gives.
        """
        parts = re.split(r"[\s,]+", text.strip().lower())
        if len(parts) != 3 or any(re.fullmatch(r"[+-]?[xyz]", part) is None for part in parts):
            raise ConfigError(f"axes '{text}': expected three of x, y, z, each with an optional minus, e.g. '-y x z'")
        axes = tuple(AXES.index(part[-1]) for part in parts)
        signs = tuple(-1 if part[0] == "-" else 1 for part in parts)
        matrix = np.zeros((3, 3))
        matrix[range(3), axes] = signs
        if len(set(axes)) < 3:
            raise ConfigError(f"axes '{text}': each of x, y and z once")
        if np.linalg.det(matrix) < 0:
            raise ConfigError(f"axes '{text}' mirror the sensor; a sensor can only be turned: change one sign")
        return cls((axes[0], axes[1], axes[2]), (signs[0], signs[1], signs[2]))

    def apply(self, chunk: SampleChunk) -> SampleChunk:
        """The same samples as the turned sensor would have measured them, in SI units."""
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
