"""One description of a switchable network, from which the trainer and the ONNX graph are both built.

A network reads ``(batch, 1, time, columns)``, runs its blocks, pools to a fixed grid, and ends in one linear layer
over the channel-major flattened map. A subnetwork keeps the first channels of every layer and reads the window
resized along time.

``cnn`` and ``resnet`` are the paper's. ``kinet`` is our own: like them it convolves every sensor column alone until the
linear layer, which holds people's postures apart better than filters over all columns, but its blocks are depthwise
separable and its stem strides far, so that it takes a fifth of the time.

Sources: Qin et al., IEEE TAI 2024, DOI 10.1109/TAI.2024.3489532; the channel rule is MobileNet's, the separable block
that of Howard et al., "MobileNets", 2017, with the identity shortcut of He et al., CVPR 2016.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Subnet

if TYPE_CHECKING:
    from numpy.typing import NDArray

BN_EPS = 1e-5
"""Added to every batch-norm variance, in training and when folding."""

KINDS = ("cnn", "resnet", "kinet")
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Architecture:
    """The full network; sizes are (time, columns) pairs.

    Raises:
        ConfigError: a size is out of range, or the blocks leave nothing of a full window.
    """

    kind: str
    """``cnn``: one convolution a block; ``resnet``: two and a shortcut; ``kinet``: a depthwise and a pointwise one."""
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
    """After each block; of ``kinet`` after the stem and each stage."""
    divisor: int = 4
    """Channel counts are multiples of it."""
    depth: int = 0
    """Residual blocks that end each stage of ``kinet``."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"network kind '{self.kind}' is unknown; choose from {', '.join(KINDS)}")
        pairs = (self.kernel, self.stride, self.padding, self.pool)
        positive = (self.columns, self.length, self.classes, self.divisor, *self.kernel, *self.stride, *self.pool)
        counts = (*positive, *self.padding, *self.channels, self.depth)
        if any(type(count) is not int for count in counts) or any(len(pair) != 2 for pair in pairs):
            raise ConfigError(f"network sizes must be whole numbers, kernel to pool pairs of them, found {self}")
        if min(positive) < 1 or min(*self.padding, self.depth) < 0 or min(self.channels, default=0) < 1:
            raise ConfigError(f"network sizes must be positive (padding and depth may be 0), found {self}")
        feature_sizes(self, self.length)


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


def make_divisible(value: float, divisor: int = 4) -> int:
    """The multiple of ``divisor`` nearest to ``value``, at least one, never below 90 % of ``value``."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def kept_channels(arch: Architecture, width: float) -> tuple[int, ...]:
    """How many of the first channels each block keeps; at width 1.0 all of them."""
    return tuple(min(full, make_divisible(full * width, arch.divisor)) for full in arch.channels)


def blocks(arch: Architecture, width: float = 1.0) -> tuple[Block, ...]:
    """The blocks of one width, in order; names are the same at every width."""
    kept = kept_channels(arch, width)
    if arch.kind == "kinet":
        return _separable_blocks(arch, kept)
    found: list[Block] = []
    for number, (c_in, c_out) in enumerate(pairwise((1, *kept)), start=1):
        name = f"block{number}"
        first = (c_in, c_out, arch.kernel, arch.stride, arch.padding)
        if arch.kind == "cnn":
            found.append(Block((ConvLayer(f"{name}.conv", f"{name}.bn", *first),)))
        else:
            second = ConvLayer(f"{name}.conv2", f"{name}.bn2", c_out, c_out, (3, 1), (1, 1), (1, 0))
            main = (ConvLayer(f"{name}.conv1", f"{name}.bn1", *first), second)
            found.append(Block(main, ConvLayer(f"{name}.shortcut.conv", f"{name}.shortcut.bn", *first)))
    return tuple(found)


def _separable_blocks(arch: Architecture, kept: tuple[int, ...]) -> tuple[Block, ...]:
    """A plain convolution, then per stage one block that shortens and widens the map, and ``depth`` residual ones."""
    far = (2 * arch.stride[0], arch.stride[1])
    stem = ConvLayer("stem.conv", "stem.bn", 1, kept[0], arch.kernel, far, arch.padding)
    found = [Block((stem,))]
    for stage, (c_in, c_out) in enumerate(pairwise(kept), start=1):
        for number in range(arch.depth + 1):
            name = f"stage{stage}.block{number}"
            c, stride = (c_out, (1, 1)) if number else (c_in, arch.stride)
            filters = ConvLayer(f"{name}.conv1", f"{name}.bn1", c, c, arch.kernel, stride, arch.padding, depthwise=True)
            mix = ConvLayer(f"{name}.conv2", f"{name}.bn2", c, c_out, (1, 1), (1, 1), (0, 0))
            found.append(Block((filters, mix), identity=number > 0))
    return tuple(found)


def linear_inputs(arch: Architecture, width: float = 1.0) -> int:
    """Inputs of the linear layer: channel-major, so a narrower network reads the first of them."""
    return kept_channels(arch, width)[-1] * arch.pool[0] * arch.pool[1]


def feature_sizes(arch: Architecture, resolution: int) -> tuple[Pair, ...]:
    """The (time, columns) size after each block.

    Raises:
        ConfigError: nothing is left after some block.
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
    """Multiply-accumulates of one window: convolutions and the linear layer, as the paper counts them."""
    total = linear_inputs(arch, subnet.width) * arch.classes
    sizes = feature_sizes(arch, subnet.resolution)
    for (time, columns), block in zip(sizes, blocks(arch, subnet.width), strict=True):
        for layer in block.layers:  # whatever shrinks the map in a block comes first
            total += time * columns * math.prod(layer.weight_shape)
    return total


