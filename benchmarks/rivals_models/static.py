"""Training of static networks, the rivals of a switchable network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from kinestream.core.errors import KinestreamError
from kinestream.core.signals import Subnet
from kinestream.inference.architecture import kept_channels
from kinestream.train.data.augment import prepare
from kinestream.train.fit.device import PROCESSOR, computing_in, number_type
from kinestream.train.fit.draw import draw_pairs, number_pairs
from kinestream.train.fit.optimize import average, learning_rate, make_optimizer, steps_per_epoch
from kinestream.train.network import batch_statistics
from kinestream.train.network.switchable import SwitchableNet

if TYPE_CHECKING:
    from torch import Tensor

    from kinestream.inference.architecture import Architecture
    from kinestream.train.data.windows import Windows
    from kinestream.train.recipe.schema import Recipe

Net = TypeVar("Net", bound=nn.Module)


class StaticNet(nn.Module):
    """A separate network in the shape of one subnetwork.

    It has the subnetwork's cost and is initialised for its own number of channels. Its batch norm has no running
    statistics: ``settle`` records them once the weights are final, as for a switchable network.
    """

    def __init__(self, architecture: Architecture, subnet: Subnet) -> None:
        super().__init__()
        self.net = SwitchableNet(replace(architecture, channels=kept_channels(architecture, subnet.width)))
        self.subnet = Subnet(1.0, subnet.resolution)

    def forward(self, x: Tensor) -> Tensor:
        """(n, classes) logits of (n, length, columns) normalised full windows."""
        return self.net(x, self.subnet)

    def settle(self, sample: Tensor, resolutions: Iterable[int] = ()) -> None:
        """Record batch-norm statistics from (n, length, columns) normalised training windows.

        Args:
            resolutions: further resolutions, at which the network was not trained.
        """
        subnets = {self.subnet, *(Subnet(1.0, resolution) for resolution in resolutions)}
        batch_statistics.record(self.net, sample, sorted(subnets))


def fit_static(
    make_net: Callable[[], Net],
    recipe: Recipe,
    train: Windows,
    *,
    seed: int,
    device: torch.device = PROCESSOR,
    track: Callable[[range], Iterable[int]] = iter,
) -> tuple[Net, Tensor, Tensor]:
    """Train a network by the recipe: optimizer, schedule, draw, augmentation, averaged weights; one pass per step.

    Args:
        make_net: called once, after seeding; the network maps (n, length, columns) to (n, classes) logits.
    Returns:
        The network, ready to evaluate on the processor, and mean and std, (columns,) each, of its input.
    Raises:
        KinestreamError: the loss is no longer finite.
    """
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    net = make_net().to(device)
    training = recipe.training
    dtype = number_type(training.precision, device)
    x_all, y_all = torch.from_numpy(train.x), torch.from_numpy(train.labels)
    std, mean = torch.std_mean(x_all, dim=(0, 1), correction=0)
    optimizer = make_optimizer(net, training)
    averaged = [value.detach().clone() for value in net.state_dict().values() if value.is_floating_point()]
    steps = steps_per_epoch(recipe, len(x_all))
    pairs = number_pairs(train, recipe.data) if training.draw == "datasets" else None
    for epoch in track(range(training.epochs)):
        net.train()
        if pairs is None:
            order = torch.randperm(len(x_all), generator=rng)
        else:
            order = torch.from_numpy(
                draw_pairs(np.random.default_rng((seed, epoch)), pairs, steps * training.batch_size)
            )
        batches = order.split(training.batch_size)
        for step, batch in zip(range(epoch * steps, (epoch + 1) * steps), batches, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(training, step, steps)
            x = prepare(x_all[batch], mean, std, recipe.input.channels, recipe.augmentation, rng)
            with computing_in(dtype, device):
                logits = net(x.to(device)).float()
            loss = F.cross_entropy(logits, y_all[batch].to(device), label_smoothing=training.label_smoothing)
            if not torch.isfinite(loss):
                raise KinestreamError(f"the loss is {loss.item()} in epoch {epoch + 1}; lower the learning rate")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            weights = [value for value in net.state_dict().values() if value.is_floating_point()]
            average(averaged, weights, training.ema_decay, step)
    if training.ema_decay:
        floats = [name for name, value in net.state_dict().items() if value.is_floating_point()]
        net.load_state_dict(dict(zip(floats, averaged, strict=True)), strict=False)
    return net.to(PROCESSOR).eval(), mean, std
