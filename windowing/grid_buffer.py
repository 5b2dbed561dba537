"""A buffer of the newest samples on the grid, from which windows are views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.signals import UNLABELLED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .conditioner import Stretch


class GridBuffer:
    """The newest grid samples of a stretch, laid out so that each window is one view.

    Samples are only appended: a full block is left to the windows that refer to it, and a new block begins with the
    samples that the next window still needs. A window is therefore neither copied nor overwritten.

    >>> GridBuffer(length=128, columns=3).room
    3968
    """

    WINDOWS_PER_BLOCK = 32

    def __init__(self, length: int, columns: int) -> None:
        self._length = length
        self._columns = columns
        self._capacity = self.WINDOWS_PER_BLOCK * length
        self.room = self._capacity - length
        """Most samples that one ``append`` takes."""
        self._at = 0
        self._new_block(0)
        self.start()

    def start(self) -> None:
        """Begin a new stretch; earlier samples no longer count."""
        self.size = 0
        """Number of grid samples of this stretch so far."""
        self.next_end = self._length
        """Number of grid samples at which the next window is complete."""
        self.labelled = False
        self._newest_gap = -1

    def _new_block(self, keep: int) -> None:
        x, measured = np.empty((self._capacity, self._columns), np.float32), np.empty(self._capacity, np.bool_)
        labels = np.empty(self._capacity, np.int16)
        if keep:
            kept = slice(self._at - keep, self._at)
            x[:keep], measured[:keep], labels[:keep] = self._x[kept], self._measured[kept], self._labels[kept]
        self._x, self._measured, self._labels, self._at = x, measured, labels, keep
        self._read_only = x.view()
        self._read_only.setflags(write=False)

    def append(self, stretch: Stretch, start: int, stop: int) -> None:
        """Append samples ``start`` to ``stop`` of the stretch, at most ``room``."""
        at, end = self._at, self._at + stop - start
        if end > self._capacity:
            self._new_block(min(self.size, self._length))
            at, end = self._at, self._at + stop - start
        self._x[at:end] = stretch.x[start:stop]
        if stretch.measured is not None:
            part = stretch.measured[start:stop]
            if not part.all():
                if self._newest_gap < 0:  # up to the first gap, the flags are not filled in
                    self._measured[max(0, at - self.size) : at] = True
                self._newest_gap = self.size + int(np.flatnonzero(~part)[-1])
            self._measured[at:end] = part
        elif self._newest_gap >= 0:
            self._measured[at:end] = True
        if stretch.labels is not None:
            if not self.labelled:
                self._labels[max(0, at - self.size) : at] = UNLABELLED
                self.labelled = True
            self._labels[at:end] = stretch.labels[start:stop]
        elif self.labelled:
            self._labels[at:end] = UNLABELLED
        self._at = end
        self.size += stop - start

    def x_from(self, first: int) -> NDArray[np.float32]:
        """Return a read-only view (length, columns) from grid sample ``first`` on."""
        row = self._at - self.size + first
        return self._read_only[row : row + self._length]

    def labels_from(self, first: int) -> NDArray[np.int16]:
        row = self._at - self.size + first
        return self._labels[row : row + self._length]

    def coverage_from(self, first: int) -> float:
        if self._newest_gap < first:
            return 1.0
        row = self._at - self.size + first
        return float(np.count_nonzero(self._measured[row : row + self._length])) / self._length

    def state(self) -> dict[str, Any]:
        kept = slice(self._at - min(self.size, self._length), self._at)
        return {
            "x": self._x[kept].copy(),
            "measured": self._measured[kept].copy(),
            "labels": self._labels[kept].copy(),
            "size": self.size,
            "next_end": self.next_end,
            "newest_hole": self._newest_gap,
            "labelled": self.labelled,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._new_block(0)
        self._at = kept = len(state["x"])
        self._x[:kept], self._measured[:kept] = state["x"], state["measured"]
        self._labels[:kept] = state["labels"]
        self.size, self.next_end = state["size"], state["next_end"]
        self._newest_gap, self.labelled = state["newest_hole"], state["labelled"]
