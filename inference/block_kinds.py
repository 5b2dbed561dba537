"""The kinds of networks: a decorator registers the function that builds the blocks of one width.

``cnn`` and ``resnet`` are the paper's networks. ``kinet`` is our own: like them it convolves each sensor column alone
up to the linear layer, which separates postures better than filters over all columns. Its blocks are depthwise
separable and its stem has a larger stride, so that it takes a fifth of the time. ``joint`` reads all columns at once in
its first layer: for columns that are views of one motion, which mean little alone.

Sources: Qin et al., IEEE TAI 2024; the separable block of Howard et al., "MobileNets", 2017, with the identity
shortcut of He et al., CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from .layers import Block, ConvLayer

if TYPE_CHECKING:
    from .architecture import Architecture

Build = Callable[["Architecture", tuple[int, ...]], tuple[Block, ...]]
"""Builds the blocks in order from an architecture and the channels that one width keeps after each stage."""


@dataclass(frozen=True, slots=True)
class BlockKind:
    """One kind of network.

    >>> sorted(BLOCK_KINDS)
    ['cnn', 'joint', 'kinet', 'resnet']
    """

    build: Build
    separable: bool = False
    """Whether blocks are depthwise separable: they have few weights and train faster in channels-last memory."""


BLOCK_KINDS: dict[str, BlockKind] = {}
"""All kinds, by the name in recipes and model files."""


def block_kind(name: str, *, separable: bool = False) -> Callable[[Build], Build]:
    """Register the decorated function as the builder of a kind of network."""

    def register(build: Build) -> Build:
        BLOCK_KINDS[name] = BlockKind(build, separable)
        return build

    return register


@block_kind("cnn")
def plain_blocks(arch: Architecture, channels: tuple[int, ...]) -> tuple[Block, ...]:
    """Return blocks of one convolution."""
    layers = (
        ConvLayer(f"block{number}.conv", f"block{number}.bn", c_in, c_out, arch.kernel, arch.stride, arch.padding)
        for number, (c_in, c_out) in enumerate(pairwise((1, *channels)), start=1)
    )
    return tuple(Block((layer,)) for layer in layers)


@block_kind("resnet")
def residual_blocks(arch: Architecture, channels: tuple[int, ...]) -> tuple[Block, ...]:
    """Return blocks of two convolutions with a convolution as shortcut."""
    blocks: list[Block] = []
    for number, (c_in, c_out) in enumerate(pairwise((1, *channels)), start=1):
        name = f"block{number}"
        first = (c_in, c_out, arch.kernel, arch.stride, arch.padding)
        second = ConvLayer(f"{name}.conv2", f"{name}.bn2", c_out, c_out, (3, 1), (1, 1), (1, 0))
        main = (ConvLayer(f"{name}.conv1", f"{name}.bn1", *first), second)
        blocks.append(Block(main, ConvLayer(f"{name}.shortcut.conv", f"{name}.shortcut.bn", *first)))
    return tuple(blocks)


@block_kind("kinet", separable=True)
def separable_blocks(arch: Architecture, channels: tuple[int, ...]) -> tuple[Block, ...]:
    """Return a plain convolution, then stages: a block that shortens and widens the map, ``depth`` residual blocks."""
    stem_stride = (2 * arch.stride[0], arch.stride[1])
    stem = ConvLayer("stem.conv", "stem.bn", 1, channels[0], arch.kernel, stem_stride, arch.padding)
    blocks = [Block((stem,))]
    for stage, (c_in, c_out) in enumerate(pairwise(channels), start=1):
        for number in range(arch.depth + 1):
            name = f"stage{stage}.block{number}"
            c, stride = (c_out, (1, 1)) if number else (c_in, arch.stride)
            filters = ConvLayer(f"{name}.conv1", f"{name}.bn1", c, c, arch.kernel, stride, arch.padding, depthwise=True)
            mix = ConvLayer(f"{name}.conv2", f"{name}.bn2", c, c_out, (1, 1), (1, 1), (0, 0))
            blocks.append(Block((filters, mix), identity=number > 0))
    return tuple(blocks)


@block_kind("joint")
def joint_blocks(arch: Architecture, channels: tuple[int, ...]) -> tuple[Block, ...]:
    """Return blocks of one convolution, of which the first reads all sensor columns at once and leaves one."""
    blocks: list[Block] = []
    for number, (c_in, c_out) in enumerate(pairwise((1, *channels)), start=1):
        columns = arch.columns if number == 1 else 1
        name, kernel = f"block{number}", (arch.kernel[0], columns)
        layer = ConvLayer(f"{name}.conv", f"{name}.bn", c_in, c_out, kernel, arch.stride, arch.padding)
        blocks.append(Block((layer,)))
    return tuple(blocks)
