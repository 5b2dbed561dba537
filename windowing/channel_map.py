"""Turn the axes of a sensor worn differently to those the model was trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kinestream.core.axes import AxisMap, parse_axes
from kinestream.core.errors import ConfigError
from kinestream.core.signals import ACC, BODY_ACC, GRAVITY, GYRO, MAG, SampleChunk


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
        return str(AxisMap(self.axes, self.signs))

    @classmethod
    def parse(cls, text: str) -> ChannelMap:
        """Return the map in a text such as ``-y x z`` or ``y x z mirrored``; raises as ``parse_axes`` does."""
        return cls(*parse_axes(text))

    def apply(self, chunk: SampleChunk) -> SampleChunk:
        """Return the samples as the turned sensor would measure them, in SI units.

        Raises:
            ConfigError: the chunk has an axis but lacks the one that replaces it.
        """
        if self == ChannelMap():
            return chunk
        x = chunk.x.copy()
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
