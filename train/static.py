"""Training of a network that is never cut: the rivals a switchable one has to be measured against."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from kinestream.errors import KinestreamError

from .augment import prepare, triads
from .optimize import average, learning_rate, make_optimizer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .data import Windows
    from .recipe import Recipe


def fit_static(
    make_net: Callable[[], nn.Module],
    recipe: Recipe,
    train: Windows,
    *,
    seed: int,
    epochs: int | None = None,
    track: Callable[[range], Iterable[int]] = iter,
) -> tuple[nn.Module, Tensor, Tensor]:
    """The network, trained by the recipe: its optimizer, schedule, augmentation and averaged weights, one pass a step.

    Args:
        make_net: called once, after seeding; the network maps (n, length, columns) to (n, classes) logits.
        epochs: the recipe's by default.
    Returns:
        The network, ready to evaluate, and mean and std, (columns,) each, that its input is normalised with.
    Raises:
        KinestreamError: the loss is no number any more.
    """
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    net = make_net()
    training = recipe.training
    epochs = epochs or training.epochs
    x_all, y_all = torch.from_numpy(train.x), torch.from_numpy(train.labels)
    mean, std = x_all.mean((0, 1)), x_all.std((0, 1))
    starts = triads(recipe.input.channels)
    optimizer = make_optimizer(net, training)
    averaged = [value.detach().clone() for value in net.state_dict().values() if value.is_floating_point()]
    steps = len(x_all) // training.batch_size
    step = 0
    for epoch in track(range(epochs)):
        net.train()
        order = torch.randperm(len(x_all), generator=rng)
        for batch in order[: steps * training.batch_size].split(training.batch_size):
            # The recipe's schedule, stretched over the epochs of this run.
            rate = learning_rate(training, round(step * training.epochs / epochs), steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            x = prepare(x_all[batch], mean, std, starts, recipe.augmentation, rng)
            loss = F.cross_entropy(net(x), y_all[batch], label_smoothing=training.label_smoothing)
            if not torch.isfinite(loss):
                raise KinestreamError(f"the loss is {loss.item()} in epoch {epoch}; lower the learning rate")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            weights = [value for value in net.state_dict().values() if value.is_floating_point()]
            average(averaged, weights, training.ema_decay, step)
            step += 1
    if training.ema_decay:
        floats = [name for name, value in net.state_dict().items() if value.is_floating_point()]
        net.load_state_dict(dict(zip(floats, averaged, strict=True)), strict=False)
    return net.eval(), mean, std
