"""Columns that show a window independently of how the sensor is turned.

A sensor's own axes mean something else in every pocket. These columns are made of a whole window and, for
``upright_*``, of the direction of up that ``WalkingUp`` found:

- ``clipped_acc_*``: acceleration in the sensor's axes, limited to 2 g as the smallest sensors limit it. All other
  columns are made of it.
- ``upright_acc_*``, ``upright_gyro_*``: turned so that up becomes z. The turn about z stays open: training draws it at
  random. While up is unknown, the window's own mean acceleration takes its place.
- ``upright_known``: 1 where up is known, else 0.
- ``vertical_acc``, ``horizontal_acc``, ``norm_acc``: along the window's own mean acceleration, across it, and in all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.input_spec import CLIPPED_ACC, OWN_ACC, UPRIGHT_ACC, UPRIGHT_GYRO, UPRIGHT_KNOWN
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec
    from kinestream.core.signals import Vector

    Floats = NDArray[Any]

LIMIT = 2 * STANDARD_GRAVITY
TINY = 1e-9


class Views:
    """Makes the columns of one input specification.

    >>> from kinestream.core.input_spec import InputSpec
    >>> spec = InputSpec(("upright_acc_z", "upright_known"), 20.0, length=80, hop=40, lowpass_hz=None)
    >>> Views(spec).columns(np.tile(np.float32([9.5, 0, 0]), (80, 1)), (1.0, 0.0, 0.0))[0].tolist()
    [9.5, 1.0]
    """

    def __init__(self, spec: InputSpec) -> None:
        names = spec.stream_channels
        self._acc = [names.index(name) for name in ACC]
        self._gyro = [names.index(name) for name in GYRO] if has_any(UPRIGHT_GYRO, spec) else []
        self._turns = bool(self._gyro) or has_any(UPRIGHT_ACC, spec)
        self._own = has_any(OWN_ACC, spec)
        self._at = {name: at for at, name in enumerate(spec.channels)}
        self._places = {names: self._place(names) for names in (CLIPPED_ACC, UPRIGHT_ACC, UPRIGHT_GYRO, OWN_ACC)}
        self._direct = [(at, names.index(name)) for name, at in self._at.items() if name in names]

    def columns(self, x: NDArray[np.float32], up: Vector | None) -> NDArray[np.float32]:
        """Return the (length, columns) input of the network.

        Args:
            x: (length, stream channels) the window on the grid.
            up: unit vector in the sensor's axes; None while it is unknown.
        """
        out = np.empty((len(x), len(self._at)), np.float32)
        for at, source in self._direct:
            out[:, at] = x[:, source]
        acc = clipped(x[:, self._acc])
        self._put(out, CLIPPED_ACC, acc)
        if UPRIGHT_KNOWN in self._at:
            out[:, self._at[UPRIGHT_KNOWN]] = up is not None
        if self._turns:
            turn = upright_turn(acc.mean(axis=0) if up is None else up)
            self._put(out, UPRIGHT_ACC, acc @ turn.T)
            if self._gyro:
                self._put(out, UPRIGHT_GYRO, x[:, self._gyro] @ turn.T)
        if self._own:
            self._put(out, OWN_ACC, about_own_gravity(acc))
        return out

    def _place(self, names: tuple[str, ...]) -> tuple[list[int] | slice, list[int] | slice]:
        """Which columns these names have here, and among themselves; slices, which are faster, for a whole triple."""
        at = [self._at.get(name, -1) for name in names]
        if at[0] >= 0 and at == list(range(at[0], at[0] + 3)):
            return slice(at[0], at[0] + 3), slice(3)
        present = [column for column, place in enumerate(at) if place >= 0]
        return [at[column] for column in present], present

    def _put(self, out: NDArray[np.float32], names: tuple[str, ...], values: Floats) -> None:
        to, of = self._places[names]
        out[:, to] = values[:, of]


def has_any(names: tuple[str, ...], spec: InputSpec) -> bool:
    """Return whether the network reads one of these columns."""
    return not set(names).isdisjoint(spec.channels)


def clipped(acc: Floats) -> Floats:
    """Return acceleration as a sensor of 2 g would measure it.

    >>> clipped(np.array([30.0, -5.0])).tolist()
    [19.6133, -5.0]
    """
    return np.clip(acc, -LIMIT, LIMIT)


def upright_turn(up: Sequence[float] | Floats) -> Floats:
    """Return the (3, 3) smallest rotation that turns ``up`` to z.

    Args:
        up: (3,) of any length; zero gives the identity.

    Source: Rodrigues' formula for the rotation between two vectors.

    >>> (upright_turn([0.0, 5.0, 0.0]) @ [0.0, 1.0, 0.0]).round(6).tolist()
    [0.0, 0.0, 1.0]
    """
    x, y, z = (float(value) for value in up)
    length = math.sqrt(x * x + y * y + z * z)
    if length < TINY:
        return np.eye(3)
    x, y, z = x / length, y / length, z / length
    if z < -1 + 1e-6:  # every half turn about a horizontal axis is smallest: take the one about x
        return np.diag((1.0, -1.0, -1.0))
    share = 1 / (1 + z)
    return np.array(((1 - x * x * share, -x * y * share, -x), (-x * y * share, 1 - y * y * share, -y), (x, y, z)))


def about_own_gravity(acc: Floats) -> Floats:
    """Return (..., n, 3): acceleration along the window's own mean, across it, and its norm.

    Args:
        acc: (..., n, 3) m/s^2.
    """
    mean = acc.mean(axis=-2, keepdims=True)
    own = mean / np.maximum(np.sqrt(np.square(mean).sum(-1, keepdims=True)), TINY)
    vertical = (acc * own).sum(-1)
    horizontal = np.sqrt(np.square(acc - vertical[..., None] * own).sum(-1))
    return np.stack([vertical, horizontal, np.sqrt(np.square(acc).sum(-1))], -1)
