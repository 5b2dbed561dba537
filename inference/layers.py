"""The layers and blocks that every switchable network is made of."""

from __future__ import annotations

from dataclasses import dataclass

Pair = tuple[int, int]
"""Sizes along (time, columns)."""


@dataclass(frozen=True, slots=True)
class ConvLayer:
    """A convolution without bias, and the batch norm after it."""

    conv: str
    """Name of the convolution: its tensor is ``<conv>.weight``."""
    norm: str
    """Name of the batch norm: ``<norm>.weight``, ``<norm>.bias``, ``stats.<norm>.mean``, ``stats.<norm>.var``."""
    in_channels: int
    out_channels: int
    kernel: Pair
    stride: Pair
    padding: Pair
    depthwise: bool = False
    """Each channel is convolved alone; there are as many outputs as inputs."""

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(out, in, time, columns); a depthwise convolution has one input a channel."""
        return (self.out_channels, 1 if self.depthwise else self.in_channels, *self.kernel)


@dataclass(frozen=True, slots=True)
class Block:
    """``relu(main[-1](...relu(main[0](x))) + shortcut(x))``; without a shortcut the sum falls away."""

    main: tuple[ConvLayer, ...]
    shortcut: ConvLayer | None = None
    identity: bool = False
    """The shortcut is the block's input as it is."""

    @property
    def layers(self) -> tuple[ConvLayer, ...]:
        return self.main if self.shortcut is None else (*self.main, self.shortcut)
