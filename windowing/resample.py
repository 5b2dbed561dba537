"""From irregular sample times to a uniform grid, sample by sample, causal, the same however it is cut.

A grid point between two samples gets the straight line between them. Going down in rate, the line is drawn
on a grid ``k`` times finer, low-passed there against aliasing, and every k-th point is kept.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kinestream.signals import UNLABELLED

from .filters import LowPass

if TYPE_CHECKING:
    from numpy.typing import NDArray

SNAP = 0.01
"""A sample this close to a grid point (in grid steps) counts as taken there: clocks print rounded times."""

HOLE = 1.5
"""Two samples further apart than this many nominal periods have lost something between them."""

ANTI_ALIAS_ORDER = 6
ANTI_ALIAS_SHARE = 0.4
"""Cut-off against aliasing, as a share of the grid's rate (0.5 would be its Nyquist frequency)."""

_IOTA = np.arange(4096, dtype=np.float64)


class Grid(NamedTuple):
    """Consecutive samples on the uniform grid."""

    x: NDArray[Any]
    """(n, columns)"""
    measured: NDArray[np.bool_] | None
    """(n,) False where the sample was interpolated over a hole; None: all measured."""
    labels: NDArray[np.int16] | None


class Resampler:
    """Lays one unbroken stretch of samples on a grid that starts at its first sample.

    Args:
        fs_in_hz: the source's nominal rate; it decides only the oversampling and what counts as a hole.
        fs_hz: rate of the grid.
        columns: signals side by side.
    """

    def __init__(self, fs_in_hz: float, fs_hz: float, columns: int) -> None:
        # A source within 5 % of the grid's rate has nothing above the grid's Nyquist frequency to fold down.
        self._k = 1 if fs_in_hz <= 1.05 * fs_hz else math.ceil(fs_in_hz / fs_hz - 0.05)
        self._rate_hz = fs_hz * self._k
        self._hole_steps = HOLE * self._rate_hz / fs_in_hz
        self._anti_alias = (
            LowPass(ANTI_ALIAS_ORDER, ANTI_ALIAS_SHARE * fs_hz, self._rate_hz, columns) if self._k > 1 else None
        )
        self._t0 = math.nan
        self._next = 0  # number of the next point on the fine grid
        self._last_p = math.nan  # where the newest sample lies, in fine steps from t0
        self._last_x: NDArray[Any] = np.empty(0)
        self._last_label = UNLABELLED

    def start(self, t0: float) -> None:
        """Begin a new stretch; its first sample, at ``t0``, is grid point 0."""
        self._t0 = t0
        self._next = 0
        self._last_p = -1.0
        if self._anti_alias:
            self._anti_alias.start()

    def push_regular(self, t: NDArray[np.float64], x: NDArray[Any], labels: NDArray[np.int16] | None) -> Grid | None:
        """The quick way: the samples themselves, if they lie on the grid one by one; else None, nothing done.

        Samples that pass are in order and without a hole, so nothing else needs to be looked at. The test is
        stricter than ``SNAP``: what fails it goes the careful way and comes out the same.
        """
        n = len(t)
        if self._k != 1 or n > len(_IOTA) or self._last_p != self._next - 1:
            return None
        off = t * self._rate_hz
        off -= _IOTA[:n] + (self._next + self._t0 * self._rate_hz)
        if not off.dot(off) < (SNAP / 2) ** 2:
            return None
        self._last_p = self._next + n - 1.0
        self._next += n
        self._last_x = x[-1].copy()
        if labels is not None:
            self._last_label = int(labels[-1])
        return Grid(x, None, labels)

    def push(self, t: NDArray[np.float64], x: NDArray[Any], labels: NDArray[np.int16] | None) -> Grid:
        """The grid points that the next samples of the stretch complete.

        Args:
            t: (n,) strictly ascending, later than all samples before; n >= 1.
        """
        p = (t - self._t0) * self._rate_hz
        nearest = np.rint(p)
        p = np.where(np.abs(p - nearest) < SNAP, nearest, p)
        if self._next == 0:  # the first sample stands alone: a bracket of its own
            before_p, before_x, before_label = -1.0, x[0], (UNLABELLED if labels is None else labels[0])
        else:
            before_p, before_x, before_label = self._last_p, self._last_x, self._last_label
        p = np.concatenate(([before_p], p))
        x_all = np.concatenate((before_x[None], x))
        self._last_p, self._last_x = float(p[-1]), x[-1].copy()
        stop = math.floor(p[-1]) + 1
        points = np.arange(self._next, stop, dtype=np.float64)
        self._next = max(self._next, stop)
        right = np.searchsorted(p, points, side="left")
        left = right - 1
        span = p[right] - p[left]
        share = (points - p[left]) / span
        exact = share == 1.0
        grid_x = (1.0 - share)[:, None] * x_all[left] + share[:, None] * x_all[right]
        grid_x[exact] = x_all[right[exact]]  # not even the sign of a zero may differ from the quick way
        measured = exact | (span <= self._hole_steps)
        grid_labels = None
        if labels is not None:
            codes = np.concatenate(([before_label], labels)).astype(np.int16)
            grid_labels = np.where(share >= 0.5, codes[right], codes[left])
            self._last_label = int(labels[-1])
        if self._anti_alias:
            grid_x = self._anti_alias.push(grid_x)
            keep = slice(int(-points[0]) % self._k if len(points) else 0, None, self._k)
            grid_x, measured = grid_x[keep], measured[keep]
            grid_labels = None if grid_labels is None else grid_labels[keep]
        return Grid(grid_x, None if measured.all() else measured, grid_labels)

    def state(self) -> dict[str, Any]:
        return {
            "t0": self._t0,
            "next": self._next,
            "last_p": self._last_p,
            "last_x": np.array(self._last_x),
            "last_label": self._last_label,
            "anti_alias": self._anti_alias.state() if self._anti_alias else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._t0, self._next, self._last_p = state["t0"], state["next"], state["last_p"]
        self._last_x, self._last_label = np.array(state["last_x"]), state["last_label"]
        if self._anti_alias:
            self._anti_alias.restore(state["anti_alias"])
