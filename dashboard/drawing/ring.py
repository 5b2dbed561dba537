"""A buffer of the samples that the traces show."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.signals import SampleChunk

TRACE_S = 10.0
"""Length of the signal that the traces show."""

NEW_EPOCH = -1
"""In place of a number of lost samples: the stream restarted, and its losses are unknown."""


class Hole(NamedTuple):
    """A break in the trace, on the drawing clock."""

    start_s: float
    end_s: float
    lost: int
    """Samples that were taken and never arrived; 0 where none were taken."""
    new_epoch: bool


class TraceRing:
    """The last seconds of one stream's samples on a clock for drawing.

    The drawing clock follows the samples' own clock, but a jump (a gap, a seek, the next recording) moves it by at
    most ``LONGEST_BLANK_S`` and never back, so that the trace stays on screen. The samples lie in a linear buffer of
    twice the length, so a view is always contiguous.

    >>> import numpy as np
    >>> from kinestream.core.signals import ACC, SampleChunk
    >>> ring = TraceRing(ACC, fs_hz=2.0)
    >>> for first in (0, 6):  # samples 2 to 5 never arrived
    ...     t = np.arange(first, first + 2) / 2.0
    ...     ring.push(SampleChunk("wrist", "one", t, np.zeros((2, 3), np.float32), ACC, 2.0, first, t[-1]))
    >>> ring.holes()
    [Hole(start_s=0.5, end_s=2.5, lost=4, new_epoch=False)]
    """

    LONGEST_BLANK_S = 2.0
    EPOCH_BLANK_S = 0.5
    """Blank between two epochs: their clocks are unrelated."""
    LONGEST_STEP_S = 0.25
    """No line joins samples further apart than this."""

    def __init__(self, channels: tuple[str, ...], fs_hz: float, span_s: float = TRACE_S) -> None:
        self.channels = channels
        self.fs_hz = fs_hz
        self.span_s = span_s
        # A device may run faster than it announces; a fifth more room keeps the left edge filled.
        self._capacity = math.ceil(span_s * fs_hz * 1.2) + 1
        self._t = np.empty(2 * self._capacity)
        self._x = np.empty((2 * self._capacity, len(channels)), np.float32)
        self._broken = np.empty(2 * self._capacity, bool)
        self._lost = np.empty(2 * self._capacity, np.int32)
        self._end = 0
        self._last_t = math.nan
        self._shown_s = 0.0
        self._follows: tuple[str, int] | None = None

    def push(self, chunk: SampleChunk) -> None:
        """Append a chunk with this ring's channels and rate."""
        count = len(chunk)
        if count == 0:
            return
        step_s = np.diff(chunk.t, prepend=chunk.t[0] if self._follows is None else self._last_t)
        broken = (step_s > max(self.LONGEST_STEP_S, 2.5 / self.fs_hz)) | (step_s < 0)
        lost = np.zeros(count, np.int32)
        if self._follows is not None and self._follows != (chunk.session, chunk.seq):
            broken[0] = True
            if chunk.session != self._follows[0]:
                step_s[0] = self.EPOCH_BLANK_S
                lost[0] = NEW_EPOCH
            else:
                lost[0] = max(0, chunk.seq - self._follows[1])
        shown_s = self._shown_s + np.cumsum(np.clip(step_s, 0.0, self.LONGEST_BLANK_S))
        self._last_t, self._shown_s = float(chunk.t[-1]), float(shown_s[-1])
        self._follows = (chunk.session, chunk.seq + count)

        new_count = min(count, self._capacity)
        if self._end + new_count > len(self._t):
            recent = slice(self._end - self._capacity, self._end)
            for buffer in (self._t, self._x, self._broken, self._lost):
                buffer[: self._capacity] = buffer[recent]
            self._end = self._capacity
        new = slice(self._end, self._end + new_count)
        self._t[new], self._x[new], self._broken[new] = shown_s[-new_count:], chunk.x[-new_count:], broken[-new_count:]
        self._lost[new] = lost[-new_count:]
        self._end += new_count

    def view(self) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]]:
        """Return times (n,) on the drawing clock, samples (n, channels), and where the trace is broken (n,)."""
        recent = slice(max(0, self._end - self._capacity), self._end)
        return self._t[recent], self._x[recent], self._broken[recent]

    def holes(self) -> list[Hole]:
        """Return the breaks in the trace, oldest first."""
        t, _, broken = self.view()
        lost = self._lost[max(0, self._end - self._capacity) : self._end]
        places = np.flatnonzero(broken[1:]) + 1
        return [Hole(float(t[i - 1]), float(t[i]), max(int(lost[i]), 0), bool(lost[i] == NEW_EPOCH)) for i in places]
