"""The layers and blocks that every switchable network is made of."""

from __future__ import annotations

from dataclasses import dataclass

Pair = tuple[int, int]
"""Sizes along (time, columns)."""


@dataclass(frozen=True, slots=True)
class ConvLayer:
    """A convolution without bias, followed by a batch norm."""

    conv: str
    """Name of the convolution; its tensor is ``<conv>.weight``."""
    norm: str
    """Name of the batch norm: ``<norm>.weight``, ``<norm>.bias``, ``stats.<norm>.mean``, ``stats.<norm>.var``."""
    in_channels: int
    out_channels: int
    kernel: Pair
    stride: Pair
    padding: Pair
    depthwise: bool = False
    """Whether each channel is convolved alone, with as many outputs as inputs."""

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(out, in, time, columns); a depthwise convolution has one input per channel."""
        return (self.out_channels, 1 if self.depthwise else self.in_channels, *self.kernel)


@dataclass(frozen=True, slots=True)
class Block:
    """``relu(main[-1](...relu(main[0](x))) + shortcut(x))``, or without the sum if there is no shortcut."""

    main: tuple[ConvLayer, ...]
    shortcut: ConvLayer | None = None
    identity: bool = False
    """Whether the shortcut is the block's unchanged input."""

    @property
    def layers(self) -> tuple[ConvLayer, ...]:
        return self.main if self.shortcut is None else (*self.main, self.shortcut)
