"""What the dashboard remembers: the newest of each kind, and as much of the past as it draws.

Plain and without a terminal: chunks and predictions go in by ``on_chunk`` and ``on_prediction``, the
widgets read. Each stream has its own ``StreamState``; one of them is shown.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.scoring import is_right

from ..drawing.ring import TraceRing
from .health import StreamHealth

if TYPE_CHECKING:
    from kinestream.core.signals import Conclusion, Decision, Prediction, SampleChunk, Sensing, Subnet

LATENCIES = 600
"""How many windows the latency's history and percentiles look back."""
SCORED = 100
"""How many windows the rolling accuracy looks back."""
ENERGIES = 50
"""How many windows the mean energy looks back: policies may take turns between two subnetworks."""
EPISODES = 200
CHARGES = 300
"""How many charges of the battery are remembered, one a window."""
LOG_LINES = 500
YOU, NOTE, ALARM = "you", "note", "alarm"
"""Who speaks in the log beside the subnetworks."""
SESSIONS = 64
"""How many sessions of a stream are remembered: a fast replay reads that far ahead of its predictions."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the decision log."""

    t_s: float
    """Seconds since the stream's first sample."""
    who: str
    """The subnetwork that runs from here on, ``YOU``, ``NOTE`` or ``ALARM``."""
    text: str


@dataclass(slots=True)
class LabelSpan:
    """Some time in which the same label was given to window after window."""

    label: str
    start_s: float
    end_s: float


class StreamState:
    """What is known of one stream."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.trace: TraceRing | None = None
        self.prediction: Prediction | None = None
        self.latencies_ms: deque[float] = deque(maxlen=LATENCIES)
        self.scores: deque[bool | None] = deque(maxlen=SCORED)
        """Of each recent window: right, wrong, or None where there is nothing to compare with."""
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.predicted_spans: deque[LabelSpan] = deque(maxlen=EPISODES)
        """What the network made of it, and under ``truth`` what it was, if the source has labels."""
        self.true_spans: deque[LabelSpan] = deque(maxlen=EPISODES)
        self.energies_mj: deque[float] = deque(maxlen=ENERGIES)
        self.charges: deque[tuple[float, float]] = deque(maxlen=CHARGES)
        """Time of the stream and charge, of each recent window of a known battery."""
        self.health = StreamHealth()
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
        self.health.push(chunk, time.monotonic())
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
        self.scores.append(is_right(prediction))
        self.energies_mj.append(prediction.energy_mj)
        offset_s = self._offsets_s.get(prediction.session, self.now_s - prediction.t_end_s)
        start_s, end_s = offset_s + prediction.t_start_s, offset_s + prediction.t_end_s
        extend_spans(self.predicted_spans, conclusion_of(prediction).label, start_s, end_s)
        if prediction.truth is not None:
            extend_spans(self.true_spans, prediction.truth, start_s, end_s)
        if prediction.battery_frac is not None:
            self.charges.append((end_s, prediction.battery_frac))
        if before is None or _levers(before.decision) != _levers(prediction.decision):
            self._append(end_s, str(prediction.decision.subnet), prediction.decision.reason)

    def note(self, text: str, who: str = YOU) -> None:
        """Write a person's command, or what the source or the recorder has to say, into the log."""
        self._append(self.now_s, who, text)

    def _append(self, t_s: float, who: str, text: str) -> None:
        self.log.append(LogLine(t_s, who, text))
        self.log_count += 1

    @property
    def accuracy(self) -> float | None:
        """Share of right windows among the recent ones that can be scored; None if there is none."""
        scored = [right for right in self.scores if right is not None]
        return sum(scored) / len(scored) if scored else None

    def latency_percentiles(self) -> tuple[float, float, float] | None:
        """p50, p95 and p99 in ms over the recent windows."""
        if not self.latencies_ms:
            return None
        p50, p95, p99 = np.percentile(np.fromiter(self.latencies_ms, float), (50, 95, 99))
        return float(p50), float(p95), float(p99)


class DashboardState:
    """All streams, and which one is shown."""

    def __init__(self) -> None:
        self.streams: dict[str, StreamState] = {}
        self.shown = ""
        self.cursor: Subnet | None = None
        """The subnetwork a person looks at in the grid."""
        self.alarms: tuple[str, ...] = ()
        """What is wrong now, a line each."""
        self.polls = 0
        """How often the session was asked for what it does not tell by itself."""

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


def _levers(decision: Decision) -> tuple[Subnet, int, Sensing | None]:
    """All that a decision moves."""
    return decision.subnet, decision.hop, decision.sensing


def extend_spans(episodes: deque[LabelSpan], label: str, start_s: float, end_s: float) -> None:
    """Let the last episode go on, or begin another where the label changes or the windows do not meet.

    Windows overlap: each one speaks for what came since the end of the one before.
    """
    last = episodes[-1] if episodes else None
    meets = last is not None and start_s <= last.end_s < end_s
    if last is not None and meets and last.label == label:
        last.end_s = end_s
    elif last is None or end_s > last.end_s:
        episodes.append(LabelSpan(label, last.end_s if last is not None and meets else start_s, end_s))


def conclusion_of(prediction: Prediction) -> Conclusion | Prediction:
    """What a person is told of the window: the conclusion where one was drawn, else the network's own word."""
    return prediction.conclusion or prediction
