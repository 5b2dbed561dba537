"""Conversion between the PyTorch network and the model of a model file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from kinestream.inference.model_file import Model

from . import batch_statistics
from .switchable import SwitchableNet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from ..recipe.schema import Recipe


def to_model(
    recipe: Recipe,
    net: SwitchableNet,
    mean: Tensor,
    std: Tensor,
    card: dict[str, Any],
) -> Model:
    """The model with the weights and recorded statistics of ``net``.

    Args:
        mean, std: (columns,) of the training windows, in SI units.
        card: the model's card, as JSON values.
    """
    network = recipe.network
    weights = {name: tensor.detach().cpu().numpy().copy() for name, tensor in net.state_dict().items()}
    return Model(
        name=recipe.name,
        architecture=network.architecture,
        labels=recipe.data.labels,
        input=recipe.input,
        mean=mean.numpy(),
        std=std.numpy(),
        widths=network.widths,
        resolutions=network.resolutions,
        tensors=weights | batch_statistics.to_arrays(net, network.widths, network.resolutions),
        card=card,
        needs_up=recipe.data.needs_up,
    )


def from_model(model: Model) -> SwitchableNet:
    """The PyTorch network of a model, ready to evaluate: the reference for every other runtime."""
    net = SwitchableNet(model.architecture)
    net.load_state_dict({name: torch.from_numpy(model.tensors[name]) for name in net.state_dict()})
    batch_statistics.from_arrays(net, model.tensors, model.widths, model.resolutions)
    return net.eval()


def normalised(model: Model, x: NDArray[np.float32]) -> Tensor:
    """(n, length, columns) windows in SI units, normalised for the model's network."""
    return torch.from_numpy((x - model.mean) / model.std)
