"""Training windows, changed as wearing a sensor differently would change them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from kinestream.signals import AXES

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from .recipe import Augmentation


def triads(channels: tuple[str, ...]) -> list[int]:
    """The column at which each x, y, z triple of one sensor begins."""
    starts: list[int] = []
    for at in range(len(channels) - 2):
        stem = channels[at].removesuffix("_x")
        if channels[at : at + 3] == tuple(f"{stem}_{axis}" for axis in AXES):
            starts.append(at)
    return starts


def rotate(x: Tensor, starts: list[int], deg: float, rng: Generator) -> Tensor:
    """Turn all triads of each (length, columns) window by one rotation about a random axis, normal with ``deg``.

    Source: Rodrigues' rotation formula.
    """
    n = len(x)
    axis = F.normalize(torch.randn(n, 3, generator=rng), dim=1)
    angle = math.radians(deg) * torch.randn(n, 1, 1, generator=rng)
    cross = torch.zeros(n, 3, 3)
    cross[:, 2, 1], cross[:, 0, 2], cross[:, 1, 0] = axis.T
    cross = cross - cross.transpose(1, 2)
    turn = torch.eye(3) + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross)
    x = x.clone()
    for start in starts:
        x[:, :, start : start + 3] = x[:, :, start : start + 3] @ turn.transpose(1, 2)
    return x


def prepare(x: Tensor, mean: Tensor, std: Tensor, starts: list[int], how: Augmentation, rng: Generator) -> Tensor:
    """Changed, normalised copies of (n, length, columns) windows in SI units.

    Args:
        mean, std: (columns,) of the training windows.
        starts: the columns at which ``triads`` begin.
    """
    if how.rotation_deg:
        x = rotate(x, starts, how.rotation_deg, rng)
    x = (x - mean) / std
    if how.scale:
        x = x * (1 + how.scale * torch.randn(len(x), 1, x.shape[2], generator=rng))
    if how.jitter:
        x = x + how.jitter * torch.randn(x.shape, generator=rng)
    return x
