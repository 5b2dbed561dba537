"""Collaborative learning: the full network teaches thinner ones that see shorter windows.

One step sums the gradients of several passes over one batch: the full network at full length learns from the
labels; its detached logits then teach students of other widths, each at a random length.

Source: Qin et al., IEEE TAI 2024, after Yang et al., "MutualNet", ECCV 2020. The ensemble of lengths as a teacher
follows Wang et al., "Resolution Switchable Networks", ECCV 2020.
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
    """The students of one step after the teacher's pass: the thinnest, the widest, and ``passes - 3`` random ones.

    Widths are uniform over ``widths``, lengths over ``resolutions``; the paper's nine passes have six random students.
    Two passes leave room for one random student only.
    """
    ends = [min(widths), max(widths)] if passes > 2 else []
    student_widths = [*ends, *rng.choice(widths, passes - 1 - len(ends)).tolist()]
    return [Subnet(width, int(rng.choice(resolutions))) for width in student_widths]


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
    """Add the gradients of all passes to the parameters; return the teacher's loss and the students' mean loss.

    Args:
        x: (n, length, columns) normalised windows.
        labels: (n,) int64.
        distillation: the share of ``divergence`` between teacher and student in a student's loss; the rest is
            cross entropy with the labels.
        ensemble: the mean logits of all passes at full width, which see the window at several lengths, teach the
            thinner students; the full network at full length still teaches the others.
        class_weights: (classes,) weight of a window of each class in cross entropy; all 1 by default.
        dtype: number type of convolutions and linear layer; the losses are float32.
    Returns:
        Two 0-dimensional tensors, detached.
    """

    def logits_of(subnet: Subnet) -> Tensor:
        with computing_in(dtype, x.device):
            return net(x, subnet).float()

    def label_loss(logits: Tensor) -> Tensor:
        if class_weights is None:
            return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        # Torch would also weigh the smoothed share by class and pull all windows towards the rarest classes.
        weights = class_weights[labels]
        window_losses = F.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="none")
        return (weights * window_losses).sum() / weights.sum()

    logits = logits_of(full)
    teacher_loss = label_loss(logits)
    teacher_loss.backward()
    mean_student_loss = torch.zeros_like(teacher_loss)
    teacher_logits = [logits.detach()]
    if ensemble:  # passes at full width come first: their logits teach the thinner students
        students = sorted(students, key=lambda student: student.width != full.width)
    for student in students:
        thin = student.width != full.width
        teacher = torch.stack(teacher_logits).mean(dim=0) if ensemble and thin else teacher_logits[0]
        logits = logits_of(student)
        distance = divergence(teacher.softmax(dim=1), logits)
        student_loss = distillation * distance + (1 - distillation) * label_loss(logits)
        student_loss.backward()
        mean_student_loss += student_loss.detach() / len(students)
        if not thin:
            teacher_logits.append(logits.detach())
    return teacher_loss.detach(), mean_student_loss
