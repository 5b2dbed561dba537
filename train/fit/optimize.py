"""The optimizer, its learning rate as a function of the step, and the average of the weights.

Nothing here keeps state: a resumed run computes the same rates from the step number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..recipe.schema import Recipe, Training

START_DIVISOR, END_DIVISOR = 25.0, 1e4
"""The ``one_cycle`` rate starts and ends at its peak divided by these."""


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
    """Batches per epoch, at least one.

    An epoch draws ``epoch_windows``, or as many of the overlapping ``windows`` as the model's own hop would cut.
    """
    if recipe.training.epoch_windows:
        return max(1, round(recipe.training.epoch_windows / recipe.training.batch_size))
    share = min(1.0, recipe.train_hop / recipe.input.hop)
    return max(1, round(windows * share / recipe.training.batch_size))


def balanced_weights(labels: Tensor, classes: int) -> Tensor:
    """(classes,) window weights that give every class the same total; their mean over the windows is 1.

    >>> balanced_weights(torch.tensor([0, 0, 0, 1]), 2).tolist()
    [0.6666666865348816, 2.0]
    """
    counts = torch.bincount(labels, minlength=classes)
    return len(labels) / (classes * counts.clamp(min=1))


def learning_rate(training: Training, step: int, steps_per_epoch: int) -> float:
    """The learning rate of step ``step``, counted from 0.

    Source of one-cycle: Smith and Topin, "Super-Convergence", 2018, in its cosine form.

    >>> from kinestream.train import Training
    >>> cosine = Training(epochs=2, learning_rate=0.01, schedule="cosine")
    >>> [round(learning_rate(cosine, step, 2), 4) for step in range(4)]
    [0.01, 0.0085, 0.005, 0.0015]
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
    """Advance the exponential moving average by one step; it decays faster early on, so the start weighs little."""
    decay = min(decay, (1 + step) / (10 + step))
    for mean, weight in zip(averaged, weights, strict=True):
        mean.lerp_(weight, 1 - decay)
