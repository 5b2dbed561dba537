"""The switchable network: every subnetwork is a slice of the same weights.

Sources: switchable layers, Yu et al., "Slimmable Neural Networks", ICLR 2019, and Yang et al., "MutualNet",
ECCV 2020; the blocks are those of Qin et al., IEEE TAI 2024 (``inference/architecture.py`` describes them).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinestream.core.errors import ModelError
from kinestream.inference.architecture import BN_EPS, Architecture, blocks, linear_inputs, resize_indices
from kinestream.inference.block_kinds import BLOCK_KINDS
from kinestream.inference.layers import Block, ConvLayer

from .moments import channel_moments, pooled_moments
from .pooling import max_pool_to_grid

if TYPE_CHECKING:
    from kinestream.core.signals import Subnet


class SwitchableConv(nn.Module):
    """A convolution without bias that can run with its first channels only."""

    def __init__(self, layer: ConvLayer) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(layer.weight_shape))
        self.stride, self.padding, self.depthwise = layer.stride, layer.padding, layer.depthwise
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: Tensor, channels: int) -> Tensor:
        weight = self.weight[:channels, : x.shape[1]]
        groups = channels if self.depthwise else 1
        return F.conv2d(x, weight, None, self.stride, self.padding, groups=groups)


class SwitchableNorm(nn.Module):
    """Batch norm: all subnetworks share scale and shift; each has its own mean and variance.

    Training mode normalises by the moments of the batch itself. Evaluation mode normalises by ``moments[subnet]``,
    which ``batch_statistics.record`` sets once the weights are final.
    """

    def __init__(self, layer: ConvLayer) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(layer.out_channels))
        self.bias = nn.Parameter(torch.zeros(layer.out_channels))
        self.moments: dict[Subnet, tuple[Tensor, Tensor]] = {}
        self.recording = 0.0
        """Weight of new activations in the moments set by ``record``: 0 records nothing, 1 drops the previous ones."""

    def forward(self, x: Tensor, subnet: Subnet) -> Tensor:
        weight, bias = self.weight[: x.shape[1]], self.bias[: x.shape[1]]
        if self.training:
            return F.batch_norm(x, None, None, weight, bias, training=True, eps=BN_EPS)
        if subnet not in self.moments:
            raise ModelError(f"no batch-norm statistics for {subnet}; run batch_statistics.record first")
        mean, var = (moment[: x.shape[1]] for moment in self.moments[subnet])
        return F.batch_norm(x, mean, var, weight, bias, eps=BN_EPS)

    def record(self, parts: Sequence[Tensor], subnet: Subnet) -> None:
        """Set the subnetwork's moments from ``parts``, (n, channels, ...) each, with the weight ``recording``."""
        moments = channel_moments(parts)
        if self.recording < 1 and subnet in self.moments:
            mean, var = (moment[: len(moments[0])] for moment in self.moments[subnet])
            moments = pooled_moments((mean, var), moments, self.recording)
        self.moments[subnet] = moments


class SwitchableNet(nn.Module):
    """The network of one architecture; its parameters have the model file's tensor names.

    >>> from kinestream.core.signals import Subnet
    >>> from kinestream.inference.presets import PRESETS
    >>> net = SwitchableNet(PRESETS["uci"]).train()
    >>> net(torch.zeros(2, 128, 9), Subnet(0.5, 96)).shape
    torch.Size([2, 6])
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        for block in blocks(architecture):
            for layer in block.layers:
                self._register(layer.conv, SwitchableConv(layer))
                self._register(layer.norm, SwitchableNorm(layer))
        self.linear = nn.Linear(linear_inputs(architecture), architecture.classes)
        if BLOCK_KINDS[
            architecture.kind
        ].separable:  # depthwise convolutions train nearly twice as fast, the others no faster
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload], missing in torch's stubs

    def forward(self, x: Tensor, subnet: Subnet) -> Tensor:
        """(n, classes) logits of one subnetwork for (n, length, columns) normalised full windows."""
        x = self.features(x, subnet)
        return F.linear(x, self.linear.weight[:, : x.shape[1]], self.linear.bias)

    def features(self, x: Tensor, subnet: Subnet) -> Tensor:
        """(n, inputs) input of the linear layer: channel-major, so that a narrow network uses the first inputs."""
        return max_pool_to_grid(self.maps([x], subnet)[0], self.architecture.pool).flatten(1)

    def maps(self, parts: Sequence[Tensor], subnet: Subnet) -> list[Tensor]:
        """The last block's output for each part, (n, length, columns) windows.

        All parts pass through a layer before any enters the next.
        """
        arch = self.architecture
        if subnet.resolution != arch.length:
            samples = torch.from_numpy(resize_indices(arch.length, subnet.resolution)).to(parts[0].device)
            parts = [x[:, samples] for x in parts]
        maps = [x.unsqueeze(1) for x in parts]  # (n, 1, resolution, columns)
        for block in blocks(arch, subnet.width):
            maps = self._block(maps, block, subnet)
        return maps

    def norms(self) -> dict[str, SwitchableNorm]:
        """All batch norms by their name in the model file."""
        return {name: module for name, module in self.named_modules() if isinstance(module, SwitchableNorm)}

    def _block(self, maps: list[Tensor], block: Block, subnet: Subnet) -> list[Tensor]:
        shortcut = maps if block.identity else None
        if block.shortcut is not None:
            shortcut = list(self._layer(maps, block.shortcut, subnet))
        *inner, last = block.main
        for layer in inner:
            maps = [F.relu_(x) for x in self._layer(maps, layer, subnet)]
        outputs = self._layer(maps, last, subnet)
        if shortcut is None:
            return [F.relu_(x) for x in outputs]
        return [F.relu_(x + y) for x, y in zip(outputs, shortcut, strict=True)]

    def _layer(self, maps: list[Tensor], layer: ConvLayer, subnet: Subnet) -> Iterator[Tensor]:
        conv, norm = self.get_submodule(layer.conv), cast(SwitchableNorm, self.get_submodule(layer.norm))
        convolved = [conv(x, layer.out_channels) for x in maps]
        if norm.recording:
            norm.record(convolved, subnet)
        while convolved:  # frees each part once its result is consumed, so that the next reuses memory still cached
            yield norm(convolved.pop(0), subnet)

    def _register(self, name: str, module: nn.Module) -> None:
        """Register ``module`` under a dotted name and create its parent modules."""
        parent: nn.Module = self
        *path, leaf = name.split(".")
        for part in path:
            if part not in parent._modules:
                parent.add_module(part, nn.Module())
            parent = parent.get_submodule(part)
        parent.add_module(leaf, module)
