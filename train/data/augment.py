"""Augmentation: training windows changed as another way of wearing the sensor would change them."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from kinestream.core.input_spec import CLIPPED_ACC, OWN_ACC, UPRIGHT_ACC, UPRIGHT_GYRO, UPRIGHT_KNOWN, VIEW_CHANNELS
from kinestream.core.signals import AXES
from kinestream.windowing import views

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from ..recipe.schema import Augmentation


def triads(channels: tuple[str, ...], *, upright: bool = False) -> list[int]:
    """The first column of each x, y, z triple in a sensor's own axes, or, ``upright``, of those turned upright.

    >>> triads(("gyro_z", "acc_x", "acc_y", "acc_z"))
    [1]
    """
    starts: list[int] = []
    for column in range(len(channels) - 2):
        stem = channels[column].removesuffix("_x")
        is_triad = channels[column : column + 3] == tuple(f"{stem}_{axis}" for axis in AXES)
        if is_triad and upright == (channels[column] in (*UPRIGHT_ACC, *UPRIGHT_GYRO)):
            starts.append(column)
    return starts


def tilts(n: int, deg: float, rng: Generator) -> Tensor:
    """(n, 3, 3) rotations, each about a random axis by a normal angle of ``deg`` deviation.

    Source: Rodrigues' rotation formula.
    """
    axis = F.normalize(torch.randn(n, 3, generator=rng), dim=1)
    angle = math.radians(deg) * torch.randn(n, 1, 1, generator=rng)
    cross = torch.zeros(n, 3, 3)
    cross[:, 2, 1], cross[:, 0, 2], cross[:, 1, 0] = axis.T
    cross = cross - cross.transpose(1, 2)
    return torch.eye(3) + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross)


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


def vary_views(x: Tensor, channels: tuple[str, ...], augmentation: Augmentation, rng: Generator) -> Tensor:
    """Windows of ``VIEW_CHANNELS`` as another sensor, worn by another person, would give them.

    Acceleration gets a common gain and an offset. The upright columns turn about the vertical by any angle, since their
    turn is arbitrary; up is off by a few degrees, or unknown as in a wearer's first seconds. The columns about the
    window's own gravity follow. Columns in the sensor's own axes are turned later, by ``any_rotation``.

    Args:
        x: (n, length, columns) SI units.
    """
    x, n = x.clone(), len(x)
    at = {name: column for column, name in enumerate(channels)}
    gain = 1 + augmentation.gain * torch.randn(n, 1, 1, generator=rng)
    for stem in {name.removesuffix("_x") for name in channels if name.endswith("acc_x")}:
        columns = slice(at[f"{stem}_x"], at[f"{stem}_x"] + 3)
        x[:, :, columns] = x[:, :, columns] * gain + augmentation.offset * torch.randn(n, 1, 3, generator=rng)
    dropped = torch.rand(n, generator=rng) < augmentation.up_dropped
    if starts := triads(channels, upright=True):
        known = torch.ones(n, dtype=torch.bool)
        if UPRIGHT_KNOWN in at:
            known = (x[:, 0, at[UPRIGHT_KNOWN]] > 0) & ~dropped
            x[:, :, at[UPRIGHT_KNOWN]] = known.to(x.dtype).unsqueeze(1)
        means = x[:, :, at[UPRIGHT_ACC[0]] : at[UPRIGHT_ACC[0]] + 3].mean(dim=1).tolist()
        own = np.stack([views.upright_turn(mean) for mean in means])
        off = tilts(n, augmentation.up_error_deg, rng)
        turns = torch.where(known.view(-1, 1, 1), off, torch.from_numpy(own).to(x.dtype))
        x = apply_rotations(x, starts, _any_yaw(n, rng) @ turns)
    base = UPRIGHT_ACC[0] if UPRIGHT_ACC[0] in at else CLIPPED_ACC[0]
    if base in at and not at.keys().isdisjoint(OWN_ACC):
        about = torch.from_numpy(views.about_own_gravity(x[:, :, at[base] : at[base] + 3].numpy()))
        for column, name in enumerate(OWN_ACC):
            if name in at:
                x[:, :, at[name]] = about[..., column]
    return x


def _any_yaw(n: int, rng: Generator) -> Tensor:
    """(n, 3, 3) rotations about z by any angle."""
    angle = 2 * math.pi * torch.rand(n, generator=rng)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros(n)
    return torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, zero + 1], dim=1).view(n, 3, 3)


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
    x: Tensor, mean: Tensor, std: Tensor, channels: tuple[str, ...], augmentation: Augmentation, rng: Generator
) -> Tensor:
    """Augmented, normalised copies of (n, length, columns) windows in SI units.

    Args:
        mean, std: (columns,) of the training windows.
        channels: name of each column.
    """
    starts = triads(channels)
    if any(name in VIEW_CHANNELS for name in channels):
        x = vary_views(x, channels, augmentation, rng)
    if augmentation.any_rotation:
        x = apply_rotations(x, starts, _for_share(any_rotations(len(x), rng), augmentation.any_rotation, rng))
    if augmentation.axis_turn:
        chosen = torch.randint(24, (len(x),), generator=rng)
        x = apply_rotations(x, starts, _for_share(axis_turns()[chosen], augmentation.axis_turn, rng))
    if augmentation.rotation_deg:
        x = apply_rotations(x, starts, tilts(len(x), augmentation.rotation_deg, rng))
    if augmentation.rate:
        x = slow_down(x, augmentation.rate, rng)
    x = (x - mean) / std
    if augmentation.scale:
        x = x * (1 + augmentation.scale * torch.randn(len(x), 1, x.shape[2], generator=rng))
    if augmentation.jitter:
        x = x + augmentation.jitter * torch.randn(x.shape, generator=rng)
    return x
