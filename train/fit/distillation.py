"""How far a student's opinion is from its teacher's, and what of that it learns from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

ALPHAS = (-1.0, 1.0)
CLIP = 5.0
"""The largest importance weight of ``alpha_divergence``."""

Divergence = Callable[[Tensor, Tensor], Tensor]
"""(n, classes) teacher's probabilities, detached, and student's logits; their mean distance over the batch."""


def kl_divergence(teacher: Tensor, logits: Tensor) -> Tensor:
    """KL(teacher || student) at temperature 1: punishes a student who gives no chance to what the teacher believes."""
    return F.kl_div(logits.log_softmax(dim=1), teacher, reduction="batchmean")


def alpha_divergence(teacher: Tensor, logits: Tensor) -> Tensor:
    """The larger of two alpha-divergences of each window, so that neither too sure nor too vague a student gets away.

    Alpha 1 is the KL divergence, alpha -1 punishes a student who believes what the teacher does not. Importance weights
    are clipped at ``CLIP``. The value tells the divergence of the clipped weights; the gradient is that of the weights
    held still, as published, or the clipped ones would teach nothing.

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
    worse = value.argmax(dim=0, keepdim=True)
    taught = loss.gather(0, worse)
    return (taught - taught.detach() + value.gather(0, worse)).mean()


DIVERGENCES: Mapping[str, Divergence] = {"kl": kl_divergence, "alpha": alpha_divergence}
