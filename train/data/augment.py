"""Training windows, changed as wearing a sensor differently would change them."""

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
    return turned(x, starts, torch.eye(3) + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross))


def turned(x: Tensor, starts: list[int], turn: Tensor) -> Tensor:
    """All triads of each window times its (n, 3, 3) rotation: every sensor on a body turns alike."""
    x = x.clone()
    for start in starts:
        x[:, :, start : start + 3] = x[:, :, start : start + 3] @ turn.transpose(1, 2)
    return x


def any_rotations(n: int, rng: Generator) -> Tensor:
    """(n, 3, 3) rotations, each as likely as any other: unit quaternions even on their sphere.

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
    """(24, 3, 3) the rotations that lead axes onto axes: signed permutations without the mirror images."""
    signed = [
        torch.diag(torch.tensor(signs)) @ torch.eye(3)[list(order)]
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1.0, -1.0), repeat=3)
    ]
    return torch.stack([matrix for matrix in signed if torch.linalg.det(matrix) > 0])


def _some(turns: Tensor, share: float, rng: Generator) -> Tensor:
    """The rotations, but for a share of 1 - ``share`` that become none at all."""
    return torch.where(torch.rand(len(turns), 1, 1, generator=rng) < share, turns, torch.eye(3))


def slow_down(x: Tensor, most: float, rng: Generator) -> Tensor:
    """Each (length, columns) window as a slower sensor gives it: sampled at (1 - ``most``) to 1 of the rate from a
    random moment on, and laid back on the grid by straight lines, which is what ``windowing`` does live."""
    n, length = x.shape[:2]
    step = 1 / (1 - most * torch.rand(n, 1, generator=rng))
    phase = step * torch.rand(n, 1, generator=rng)
    grid = torch.arange(length, dtype=x.dtype)
    number = torch.floor((grid - phase) / step)  # of the slow sample before each grid point
    before, after = ((number + more) * step + phase for more in (0, 1))
    share = ((grid - before) / step).unsqueeze(2)
    return (1 - share) * _read(x, before) + share * _read(x, after)


def _read(x: Tensor, at: Tensor) -> Tensor:
    """(n, m, columns) the windows at (n, m) places between their samples; beyond an end, its last sample."""
    at = at.clamp(0, x.shape[1] - 1)
    low = at.floor().long().clamp(max=x.shape[1] - 2)
    index = low.unsqueeze(2).expand(-1, -1, x.shape[2])
    share = (at - low).unsqueeze(2)
    return (1 - share) * x.gather(1, index) + share * x.gather(1, index + 1)


def prepare(x: Tensor, mean: Tensor, std: Tensor, starts: list[int], how: Augmentation, rng: Generator) -> Tensor:
    """Changed, normalised copies of (n, length, columns) windows in SI units.

    Args:
        mean, std: (columns,) of the training windows.
        starts: the columns at which ``triads`` begin.
    """
    if how.any_rotation:
        x = turned(x, starts, _some(any_rotations(len(x), rng), how.any_rotation, rng))
    if how.axis_turn:
        chosen = torch.randint(24, (len(x),), generator=rng)
        x = turned(x, starts, _some(axis_turns()[chosen], how.axis_turn, rng))
    if how.rotation_deg:
        x = rotate(x, starts, how.rotation_deg, rng)
    if how.rate:
        x = slow_down(x, how.rate, rng)
    x = (x - mean) / std
    if how.scale:
        x = x * (1 + how.scale * torch.randn(len(x), 1, x.shape[2], generator=rng))
    if how.jitter:
        x = x + how.jitter * torch.randn(x.shape, generator=rng)
    return x
