"""Resample irregular samples to a uniform grid: causal, and independent of how the stream is cut into chunks.

A grid point between two samples is interpolated linearly. To reduce the rate, the signal is interpolated on a grid
``k`` times finer, low-passed there against aliasing, and every k-th point is taken.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kinestream.core.signals import UNLABELLED

from .filters import LowPass

if TYPE_CHECKING:
    from numpy.typing import NDArray

SNAP = 0.01
"""Distance, in grid steps, within which a sample counts as taken at a grid point: times are often rounded."""

HOLE = 1.5
"""Distance of two samples above which a sample is missing between them: in nominal periods, or in steps of the grid if
the source is faster than the grid, which then has a sample at every step all the same."""

ANTI_ALIAS_ORDER = 6
ANTI_ALIAS_SHARE = 0.4
"""Cut-off against aliasing as a share of the grid's rate; 0.5 is the Nyquist frequency."""

_LONGEST = 4096
"""Most samples per call of ``push_regular``."""

_FAR_S = 1e10
"""Largest time (year 2286) at which a float still resolves grid steps to well within ``SNAP``."""


class Grid(NamedTuple):
    """Consecutive samples on the uniform grid."""

    x: NDArray[Any]
    """(n, columns) values."""
    measured: NDArray[np.bool_] | None
    """(n,) False where a sample was interpolated over a gap; None if all were measured."""
    labels: NDArray[np.int16] | None


class Resampler:
    """Resamples one unbroken stretch to a grid that starts at its first sample.

    Args:
        fs_in_hz: the source's nominal rate; it decides only the oversampling and which distances are holes.
        fs_hz: rate of the grid.
        columns: number of signals.

    >>> resampler = Resampler(25.0, 50.0, columns=1)
    >>> resampler.start(0.0)
    >>> resampler.push(np.array([0.0, 0.04]), np.array([[0.0], [1.0]], np.float32), None).x.ravel().tolist()
    [0.0, 0.5, 1.0]
    """

    def __init__(self, fs_in_hz: float, fs_hz: float, columns: int) -> None:
        self._fs_hz, self._columns = fs_hz, columns
        self._set_rate(fs_in_hz)
        self._bridge_steps = 0.0  # longest distance over a change of rate that is not a gap
        self._t0 = math.nan
        self._next = 0  # index of the next point on the fine grid
        self._last_p = math.nan  # position of the newest sample, in fine steps from t0
        self._last_x: NDArray[Any] = np.empty(0)
        self._last_label = UNLABELLED

    def _set_rate(self, fs_in_hz: float) -> None:
        fs_hz = self._fs_hz
        # A source within 5 % of the grid's rate has no content above the grid's Nyquist frequency that could alias.
        self._k = 1 if fs_in_hz <= 1.05 * fs_hz else math.ceil(fs_in_hz / fs_hz - 0.05)
        self.rate_hz = fs_hz * self._k
        """Rate of the fine grid."""
        self._steps_s = np.arange(_LONGEST) / self.rate_hz
        self._snap_s2 = (SNAP / 2 / self.rate_hz) ** 2
        self._hole_steps = HOLE * (self._k if self._k > 1 else self.rate_hz / fs_in_hz)
        self._anti_alias = (
            LowPass(ANTI_ALIAS_ORDER, ANTI_ALIAS_SHARE * fs_hz, self.rate_hz, self._columns) if self._k > 1 else None
        )

    def retune(self, fs_in_hz: float) -> None:
        """Continue with samples at another nominal rate; the grid does not move."""
        before, hole_steps = self._k, self._hole_steps
        self._set_rate(fs_in_hz)
        self._bridge_steps = hole_steps * self._k / before
        self._last_p *= self._k / before
        self._next = -(-self._next // before) * self._k

    def start(self, t0: float) -> None:
        """Begin a new stretch; its first sample, at ``t0``, is grid point 0."""
        self._t0 = t0
        self._next = 0
        self._last_p = -1.0
        if self._anti_alias:
            self._anti_alias.start()

    def push_regular(self, t: NDArray[np.float64], x: NDArray[Any], labels: NDArray[np.int16] | None) -> Grid | None:
        """Return the samples themselves if each lies on the next grid point; else do nothing and return None.

        Samples that pass are in order and without a gap, so no further check is needed. The test is stricter than
        ``SNAP``; ``push`` gives the same result for samples that fail it.
        """
        n = len(t)
        if self._last_p != self._next - 1 or self._k != 1 or n > len(self._steps_s) or not -_FAR_S < self._t0 < _FAR_S:
            return None
        off_s = self._steps_s[:n] + (self._t0 + self._next / self.rate_hz)
        off_s -= t
        if not off_s.dot(off_s) < self._snap_s2:
            return None
        self._last_p = self._next + n - 1.0
        self._next += n
        self._last_x = x[-1].copy()
        if labels is not None:
            self._last_label = int(labels[-1])
        return Grid(x, None, labels)

    def push(self, t: NDArray[np.float64], x: NDArray[Any], labels: NDArray[np.int16] | None) -> Grid:
        """Return the grid points that the next samples of the stretch complete.

        Args:
            t: (n,) seconds, strictly ascending and later than all earlier samples; n >= 1.
        """
        n = len(t)
        p, x_all = np.empty(n + 1), np.empty((n + 1, x.shape[1]), np.float32)
        if self._next:
            p[0], x_all[0] = self._last_p, self._last_x
        else:  # the first sample alone: an interval of its own
            p[0], x_all[0] = -1.0, x[0]
            self._last_label = UNLABELLED if labels is None else int(labels[0])
        x_all[1:] = x
        inner = p[1:]
        np.subtract(t, self._t0, out=inner)
        inner *= self.rate_hz
        nearest = np.rint(inner)
        np.copyto(inner, nearest, where=np.abs(inner - nearest) < SNAP)
        stop = math.floor(inner[-1]) + 1
        points = np.arange(self._next, stop, dtype=np.float64)
        right = p.searchsorted(points)
        left = right - 1
        begin = p.take(left)
        span = p.take(right) - begin
        share = (points - begin) / span
        exact = share == 1.0
        before, after = x_all.take(left, axis=0), x_all.take(right, axis=0)
        weight = share.astype(np.float32)[:, None]
        grid_x = (1.0 - weight) * before + weight * after
        hits = exact.nonzero()[0]
        if len(hits):  # so that not even the sign of a zero differs from ``push_regular``
            grid_x[hits] = after[hits]
        measured = exact | (span <= self._hole_steps)
        if self._bridge_steps:
            measured |= (left == 0) & (span <= self._bridge_steps)
            self._bridge_steps = 0.0
        grid_labels = None
        if labels is not None:
            codes = np.concatenate(([self._last_label], labels)).astype(np.int16)
            grid_labels = np.where(share >= 0.5, codes[right], codes[left])
            self._last_label = int(labels[-1])
        self._last_p, self._last_x, self._next = float(inner[-1]), x[-1].copy(), max(self._next, stop)
        if self._anti_alias:
            grid_x = self._anti_alias.push(grid_x)
            keep = slice(-(self._next - len(points)) % self._k, None, self._k)
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
            "bridge_steps": self._bridge_steps,
            "anti_alias": self._anti_alias.state() if self._anti_alias else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._t0, self._next, self._last_p = state["t0"], state["next"], state["last_p"]
        self._last_x, self._last_label = np.array(state["last_x"]), state["last_label"]
        self._bridge_steps = state["bridge_steps"]
        if self._anti_alias:
            self._anti_alias.restore(state["anti_alias"])
