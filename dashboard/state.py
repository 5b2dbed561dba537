"""What the dashboard remembers: the newest of each kind, and as much of the past as it draws.

Plain and without a terminal: chunks and predictions go in by ``on_chunk`` and ``on_prediction``, the
widgets read. Each stream has its own ``StreamState``; one of them is shown.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.signals import Prediction, SampleChunk, Subnet

TRACE_S = 10.0
"""How much signal the traces show."""
LATENCIES = 600
"""How many windows the latency's history and percentiles look back."""
SCORED = 100
"""How many windows the rolling accuracy looks back."""
LOG_LINES = 200
SESSIONS = 64
"""How many sessions of a stream are remembered: a fast replay reads that far ahead of its predictions."""


class TraceRing:
    """The last seconds of one stream's samples on a clock made for drawing.

    The drawing clock runs with the samples' own, but a jump (a gap, a seek, the next recording) moves it
    by at most ``LONGEST_BLANK_S`` and never back, so that the trace stays on screen. The samples lie in a linear
    buffer of twice the length, so a view is always contiguous.
    """

    LONGEST_BLANK_S = 2.0
    SESSION_BLANK_S = 0.5
    """Between two sessions: their clocks have nothing to do with each other."""
    LONGEST_STEP_S = 0.25
    """Samples further apart are not joined by a line."""

    def __init__(self, channels: tuple[str, ...], fs_hz: float, span_s: float = TRACE_S) -> None:
        self.channels = channels
        self.fs_hz = fs_hz
        self.span_s = span_s
        # A device may run faster than it says; a fifth more room keeps the left edge filled.
        self._capacity = math.ceil(span_s * fs_hz * 1.2) + 1
        self._t = np.empty(2 * self._capacity)
        self._x = np.empty((2 * self._capacity, len(channels)), np.float32)
        self._broken = np.empty(2 * self._capacity, bool)
        self._end = 0
        self._last_t = math.nan
        self._shown_s = 0.0
        self._follows: tuple[str, int] | None = None

    def push(self, chunk: SampleChunk) -> None:
        """Append a chunk with the channels and the rate of this ring."""
        count = len(chunk)
        if count == 0:
            return
        first = self._follows is None
        step_s = np.diff(chunk.t, prepend=chunk.t[0] if first else self._last_t)
        broken = (step_s > max(self.LONGEST_STEP_S, 2.5 / self.fs_hz)) | (step_s < 0)
        if self._follows != (chunk.session, chunk.seq):
            broken[0] = True
            if not first and chunk.session != self._follows[0]:  # pyright: ignore[reportOptionalSubscript]
                step_s[0] = self.SESSION_BLANK_S
        shown_s = self._shown_s + np.cumsum(np.clip(step_s, 0.0, self.LONGEST_BLANK_S))
        self._last_t, self._shown_s = float(chunk.t[-1]), float(shown_s[-1])
        self._follows = (chunk.session, chunk.seq + count)

        kept = min(count, self._capacity)
        if self._end + kept > len(self._t):
            keep = slice(self._end - self._capacity, self._end)
            for buffer in (self._t, self._x, self._broken):
                buffer[: self._capacity] = buffer[keep]
            self._end = self._capacity
        new = slice(self._end, self._end + kept)
        self._t[new], self._x[new], self._broken[new] = shown_s[-kept:], chunk.x[-kept:], broken[-kept:]
        self._end += kept

    def view(self) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]]:
        """Times (n,) on the drawing clock, samples (n, channels), and where one does not follow the one before."""
        seen = slice(max(0, self._end - self._capacity), self._end)
        return self._t[seen], self._x[seen], self._broken[seen]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the decision log."""

    t_s: float
    """Seconds since the stream's first sample."""
    subnet: Subnet | None
    """The subnetwork that runs from here on; None for a command a person gave."""
    text: str


