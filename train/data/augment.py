"""Augmentation: training windows changed as another way of wearing the sensor would change them."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from kinestream.core.signals import AXES

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from ..recipe.schema import Augmentation


def triads(channels: tuple[str, ...]) -> list[int]:
    """The first column of each x, y, z triple of one sensor.

    >>> triads(("gyro_z", "acc_x", "acc_y", "acc_z"))
    [1]
    """
    starts: list[int] = []
    for column in range(len(channels) - 2):
        stem = channels[column].removesuffix("_x")
        if channels[column : column + 3] == tuple(f"{stem}_{axis}" for axis in AXES):
            starts.append(column)
    return starts


def rotate(x: Tensor, starts: list[int], deg: float, rng: Generator) -> Tensor:
    """Rotate all triads of each (length, columns) window about one random axis by a normal angle of ``deg`` deviation.

    Source: Rodrigues' rotation formula.
    """
    n = len(x)
    axis = F.normalize(torch.randn(n, 3, generator=rng), dim=1)
    angle = math.radians(deg) * torch.randn(n, 1, 1, generator=rng)
    cross = torch.zeros(n, 3, 3)
    cross[:, 2, 1], cross[:, 0, 2], cross[:, 1, 0] = axis.T
    cross = cross - cross.transpose(1, 2)
    return apply_rotations(x, starts, torch.eye(3) + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross))


def apply_rotations(x: Tensor, starts: list[int], rotations: Tensor) -> Tensor:
    """A copy of the windows, all triads of each multiplied by its (n, 3, 3) rotation: all sensors turn together."""
    x = x.clone()
    for start in starts:
        x[:, :, start : start + 3] = x[:, :, start : start + 3] @ rotations.transpose(1, 2)
    return x


def any_rotations(n: int, rng: Generator) -> Tensor:
    """(n, 3, 3) uniformly distributed rotations: from unit quaternions uniform on their sphere.

    Source: Shoemake, "Uniform Random Rotations", Graphics Gems III, 1992.
    """
    w, x, y, z = F.normalize(torch.randn(n, 4, generator=rng), dim=1).T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def axis_turns() -> Tensor:
    """(24, 3, 3) rotations that map axes to axes: the signed permutations that are not mirror images.

    >>> axis_turns().shape
    torch.Size([24, 3, 3])
    """
    signed = [
        torch.diag(torch.tensor(signs)) @ torch.eye(3)[list(order)]
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1.0, -1.0), repeat=3)
    ]
    return torch.stack([matrix for matrix in signed if torch.linalg.det(matrix) > 0])


def _for_share(rotations: Tensor, share: float, rng: Generator) -> Tensor:
    """The rotations, randomly replaced by the identity except for ``share`` of them."""
    return torch.where(torch.rand(len(rotations), 1, 1, generator=rng) < share, rotations, torch.eye(3))


def slow_down(x: Tensor, most: float, rng: Generator) -> Tensor:
    """Each (length, columns) window as a slower sensor would measure it.

    The window is sampled at a random rate between (1 - ``most``) and 1 of its own, from a random phase on, and
    interpolated linearly back to its grid, as ``windowing`` does live.
    """
    n, length = x.shape[:2]
    step = 1 / (1 - most * torch.rand(n, 1, generator=rng))
    phase = step * torch.rand(n, 1, generator=rng)
    grid = torch.arange(length, dtype=x.dtype)
    number = torch.floor((grid - phase) / step)  # of the slow sample before each grid point
    before, after = ((number + offset) * step + phase for offset in (0, 1))
    share = ((grid - before) / step).unsqueeze(2)
    return (1 - share) * _interpolate(x, before) + share * _interpolate(x, after)


def _interpolate(x: Tensor, positions: Tensor) -> Tensor:
    """(n, m, columns) windows at (n, m) positions between samples; positions beyond an end give its sample."""
    positions = positions.clamp(0, x.shape[1] - 1)
    low = positions.floor().long().clamp(max=x.shape[1] - 2)
    index = low.unsqueeze(2).expand(-1, -1, x.shape[2])
    share = (positions - low).unsqueeze(2)
    return (1 - share) * x.gather(1, index) + share * x.gather(1, index + 1)


def prepare(
    x: Tensor, mean: Tensor, std: Tensor, starts: list[int], augmentation: Augmentation, rng: Generator
) -> Tensor:
    """Augmented, normalised copies of (n, length, columns) windows in SI units.

    Args:
        mean, std: (columns,) of the training windows.
        starts: the first columns of the ``triads``.
    """
    if augmentation.any_rotation:
        x = apply_rotations(x, starts, _for_share(any_rotations(len(x), rng), augmentation.any_rotation, rng))
    if augmentation.axis_turn:
        chosen = torch.randint(24, (len(x),), generator=rng)
        x = apply_rotations(x, starts, _for_share(axis_turns()[chosen], augmentation.axis_turn, rng))
    if augmentation.rotation_deg:
        x = rotate(x, starts, augmentation.rotation_deg, rng)
    if augmentation.rate:
        x = slow_down(x, augmentation.rate, rng)
    x = (x - mean) / std
    if augmentation.scale:
        x = x * (1 + augmentation.scale * torch.randn(len(x), 1, x.shape[2], generator=rng))
    if augmentation.jitter:
        x = x + augmentation.jitter * torch.randn(x.shape, generator=rng)
    return x
