"""A subnetwork as plain weights: the sliced full network with batch norm folded into the convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError

from .architecture import BN_EPS, blocks, linear_inputs
from .layers import Block, ConvLayer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.signals import Subnet

    from .architecture import Pair
    from .model import Model


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution with bias."""

    weight: NDArray[np.float32]
    """(out, in, time, columns)."""
    bias: NDArray[np.float32]
    """(out,)."""
    stride: Pair
    padding: Pair
    groups: int = 1


@dataclass(frozen=True, slots=True)
class CutBlock:
    """``relu(main[-1](...relu(main[0](x))) + shortcut(x))``."""

    main: tuple[Conv, ...]
    shortcut: Conv | None
    identity: bool
    """Whether the shortcut is the block's unchanged input."""


@dataclass(frozen=True, slots=True)
class CutNetwork:
    """The weights of one subnetwork, applied after the window is normalised and resized."""

    blocks: tuple[CutBlock, ...]
    linear_weight: NDArray[np.float32]
    """(classes, channels x pool grid), channel-major."""
    linear_bias: NDArray[np.float32]
    """(classes,)."""


def cut(model: Model, subnet: Subnet) -> CutNetwork:
    """Return the weights of one subnetwork of ``model``.

    Raises:
        ConfigError: the model was not trained for this width or resolution.

    >>> from kinestream.inference import find_model, load_model
    >>> model = load_model(find_model("uci_kinet"))
    >>> len(cut(model, model.full).blocks)
    3
    """
    if subnet.width not in model.widths or subnet.resolution not in model.resolutions:
        raise ConfigError(
            f"{model.name} has no subnetwork {subnet}; widths {', '.join(f'{w:.2f}' for w in model.widths)}, "
            f"resolutions {', '.join(map(str, model.resolutions))}"
        )
    row = model.widths.index(subnet.width), model.resolutions.index(subnet.resolution)
    arch = model.architecture
    return CutNetwork(
        blocks=tuple(_cut_block(model, block, row) for block in blocks(arch, subnet.width)),
        linear_weight=model.tensors["linear.weight"][:, : linear_inputs(arch, subnet.width)],
        linear_bias=model.tensors["linear.bias"],
    )


def _cut_block(model: Model, block: Block, row: Pair) -> CutBlock:
    main = tuple(_fold(model, layer, row) for layer in block.main)
    return CutBlock(main, None if block.shortcut is None else _fold(model, block.shortcut, row), block.identity)


def _fold(model: Model, layer: ConvLayer, row: Pair) -> Conv:
    """Convolution and batch norm in one: ``gamma * (conv(x) - mean) / sqrt(var + eps) + beta``.

    Computed in float64, so that folding rounds only once.
    """
    tensors, outputs = model.tensors, slice(layer.out_channels)
    mean, var = (tensors[f"stats.{layer.norm}.{moment}"][row][outputs].astype(np.float64) for moment in ("mean", "var"))
    scale = tensors[f"{layer.norm}.weight"][outputs] / np.sqrt(var + BN_EPS)
    inputs = layer.weight_shape[1]
    weight = tensors[f"{layer.conv}.weight"][outputs, :inputs] * scale[:, None, None, None]
    bias = tensors[f"{layer.norm}.bias"][outputs] - mean * scale
    groups = layer.in_channels if layer.depthwise else 1
    return Conv(weight.astype(np.float32), bias.astype(np.float32), layer.stride, layer.padding, groups)