def resize_indices(length: int, resolution: int) -> NDArray[np.intp]:
    """(resolution,) the samples of a window that a lower resolution reads: those nearest to the new centres.

    Computed in float32, because torch's ``interpolate(mode="nearest-exact")`` is, and where a new centre falls
    between two samples (200 to 185) only the same rounding picks the same one.
    """
    centres = np.arange(resolution, dtype=np.float32) + np.float32(0.5)
    return np.minimum((centres * (np.float32(length) / np.float32(resolution))).astype(np.intp), length - 1)


def parameter_shapes(arch: Architecture) -> dict[str, tuple[int, ...]]:
    """Name and shape of every learned tensor at full width; the trainer's network uses the same names."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in (layer for block in blocks(arch) for layer in block.layers):
        shapes[f"{layer.conv}.weight"] = layer.weight_shape
        shapes[f"{layer.norm}.weight"] = shapes[f"{layer.norm}.bias"] = (layer.out_channels,)
    shapes["linear.weight"] = (arch.classes, linear_inputs(arch))
    shapes["linear.bias"] = (arch.classes,)
    return shapes


def statistic_shapes(arch: Architecture, n_widths: int, n_resolutions: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of the batch-norm statistics of every (width, resolution).

    Row ``[i, j]`` belongs to the i-th width and the j-th resolution; channels a width does not keep are zero.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in (layer for block in blocks(arch) for layer in block.layers):
        shape = (n_widths, n_resolutions, layer.out_channels)
        shapes[f"stats.{layer.norm}.mean"] = shapes[f"stats.{layer.norm}.var"] = shape
    return shapes


WIDTHS: tuple[float, ...] = tuple(round(0.05 * step, 2) for step in range(2, 21))
"""The paper's 19 widths, 0.10 to 1.00."""

_UCI = (9, 128, 6, (6, 1), (3, 1), (1, 0), (6, 9))
_WISDM = (3, 200, 6, (3, 3), (2, 2), (1, 1), (25, 1))
_UNIMIB = (3, 151, 17, (6, 1), (2, 1), (1, 0), (5, 3))

PRESETS: dict[str, Architecture] = {
    "uci": Architecture("cnn", *_UCI),
    "wisdm": Architecture("cnn", *_WISDM),
    "unimib": Architecture("cnn", *_UNIMIB),
    "resnet_uci": Architecture("resnet", *_UCI),
    "resnet_wisdm": Architecture("resnet", *_WISDM),
    "resnet_unimib": Architecture("resnet", *_UNIMIB),
    # ONNX Runtime computes channels in blocks of 16: fewer would take as long.
    "kinet_uci": Architecture("kinet", 9, 128, 6, (7, 1), (2, 1), (3, 0), (4, 9), (64, 96, 128), divisor=16),
}
"""The paper's six networks, by the paper's names, and our own."""

_LENGTHS = {"uci": tuple(range(96, 129, 4)), "wisdm": tuple(range(150, 201, 5)), "unimib": (112, 120, 136, 144, 151)}
RESOLUTIONS: dict[str, tuple[int, ...]] = {
    **_LENGTHS,
    **{f"resnet_{name}": lengths for name, lengths in _LENGTHS.items()},
    "kinet_uci": (64, 96, 128),  # of a sensor at 25, 37.5 and 50 Hz; fewer samples lose more than they save
}
"""The window lengths of each preset, shortest first; the paper's for its six."""
