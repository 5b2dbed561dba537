"""How strongly a wearer moves in a window and how the sensor lies: what says whether a network has seen the like.

A network names one of its activities whatever it is shown. These few numbers do not come from the network, so they
also differ where the network is wrong: jumping shakes a sensor unlike walking even if its label is walking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.input_spec import CLIPPED_ACC, UPRIGHT_ACC, UPRIGHT_KNOWN
from kinestream.core.signals import ACC, STANDARD_GRAVITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOTION = 4
"""Numbers that tell how the wearer moves; the same however the sensor is turned."""
POSITION = 3
"""Numbers that tell how the sensor lies."""

LEAST = 0.03
"""m/s^2 of noise that every sensor has, so that the logarithm of a still window is that of its noise."""


class Movement:
    """Reads the movement from windows of one model.

    Args:
        channels: the columns of the model's windows.
        fs_hz: their rate.

    >>> still = np.tile(np.float32([0, 0, 9.80665]), (40, 1))
    >>> Movement(ACC, 20.0).of(still).round(2).tolist()
    [-3.51, 2.28, 1.0, -0.51, 0.0, 0.0, 1.0, 0.0]
    """

    def __init__(self, channels: Sequence[str], fs_hz: float) -> None:
        at = {name: column for column, name in enumerate(channels)}
        frames = [[at[name] for name in names] for names in (ACC, CLIPPED_ACC, UPRIGHT_ACC) if set(names) <= set(at)]
        self._acc = frames[0] if frames else None
        self._lies = frames[-1] if frames else None  # turned upright, if the model reads that
        self._known = at.get(UPRIGHT_KNOWN)
        self._fs_hz = fs_hz

    @property
    def can_read(self) -> bool:
        """Whether the windows have the three axes of an accelerometer."""
        return self._acc is not None

    def of(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """(..., 8) the movement in (..., length, columns) windows.

        The logarithms of the RMS of acceleration without its mean and of the highest magnitude, the lowest magnitude
        in g, the logarithm of the mean jerk; the mean acceleration in g, in the axes the network reads; and whether
        up is known.
        """
        acc = np.asarray(x[..., self._acc], np.float64)
        squares = np.einsum("...ij,...ij->...i", acc, acc)
        mean = acc.mean(axis=-2)
        variance = squares.mean(axis=-1) - np.einsum("...j,...j->...", mean, mean)
        steps = acc[..., 1:, :] - acc[..., :-1, :]
        jerk = np.sqrt(np.einsum("...ij,...ij->...i", steps, steps)).mean(axis=-1) * self._fs_hz
        out = np.empty((*variance.shape, MOTION + POSITION + 1))
        out[..., 0] = np.log(np.sqrt(np.maximum(variance, 0)) + LEAST)
        out[..., 1] = 0.5 * np.log(squares.max(axis=-1) + LEAST)
        out[..., 2] = np.sqrt(squares.min(axis=-1)) / STANDARD_GRAVITY
        out[..., 3] = np.log(jerk + LEAST * self._fs_hz)
        lies = mean if self._lies == self._acc else x[..., self._lies].mean(axis=-2)
        out[..., MOTION : MOTION + POSITION] = lies / STANDARD_GRAVITY
        out[..., -1] = 0.0 if self._known is None else x[..., 0, self._known]
        return out
