"""Turn arriving samples into columns on a network's uniform grid.

The order is fixed: drop invalid samples, break at gaps, resample to the grid, filter noise, separate gravity. Training
and live runs share this code.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kinestream.core.signals import ACC, BODY_ACC, GRAVITY

from .filters import LowPass
from .resample import Grid, Resampler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec

ORDER = 3
"""Order of the noise and the gravity filter, as in the preparation of UCI-HAR (Anguita et al., ESANN 2013)."""

LARGEST = 1e6
"""Largest valid value in any of our units: a larger one comes from a damaged packet and would overflow the network."""

MOST_SAMPLES, MOST_POINTS = 4096, 2**18
"""Most samples and grid points processed at once: even a damaged chunk costs memory and time in proportion."""


class Stretch(NamedTuple):
    """Consecutive samples on the grid, ready for the network."""

    fresh: bool
    """Whether a gap lies before: then sample 0 is the first of a new stretch."""
    t0: float
    """Time of the first grid point of the whole stretch."""
    x: NDArray[np.float32]
    """(n, ``InputSpec.stream_channels``) in SI units."""
    measured: NDArray[np.bool_] | None
    """(n,) False where interpolated over a gap; None if all were measured."""
    labels: NDArray[np.int16] | None
    """(n,) label codes; None without labels."""


class Conditioner:
    """Prepares one epoch of one stream for the network.

    Args:
        spec: the model's input.
        available: the source's channels.
        fs_in_hz: the source's nominal rate.
    Raises:
        InputMismatch: the source lacks a channel that the model needs.

    >>> from kinestream.core.input_spec import InputSpec
    >>> conditioner = Conditioner(InputSpec(ACC, 50.0, 128, 64), ACC, 50.0)
    >>> (stretch,) = conditioner.push(np.arange(100) / 50.0, np.ones((100, 3), np.float32), None)
    >>> stretch.fresh, stretch.x.shape
    (True, (100, 3))
    """

    def __init__(self, spec: InputSpec, available: tuple[str, ...], fs_in_hz: float) -> None:
        self.needed = spec.needed_from(available)
        self._max_gap_s = spec.max_gap_s
        columns = len(self.needed)
        self._resampler = Resampler(fs_in_hz, spec.fs_hz, columns)
        self._noise = None
        if spec.lowpass_hz is not None:
            self._noise = LowPass(ORDER, spec.lowpass_hz, spec.fs_hz, columns)
        # The origin of each column: a source column, or body acceleration or gravity of an axis.
        names = spec.stream_channels
        direct = [(i, self.needed.index(name)) for i, name in enumerate(names) if name in self.needed]
        self._direct_to, self._direct_from = [i for i, _ in direct], [j for _, j in direct]
        self._body = [(i, BODY_ACC.index(n)) for i, n in enumerate(names) if self._is_split(n, BODY_ACC)]
        self._gravity_out = [(i, GRAVITY.index(n)) for i, n in enumerate(names) if self._is_split(n, GRAVITY)]
        split_axes = sorted({axis for _, axis in self._body + self._gravity_out})
        self._split_from = [self.needed.index(ACC[axis]) for axis in split_axes]
        self._axis_at = {axis: k for k, axis in enumerate(split_axes)}
        self._gravity = LowPass(ORDER, spec.gravity_hz, spec.fs_hz, len(split_axes)) if split_axes else None
        self._as_is = self.needed == names
        self._columns_out = len(names)
        self._t_last = -np.inf
        self._open = False  # whether a stretch can be continued
        self.t0 = math.nan
        """Start of the current stretch; NaN before the first."""
        self.gaps = 0
        self.interpolated = 0
        self.not_finite = 0
        self.out_of_order = 0

    @property
    def most_at_once(self) -> int:
        """Most samples that one ``push`` should get."""
        points = self._max_gap_s * self._resampler.rate_hz  # points of the fine grid that one sample can complete
        return max(1, min(MOST_SAMPLES, int(MOST_POINTS / points)))

    def retune(self, fs_in_hz: float) -> None:
        """Continue with samples at another nominal rate; this is not a gap."""
        self._resampler.retune(fs_in_hz)

    def _is_split(self, name: str, family: tuple[str, ...]) -> bool:
        return name in family and name not in self.needed

    def push(self, t: NDArray[np.float64], x: NDArray[np.float32], labels: NDArray[np.int16] | None) -> list[Stretch]:
        """Return what these samples complete on the grid: usually one stretch, more with gaps among them.

        Args:
            t: (n,) seconds.
            x: (n, columns of ``needed``) any values.
            labels: (n,) label codes, or None.
        """
        if self._open and _plausible(x):
            grid = self._resampler.push_regular(t, x, labels)
            if grid is None and self._is_continuous(t):
                grid = self._resampler.push(t, x, labels)
            if grid is not None:
                self._t_last = t[-1]
                return [self._finish(False, grid)]
        return list(self._push_checked(t, x, labels))

    def _is_continuous(self, t: NDArray[np.float64]) -> bool:
        """Whether the samples follow the last one in order and without a gap, by far the most common case."""
        step = t.copy()
        step[1:] -= t[:-1]
        step[0] -= self._t_last
        return bool(step.min() > 0 and step.max() <= self._max_gap_s)

    def _push_checked(self, t: NDArray[Any], x: NDArray[Any], labels: NDArray[Any] | None) -> Iterator[Stretch]:
        good = np.isfinite(t) & (np.abs(x) <= LARGEST).all(axis=1)  # comparisons with NaN are false
        if not good.all():
            self.not_finite += int(len(t) - good.sum())
            t, x, labels = t[good], x[good], None if labels is None else labels[good]
        while len(t):
            end, fresh = self._unbroken(t)
            if fresh:
                self.gaps += self._open
                self._open, self.t0 = True, float(t[0])
                self._resampler.start(self.t0)
                if self._noise:
                    self._noise.start()
                if self._gravity:
                    self._gravity.start()
                self._t_last = -np.inf
            part_t, part_x, part_labels = t[:end], x[:end], None if labels is None else labels[:end]
            highest = np.maximum.accumulate(np.concatenate(([self._t_last], part_t)))
            later = part_t > highest[:-1]
            if not later.all():
                self.out_of_order += int(end - later.sum())
                part_t, part_x = part_t[later], part_x[later]
                part_labels = None if part_labels is None else part_labels[later]
            if len(part_t):
                self._t_last = part_t[-1]
                yield self._finish(fresh, self._resampler.push(part_t, part_x, part_labels))
            t, x, labels = t[end:], x[end:], None if labels is None else labels[end:]

    def _unbroken(self, t: NDArray[Any]) -> tuple[int, bool]:
        """Return how many samples follow without a gap, and whether a gap lies before the first.

        A sample is compared with the latest one before it: far ahead means a gap, far behind means that the clock was
        set back (a new stretch), a little behind means out of order.
        """
        highest = np.maximum.accumulate(np.concatenate(([self._t_last if self._open else t[0]], t)))
        step = t - highest[:-1]
        breaks = np.flatnonzero(np.abs(step) > self._max_gap_s)
        fresh = not self._open
        if len(breaks) and breaks[0] == 0:
            fresh = True
            rest = np.maximum.accumulate(t)
            breaks = 1 + np.flatnonzero(np.abs(t[1:] - rest[:-1]) > self._max_gap_s)
        return (int(breaks[0]) if len(breaks) else len(t)), fresh

    def _finish(self, fresh: bool, grid: Grid) -> Stretch:
        """The grid's samples with noise filtered and gravity separated, columns in the network's order."""
        measured, labels = grid.measured, grid.labels
        x: NDArray[Any] = grid.x
        if measured is not None:
            self.interpolated += len(measured) - int(np.count_nonzero(measured))
        if self._noise:
            x = self._noise.push(x)
        if self._as_is:
            return Stretch(fresh, self.t0, x.astype(np.float32, copy=False), measured, labels)
        out = np.empty((len(x), self._columns_out), np.float32)
        out[:, self._direct_to] = x[:, self._direct_from]
        if self._gravity:
            acc = x[:, self._split_from]
            gravity = self._gravity.push(acc)
            for i, axis in self._body:
                k = self._axis_at[axis]
                out[:, i] = acc[:, k] - gravity[:, k]
            for i, axis in self._gravity_out:
                out[:, i] = gravity[:, self._axis_at[axis]]
        return Stretch(fresh, self.t0, out, measured, labels)

    def state(self) -> dict[str, Any]:
        return {
            "resampler": self._resampler.state(),
            "noise": self._noise.state() if self._noise else None,
            "gravity": self._gravity.state() if self._gravity else None,
            "t_last": float(self._t_last),
            "open": self._open,
            "t0": float(self.t0),
            "gaps": self.gaps,
            "interpolated": self.interpolated,
            "not_finite": self.not_finite,
            "out_of_order": self.out_of_order,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._resampler.restore(state["resampler"])
        if self._noise:
            self._noise.restore(state["noise"])
        if self._gravity:
            self._gravity.restore(state["gravity"])
        self._t_last, self._open, self.t0 = state["t_last"], state["open"], state["t0"]
        self.gaps, self.interpolated = state["gaps"], state["interpolated"]
        self.not_finite, self.out_of_order = state["not_finite"], state["out_of_order"]


def _plausible(x: NDArray[np.float32]) -> bool:
    """Whether every value is valid, by one dot product: no square exceeds the sum of all squares.

    Many large valid values can exceed the limit together; the slower check then accepts them.
    """
    flat = x.ravel()
    return float(flat.dot(flat)) <= LARGEST * LARGEST
