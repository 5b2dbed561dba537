"""The architecture of a switchable network, from which both the trainer and the ONNX graph are built.

A network reads ``(batch, 1, time, columns)``, runs its blocks, pools to a fixed grid, and ends in one linear layer
over the channel-major flattened map. A subnetwork keeps the first channels of every layer and reads the window
resized along time.

Source: Qin et al., IEEE TAI 2024, DOI 10.1109/TAI.2024.3489532. The channel rule is MobileNet's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Subnet

from .block_kinds import BLOCK_KINDS
from .layers import Block, Pair
from .limits import check_network, check_sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

BN_EPS = 1e-5
"""Added to every batch-norm variance, in training and when folding."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """The full network; sizes are pairs (time, columns).

    Raises:
        ConfigError: a size is out of range, the network is beyond a limit (``limits.py``), or a full window is too
            short for the blocks.

    >>> network = Architecture("cnn", 3, 40, 4, kernel=(6, 1), stride=(2, 1), padding=(1, 0), pool=(2, 3))
    >>> kept_channels(network, 0.5), feature_sizes(network, 40)
    ((32, 64, 128), ((19, 3), (8, 3), (3, 3)))
    >>> macs(network, Subnet(0.5, 40)) < macs(network, Subnet(1.0, 40))
    True
    """

    kind: str
    """A key of ``BLOCK_KINDS``."""
    columns: int
    """Sensor columns of the input."""
    length: int
    """Samples of a full window."""
    classes: int
    kernel: Pair
    stride: Pair
    padding: Pair
    pool: Pair
    """Grid of the adaptive max pool."""
    channels: tuple[int, ...] = (64, 128, 256)
    """Channels after each block; for ``kinet``, after the stem and each stage."""
    divisor: int = 4
    """Divisor of all channel counts."""
    depth: int = 0
    """Number of residual blocks at the end of each stage of ``kinet``."""

    def __post_init__(self) -> None:
        if self.kind not in BLOCK_KINDS:
            raise ConfigError(f"network kind '{self.kind}' is unknown; choose from {', '.join(BLOCK_KINDS)}")
        pairs = (self.kernel, self.stride, self.padding, self.pool)
        positive = (self.columns, self.length, self.classes, self.divisor, *self.kernel, *self.stride, *self.pool)
        counts = (*positive, *self.padding, *self.channels, self.depth)
        if any(type(count) is not int for count in counts) or any(len(pair) != 2 for pair in pairs):
            raise ConfigError("network sizes must be whole numbers (pairs for kernel to pool)")
        if min(positive) < 1 or min(*self.padding, self.depth) < 0 or min(self.channels, default=0) < 1:
            raise ConfigError("network sizes must be positive (padding and depth can be 0)")
        check_sizes(self)
        sizes = feature_sizes(self, self.length)
        weights = sum(math.prod(shape) for shape in parameter_shapes(self).values())
        check_network(blocks(self), sizes, macs(self, Subnet(1.0, self.length)), weights)


def make_divisible(value: float, divisor: int = 4) -> int:
    """Return the multiple of ``divisor`` nearest to ``value``, at least one and never below 90 % of ``value``.

    >>> make_divisible(30), make_divisible(1)
    (32, 4)
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def kept_channels(arch: Architecture, width: float) -> tuple[int, ...]:
    """Return how many of its first channels each block keeps; at width 1.0 all."""
    return tuple(min(full, make_divisible(full * width, arch.divisor)) for full in arch.channels)


def blocks(arch: Architecture, width: float = 1.0) -> tuple[Block, ...]:
    """Return the blocks of one width, in order; their names are the same at every width."""
    return BLOCK_KINDS[arch.kind].build(arch, kept_channels(arch, width))


def linear_inputs(arch: Architecture, width: float = 1.0) -> int:
    """Return the number of inputs of the linear layer; being channel-major, a narrower network reads the first."""
    return kept_channels(arch, width)[-1] * arch.pool[0] * arch.pool[1]


def feature_sizes(arch: Architecture, resolution: int) -> tuple[Pair, ...]:
    """Return the size (time, columns) after each block.

    Raises:
        ConfigError: the window is too short for some block.
    """
    sizes: list[Pair] = []
    size = (resolution, arch.columns)
    for block in blocks(arch):
        for layer in block.main:
            axes = zip(size, layer.kernel, layer.stride, layer.padding, strict=True)
            time, columns = ((n + 2 * p - k) // s + 1 for n, k, s, p in axes)
            if time < 1 or columns < 1:
                raise ConfigError(
                    f"{resolution} samples of {arch.columns} columns are too few for kernel {layer.kernel}"
                )
            size = (time, columns)
        sizes.append(size)
    return tuple(sizes)


def macs(arch: Architecture, subnet: Subnet) -> int:
    """Return the multiply-accumulates of one window in convolutions and linear layer, as the paper counts them.

    >>> from kinestream.inference import find_model, load_model
    >>> macs(load_model(find_model("uci_kinet")).architecture, Subnet(0.15, 64))
    72000
    """
    total = linear_inputs(arch, subnet.width) * arch.classes
    sizes = feature_sizes(arch, subnet.resolution)
    for (time, columns), block in zip(sizes, blocks(arch, subnet.width), strict=True):
        for layer in block.layers:  # the first layer of a block is the one that shrinks the map
            total += time * columns * math.prod(layer.weight_shape)
    return total


def resize_indices(length: int, resolution: int) -> NDArray[np.intp]:
    """Return (resolution,) indices of the samples that a lower resolution reads: those nearest to the new centres.

    Computed in float32 like torch's ``interpolate(mode="nearest-exact")``: where a new centre falls between two
    samples (200 to 185), only the same rounding picks the same sample.

    >>> resize_indices(8, 4).tolist()
    [1, 3, 5, 7]
    """
    centres = np.arange(resolution, dtype=np.float32) + np.float32(0.5)
    return np.minimum((centres * (np.float32(length) / np.float32(resolution))).astype(np.intp), length - 1)


def parameter_shapes(arch: Architecture) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every learned tensor at full width; the trainer's network uses the same names."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in (layer for block in blocks(arch) for layer in block.layers):
        shapes[f"{layer.conv}.weight"] = layer.weight_shape
        shapes[f"{layer.norm}.weight"] = shapes[f"{layer.norm}.bias"] = (layer.out_channels,)
    shapes["linear.weight"] = (arch.classes, linear_inputs(arch))
    shapes["linear.bias"] = (arch.classes,)
    return shapes


def norm_channels(arch: Architecture) -> int:
    """Return the number of channels of all batch norms together, at full width."""
    return sum(layer.out_channels for block in blocks(arch) for layer in block.layers)


def statistic_shapes(arch: Architecture, n_widths: int, n_resolutions: int) -> dict[str, tuple[int, ...]]:
    """Return name and shape of the batch-norm statistics of every (width, resolution).

    Row ``[i, j]`` belongs to the i-th width and the j-th resolution; channels that a width does not keep are zero.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in (layer for block in blocks(arch) for layer in block.layers):
        shape = (n_widths, n_resolutions, layer.out_channels)
        shapes[f"stats.{layer.norm}.mean"] = shapes[f"stats.{layer.norm}.var"] = shape
    return shapes
