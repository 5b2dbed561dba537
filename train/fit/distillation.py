"""Divergences between a student's and its teacher's predictions, as losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

ALPHAS = (-1.0, 1.0)
CLIP = 5.0
"""Largest importance weight in ``alpha_divergence``."""

Divergence = Callable[[Tensor, Tensor], Tensor]
"""From (n, classes) detached teacher probabilities and student logits to their mean distance over the batch."""


def kl_divergence(teacher: Tensor, logits: Tensor) -> Tensor:
    """KL(teacher || student) at temperature 1: punishes low probability where the teacher's is high."""
    return F.kl_div(logits.log_softmax(dim=1), teacher, reduction="batchmean")


def alpha_divergence(teacher: Tensor, logits: Tensor) -> Tensor:
    """The larger of two alpha-divergences of each window: punishes both overconfident and vague students.

    Alpha 1 is the KL divergence; alpha -1 punishes high probability where the teacher's is low. Importance weights
    are clipped at ``CLIP``. The value is the divergence with clipped weights; the gradient treats the weights as
    constants, as published, since clipped weights would otherwise have no gradient.

    Source: Wang et al., "AlphaNet: Improved Training of Supernets with Alpha-Divergence", ICML 2021.
    """
    log_student = logits.log_softmax(dim=1)
    student = log_student.detach().exp()
    log_ratio = teacher.clamp(min=torch.finfo(teacher.dtype).tiny).log() - log_student.detach()
    values, losses = [], []
    for alpha in ALPHAS:
        weight = (alpha * log_ratio).exp().clamp(max=CLIP)
        value = weight * log_ratio if alpha == 1 else (weight - 1) / (alpha * (alpha - 1))
        values.append((student * value).sum(dim=1))
        losses.append(-(student * weight / alpha * log_student).sum(dim=1))
    value, loss = torch.stack(values), torch.stack(losses)
    larger = value.argmax(dim=0, keepdim=True)
    window_losses = loss.gather(0, larger)  # the gradient of these, the value of the divergence
    return (window_losses - window_losses.detach() + value.gather(0, larger)).mean()


DIVERGENCES: Mapping[str, Divergence] = {"kl": kl_divergence, "alpha": alpha_divergence}