class StreamState:
    """What is known of one stream."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.trace: TraceRing | None = None
        self.prediction: Prediction | None = None
        self.latencies_ms: deque[float] = deque(maxlen=LATENCIES)
        self.marks: deque[bool | None] = deque(maxlen=SCORED)
        """Of each recent window: right, wrong, or None where there is nothing to compare with."""
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.chunk_count = 0
        self.prediction_count = 0
        self.log_count = 0
        self.now_s = 0.0
        """Seconds of stream since its first sample, over all its sessions."""
        self._offsets_s: dict[str, float] = {}
        """From a session's own clock to ``now_s``; of the last sessions, for predictions come later than samples."""

    def on_chunk(self, chunk: SampleChunk) -> None:
        if len(chunk) == 0:
            return
        if self.trace is None or (self.trace.channels, self.trace.fs_hz) != (chunk.channels, chunk.fs_hz):
            self.trace = TraceRing(chunk.channels, chunk.fs_hz)
        self.trace.push(chunk)
        if chunk.session not in self._offsets_s:
            self._offsets_s[chunk.session] = self.now_s - float(chunk.t[0])
            if len(self._offsets_s) > SESSIONS:
                del self._offsets_s[next(iter(self._offsets_s))]
        self.now_s = max(self.now_s, self._offsets_s[chunk.session] + float(chunk.t[-1]))
        self.chunk_count += 1

    def on_prediction(self, prediction: Prediction) -> None:
        before = self.prediction
        self.prediction = prediction
        self.prediction_count += 1
        self.latencies_ms.append(prediction.latency_ms)
        self.marks.append(mark(prediction))
        if before is None or before.decision.subnet != prediction.decision.subnet:
            offset_s = self._offsets_s.get(prediction.session, self.now_s - prediction.t_end_s)
            self._append(offset_s + prediction.t_end_s, prediction.decision.subnet, prediction.decision.reason)

    def note(self, text: str) -> None:
        """Write a person's command into the log."""
        self._append(self.now_s, None, text)

    def _append(self, t_s: float, subnet: Subnet | None, text: str) -> None:
        self.log.append(LogLine(t_s, subnet, text))
        self.log_count += 1

    @property
    def accuracy(self) -> float | None:
        """Share of right windows among the recent ones that can be scored; None if there is none."""
        scored = [right for right in self.marks if right is not None]
        return sum(scored) / len(scored) if scored else None

    def latency_percentiles(self) -> tuple[float, float] | None:
        """p50 and p95 in ms over the recent windows."""
        if not self.latencies_ms:
            return None
        p50, p95 = np.percentile(np.fromiter(self.latencies_ms, float), (50, 95))
        return float(p50), float(p95)


class DashboardState:
    """All streams, and which one is shown."""

    def __init__(self) -> None:
        self.streams: dict[str, StreamState] = {}
        self.shown = ""

    def on_chunk(self, chunk: SampleChunk) -> None:
        self._stream(chunk.stream).on_chunk(chunk)

    def on_prediction(self, prediction: Prediction) -> None:
        self._stream(prediction.stream).on_prediction(prediction)

    def _stream(self, name: str) -> StreamState:
        stream = self.streams.get(name)
        if stream is None:
            stream = self.streams[name] = StreamState(name)
            self.shown = self.shown or name
        return stream

    @property
    def stream(self) -> StreamState | None:
        """The stream shown; None before the first chunk."""
        return self.streams.get(self.shown)

    def show_next(self) -> None:
        """Show the next stream, in the order they appeared."""
        names = list(self.streams)
        if names:
            self.shown = names[(names.index(self.shown) + 1) % len(names)]


def mark(prediction: Prediction) -> bool | None:
    """Whether the prediction is right; None where it cannot be said.

    That is so without a label, with a label the model does not know, and for a window that straddles two activities.
    """
    if prediction.truth is None or prediction.truth not in prediction.labels or prediction.truth_share < 1.0:
        return None
    return prediction.label == prediction.truth
