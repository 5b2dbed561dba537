"""The optimizer, its learning rate as a function of the step, and the average of the weights.

Nothing here remembers where it is: a resumed run computes the same rates from the step alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..recipe.schema import Recipe, Training

START_DIVISOR, END_DIVISOR = 25.0, 1e4
"""How far below its peak ``one_cycle`` begins and ends."""


def make_optimizer(net: nn.Module, training: Training) -> torch.optim.Optimizer:
    """Adam or AdamW; scales, shifts and biases do not decay."""
    parameters = list(net.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=training.learning_rate)


def steps_per_epoch(recipe: Recipe, windows: int) -> int:
    """As many windows as the model's own hop would cut make an epoch, drawn from the ``windows`` overlapping ones."""
    share = min(1.0, recipe.train_hop / recipe.input.hop)
    return max(1, round(windows * share / recipe.training.batch_size))


def balanced_weights(labels: Tensor, classes: int) -> Tensor:
    """(classes,) what a class's windows weigh so that all classes weigh the same, 1 in the mean over the windows."""
    counts = torch.bincount(labels, minlength=classes)
    return len(labels) / (classes * counts.clamp(min=1))


def learning_rate(training: Training, step: int, steps_per_epoch: int) -> float:
    """The rate of step ``step``, counted from 0.

    Source of one-cycle: Smith and Topin, "Super-Convergence", 2018, in its cosine form.
    """
    peak = training.learning_rate
    if training.schedule == "milestones":
        return peak * 0.1 ** sum(step // steps_per_epoch >= epoch for epoch in training.milestones)
    total = training.epochs * steps_per_epoch
    if training.schedule == "cosine":
        return _cosine(peak, 0.0, step / total)
    rising = training.warmup_share * total
    if step < rising:
        return _cosine(peak / START_DIVISOR, peak, step / rising)
    return _cosine(peak, peak / END_DIVISOR, (step - rising) / max(1.0, total - rising))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


@torch.no_grad()
def average(averaged: list[Tensor], weights: list[Tensor], decay: float, step: int) -> None:
    """Move the exponential moving average one step on; early on it forgets faster, so the start weighs little."""
    decay = min(decay, (1 + step) / (10 + step))
    for mean, weight in zip(averaged, weights, strict=True):
        mean.lerp_(weight, 1 - decay)
