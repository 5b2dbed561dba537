"""Collaborative learning: the full network teaches thinner ones that see shorter windows.

One step sums the gradients of several passes over one batch: the full network at full length learns from the
labels; its logits, detached, then teach students of other widths, each at a random length.

Source: Qin et al., IEEE TAI 2024, after Yang et al., "MutualNet", ECCV 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from kinestream.signals import Subnet

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from .networks import SwitchableNet


def draw_students(
    rng: np.random.Generator, passes: int, widths: Sequence[float], resolutions: Sequence[int]
) -> list[Subnet]:
    """The subnetworks of one step after the teacher's pass: the thinnest, the widest, ``passes - 3`` random ones.

    Widths are uniform over ``widths``, lengths over ``resolutions``; the paper's nine passes have six random ones.
    """
    drawn = [min(widths), max(widths), *rng.choice(widths, passes - 3).tolist()]
    return [Subnet(width, int(rng.choice(resolutions))) for width in drawn]


def summed_gradients(
    net: SwitchableNet,
    x: Tensor,
    labels: Tensor,
    full: Subnet,
    students: Sequence[Subnet],
    *,
    distillation: float = 0.5,
    label_smoothing: float = 0.0,
    dtype: torch.dtype = torch.float32,
) -> tuple[float, float]:
    """Add the gradients of all passes to the parameters; the teacher's loss and the students' mean loss.

    Args:
        x: (n, length, columns) normalised windows.
        labels: (n,) int64.
        distillation: the share of KL(teacher || student) at temperature 1 in a student's loss; the rest is
            cross entropy with the labels.
        dtype: of convolutions and linear layer; the losses are float32.
    """

    def logits_of(subnet: Subnet) -> Tensor:
        with torch.autocast("cpu", dtype=dtype, enabled=dtype is not torch.float32):
            return net(x, subnet).float()

    logits = logits_of(full)
    loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    loss.backward()
    taught = 0.0
    teacher = logits.detach().softmax(dim=1)
    for student in students:
        logits = logits_of(student)
        divergence = F.kl_div(logits.log_softmax(dim=1), teacher, reduction="batchmean")
        truth = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        student_loss = distillation * divergence + (1 - distillation) * truth
        student_loss.backward()
        taught += student_loss.item() / len(students)
    return loss.item(), taught
