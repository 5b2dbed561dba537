"""Reception quality of a stream: its rate, its losses and the age of its samples."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kinestream.core.signals import SampleChunk

SPAN_S = 30.0
"""Rate and loss cover this much of the stream."""
MIN_SPAN_S = 2.0
"""No rate is given before this much of the stream has arrived."""


class _Arrival(NamedTuple):
    t_s: float
    taken: int
    """Samples that the sensor has taken in this epoch."""
    lost: int


class StreamHealth:
    """Rate, loss and age of one stream, from the numbers and times of its chunks.

    >>> import numpy as np
    >>> from kinestream.core.signals import ACC, SampleChunk
    >>> health = StreamHealth()
    >>> for first in (0, 50, 150):  # samples 100 to 149 never arrived
    ...     t = np.arange(first, first + 50) / 50.0
    ...     health.push(SampleChunk("wrist", "one", t, np.zeros((50, 3), np.float32), ACC, 50.0, first, t[-1]), 0.0)
    >>> health.lost, round(health.rate_hz)
    (50, 50)
    """

    def __init__(self) -> None:
        self.fs_hz = 0.0
        """The rate that the stream announces."""
        self.age_ms = 0.0
        """Age of the newest sample on arrival."""
        self.last_arrival_s: float | None = None
        """Time of the last arrival on this machine's clock; None before the first."""
        self.lost = 0
        """Samples that were taken and never arrived, since the start."""
        self._epoch = ""
        self._arrivals: deque[_Arrival] = deque()

    def push(self, chunk: SampleChunk, now_s: float) -> None:
        """Account for a chunk of at least one sample."""
        taken, t_s = chunk.seq + len(chunk), float(chunk.t[-1])
        if chunk.session != self._epoch:
            self._epoch = chunk.session
            self._arrivals.clear()
        elif self._arrivals:
            self.lost += max(0, chunk.seq - self._arrivals[-1].taken)
        self._arrivals.append(_Arrival(t_s, taken, self.lost))
        while self._arrivals[0].t_s < t_s - SPAN_S:
            self._arrivals.popleft()
        self.fs_hz = chunk.fs_hz
        self.age_ms = (chunk.received_s - t_s) * 1000.0
        self.last_arrival_s = now_s

    @property
    def rate_hz(self) -> float | None:
        """The sensor's own sampling rate, lost samples included; None before ``MIN_SPAN_S``."""
        if not self._arrivals:
            return None
        first, last = self._arrivals[0], self._arrivals[-1]
        span_s = last.t_s - first.t_s
        return (last.taken - first.taken) / span_s if span_s >= MIN_SPAN_S else None

    @property
    def loss(self) -> float:
        """Share of the samples of the last ``SPAN_S`` that never arrived, 0 to 1."""
        if not self._arrivals:
            return 0.0
        first, last = self._arrivals[0], self._arrivals[-1]
        taken = last.taken - first.taken
        return (last.lost - first.lost) / taken if taken > 0 else 0.0
