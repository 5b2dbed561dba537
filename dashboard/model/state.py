"""The dashboard's memory: the newest value of each kind and as much history as the panels draw.

Works without a terminal: ``on_chunk`` and ``on_prediction`` fill it, the panels read it. Each stream has its own
``StreamState``; one stream is shown.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.scoring import is_right

from ..drawing.ring import TraceRing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinestream.core.evidence import StreamFigures
    from kinestream.core.signals import Conclusion, Decision, Prediction, SampleChunk, Sensing, Subnet

LATENCIES = 600
"""Number of windows in the latency histogram and its percentiles."""
SCORES = 100
"""Number of windows in the rolling accuracy."""
ENERGIES = 50
"""Number of windows in the mean energy: policies may alternate between two subnetworks."""
SPANS = 200
CHARGES = 300
"""Number of remembered battery charges, one per window."""
LOG_LINES = 500
YOU, NOTE, ALARM = "you", "note", "alarm"
"""Origins of log lines other than the subnetworks."""
EPOCHS = 64
"""Number of remembered epochs of a stream: a fast replay reads that far ahead of its predictions."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the decision log."""

    t_s: float
    """Seconds since the stream's first sample."""
    origin: str
    """The subnetwork that runs from here on, ``YOU``, ``NOTE`` or ``ALARM``."""
    text: str


@dataclass(slots=True)
class LabelSpan:
    """A stretch of time in which consecutive windows have the same label."""

    label: str
    start_s: float
    end_s: float


class StreamState:
    """Everything known about one stream."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.trace: TraceRing | None = None
        self.prediction: Prediction | None = None
        self.latencies_ms: deque[float] = deque(maxlen=LATENCIES)
        self.scores: deque[bool | None] = deque(maxlen=SCORES)
        """For each recent window: right, wrong, or None if it cannot be scored."""
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.predicted_spans: deque[LabelSpan] = deque(maxlen=SPANS)
        self.true_spans: deque[LabelSpan] = deque(maxlen=SPANS)
        """Empty if the source has no labels."""
        self.energies_mj: deque[float] = deque(maxlen=ENERGIES)
        self.charges: deque[tuple[float, float]] = deque(maxlen=CHARGES)
        """Stream time and charge of each recent window, if the battery is known."""
        self.figures: StreamFigures | None = None
        """What arrives, as the session measured it at the last poll."""
        self.chunk_count = 0
        self.prediction_count = 0
        self.log_count = 0
        self.now_s = 0.0
        """Seconds of stream since its first sample, over all its epochs."""
        self._offsets_s: dict[str, float] = {}
        """From an epoch's clock to ``now_s``, for the last ``EPOCHS``: predictions arrive later than their samples."""

    def on_chunk(self, chunk: SampleChunk) -> None:
        if len(chunk) == 0:
            return
        if self.trace is None or (self.trace.channels, self.trace.fs_hz) != (chunk.channels, chunk.fs_hz):
            self.trace = TraceRing(chunk.channels, chunk.fs_hz)
        self.trace.push(chunk)
        if chunk.session not in self._offsets_s:
            self._offsets_s[chunk.session] = self.now_s - float(chunk.t[0])
            if len(self._offsets_s) > EPOCHS:
                del self._offsets_s[next(iter(self._offsets_s))]
        self.now_s = max(self.now_s, self._offsets_s[chunk.session] + float(chunk.t[-1]))
        self.chunk_count += 1

    def on_prediction(self, prediction: Prediction) -> None:
        previous = self.prediction
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
        if previous is None or _levers(previous.decision) != _levers(prediction.decision):
            self._append(end_s, str(prediction.decision.subnet), prediction.decision.reason)

    def note(self, text: str, origin: str = YOU) -> None:
        """Log a user's command, or a line from the source or the recorder."""
        self._append(self.now_s, origin, text)

    def _append(self, t_s: float, origin: str, text: str) -> None:
        self.log.append(LogLine(t_s, origin, text))
        self.log_count += 1

    @property
    def accuracy(self) -> float | None:
        """Share of right windows among the recent scored ones; None without a scored window."""
        scored = [right for right in self.scores if right is not None]
        return sum(scored) / len(scored) if scored else None

    def latency_percentiles(self) -> tuple[float, float, float] | None:
        """Return p50, p95 and p99 in ms over the recent windows; None before the first window."""
        if not self.latencies_ms:
            return None
        p50, p95, p99 = np.percentile(np.fromiter(self.latencies_ms, float), (50, 95, 99))
        return float(p50), float(p95), float(p99)


class DashboardState:
    """All streams, the name of the shown one, and the state of the screen.

    >>> state = DashboardState()
    >>> state.streams["wrist"], state.streams["hip"] = StreamState("wrist"), StreamState("hip")
    >>> state.shown = "wrist"
    >>> state.show_next()
    >>> state.shown
    'hip'
    """

    def __init__(self) -> None:
        self.streams: dict[str, StreamState] = {}
        self.shown = ""
        self.cursor: Subnet | None = None
        """The subnetwork under the grid's cursor."""
        self.alarms: tuple[str, ...] = ()
        """Current faults, one line each."""
        self.polls = 0
        """Number of polls of the session's figures, counts, failures and notices."""

    def on_chunk(self, chunk: SampleChunk) -> None:
        self._stream(chunk.stream).on_chunk(chunk)

    def on_prediction(self, prediction: Prediction) -> None:
        self._stream(prediction.stream).on_prediction(prediction)

    def on_figures(self, figures: Sequence[StreamFigures]) -> None:
        for stream in figures:
            self._stream(stream.stream).figures = stream

    def _stream(self, name: str) -> StreamState:
        stream = self.streams.get(name)
        if stream is None:
            stream = self.streams[name] = StreamState(name)
            self.shown = self.shown or name
        return stream

    @property
    def stream(self) -> StreamState | None:
        """The shown stream; None before the first chunk."""
        return self.streams.get(self.shown)

    def show_next(self) -> None:
        """Show the next stream, in order of appearance."""
        names = list(self.streams)
        if names:
            self.shown = names[(names.index(self.shown) + 1) % len(names)]


def _levers(decision: Decision) -> tuple[Subnet, int, Sensing | None]:
    """Everything that a decision controls."""
    return decision.subnet, decision.hop, decision.sensing


def extend_spans(spans: deque[LabelSpan], label: str, start_s: float, end_s: float) -> None:
    """Extend the last span by a window, or append one if the label changes or the window leaves a hole.

    Windows overlap: each window stands for the time since the end of the previous one.

    >>> spans = deque()
    >>> for label, start_s in (("WALKING", 0.0), ("WALKING", 1.0), ("SITTING", 2.0)):
    ...     extend_spans(spans, label, start_s, start_s + 2.0)
    >>> [(span.label, span.start_s, span.end_s) for span in spans]
    [('WALKING', 0.0, 3.0), ('SITTING', 3.0, 4.0)]
    """
    last = spans[-1] if spans else None
    meets = last is not None and start_s <= last.end_s < end_s
    if last is not None and meets and last.label == label:
        last.end_s = end_s
    elif last is None or end_s > last.end_s:
        spans.append(LabelSpan(label, last.end_s if last is not None and meets else start_s, end_s))


def conclusion_of(prediction: Prediction) -> Conclusion | Prediction:
    """Return the label to show for a window: its conclusion if there is one, else the network's own output."""
    return prediction.conclusion or prediction
