"""How well a stream comes in: its rate, what was lost of it, how old it is."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kinestream.core.signals import SampleChunk

SPAN_S = 30.0
"""The figures look back this far."""
LEAST_S = 2.0
"""A rate is not told before."""


class _Arrival(NamedTuple):
    t_s: float
    taken: int
    """Samples that the sensor has taken in this session."""
    lost: int


class StreamHealth:
    """The figures of one stream, from the numbers and times of its chunks."""

    def __init__(self) -> None:
        self.fs_hz = 0.0
        """As the stream announces it."""
        self.age_ms = 0.0
        """How old the newest sample was when it arrived."""
        self.heard_s: float | None = None
        """When something came last, on this machine's clock; None before."""
        self.lost = 0
        """Samples that were taken and never came, since the beginning."""
        self._session = ""
        self._arrivals: deque[_Arrival] = deque()

    def push(self, chunk: SampleChunk, now_s: float) -> None:
        """Note a chunk that has at least one sample."""
        taken, t_s = chunk.seq + len(chunk), float(chunk.t[-1])
        if chunk.session != self._session:
            self._session = chunk.session
            self._arrivals.clear()
        elif self._arrivals:
            self.lost += max(0, chunk.seq - self._arrivals[-1].taken)
        self._arrivals.append(_Arrival(t_s, taken, self.lost))
        while self._arrivals[0].t_s < t_s - SPAN_S:
            self._arrivals.popleft()
        self.fs_hz = chunk.fs_hz
        self.age_ms = (chunk.received_s - t_s) * 1000.0
        self.heard_s = now_s

    @property
    def rate_hz(self) -> float | None:
        """How fast the sensor samples, lost samples included; None while too little is known."""
        if not self._arrivals:
            return None
        first, last = self._arrivals[0], self._arrivals[-1]
        span_s = last.t_s - first.t_s
        return (last.taken - first.taken) / span_s if span_s >= LEAST_S else None

    @property
    def loss(self) -> float:
        """The share of the samples taken in the last seconds that never came, 0 to 1."""
        if not self._arrivals:
            return 0.0
        first, last = self._arrivals[0], self._arrivals[-1]
        taken = last.taken - first.taken
        return (last.lost - first.lost) / taken if taken > 0 else 0.0
