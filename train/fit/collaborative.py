"""Collaborative learning: the full network teaches thinner ones that see shorter windows.

One step sums the gradients of several passes over one batch: the full network at full length learns from the
labels; its logits, detached, then teach students of other widths, each at a random length.

Source: Qin et al., IEEE TAI 2024, after Yang et al., "MutualNet", ECCV 2020. The ensemble of lengths as a teacher is
after Wang et al., "Resolution Switchable Networks", ECCV 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from kinestream.core.signals import Subnet

from .device import computing_in
from .distillation import kl_divergence

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from ..network.switchable import SwitchableNet
    from .distillation import Divergence


def draw_students(
    rng: np.random.Generator, passes: int, widths: Sequence[float], resolutions: Sequence[int]
) -> list[Subnet]:
    """The subnetworks of one step after the teacher's pass: the thinnest, the widest, ``passes - 3`` random ones.

    Widths are uniform over ``widths``, lengths over ``resolutions``; the paper's nine passes have six random ones. Two
    passes leave room for one random student only.
    """
    ends = [min(widths), max(widths)] if passes > 2 else []
    drawn = [*ends, *rng.choice(widths, passes - 1 - len(ends)).tolist()]
    return [Subnet(width, int(rng.choice(resolutions))) for width in drawn]


def summed_gradients(
    net: SwitchableNet,
    x: Tensor,
    labels: Tensor,
    full: Subnet,
    students: Sequence[Subnet],
    *,
    distillation: float = 0.5,
    divergence: Divergence = kl_divergence,
    ensemble: bool = False,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Add the gradients of all passes to the parameters; the teacher's loss and the students' mean loss, 0-dimensional.

    Args:
        x: (n, length, columns) normalised windows.
        labels: (n,) int64.
        distillation: the share of ``divergence`` between teacher and student in a student's loss; the rest is
            cross entropy with the labels.
        ensemble: the mean logits of all passes at full width, which see the window at several lengths, teach the
            thinner students; the full network at full length still teaches the others.
        class_weights: (classes,) what a window of each class counts in cross entropy; all 1 by default.
        dtype: of convolutions and linear layer; the losses are float32.
    """

    def logits_of(subnet: Subnet) -> Tensor:
        with computing_in(dtype, x.device):
            return net(x, subnet).float()

    def truth(logits: Tensor) -> Tensor:
        if class_weights is None:
            return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        # Torch would also weigh the smoothed share by class, and all windows would be drawn to the rarest ones.
        weights = class_weights[labels]
        each = F.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="none")
        return (weights * each).sum() / weights.sum()

    logits = logits_of(full)
    loss = truth(logits)
    loss.backward()
    taught = torch.zeros_like(loss)
    opinions = [logits.detach()]
    if ensemble:  # whose opinion teaches has to speak first
        students = sorted(students, key=lambda student: student.width != full.width)
    for student in students:
        thin = student.width != full.width
        teacher = torch.stack(opinions).mean(dim=0) if ensemble and thin else opinions[0]
        logits = logits_of(student)
        away = divergence(teacher.softmax(dim=1), logits)
        student_loss = distillation * away + (1 - distillation) * truth(logits)
        student_loss.backward()
        taught += student_loss.detach() / len(students)
        if not thin:
            opinions.append(logits.detach())
    return loss.detach(), taught
