"""The figures of each stream over its last seconds: what arrives, measured and not announced.

One observer follows one stream, from any source and at any speed of replay. It holds no clock: the caller brings the
host's time with every chunk. A chunk costs about a microsecond; the figures are computed when somebody asks.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.chunk_form import flaw_of, signal_s
from kinestream.core.evidence import StreamFigures
from kinestream.core.live_streams import LiveStreams

from .arrivals import (
    BREAK_S,
    NOTHING,
    Arrivals,
    burst_samples,
    rate_hz_of,
    rate_of,
    samples_of,
    since_change,
    spread_ms,
    taken_and_lost,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.signals import Prediction, SampleChunk, Window

SPAN_S = 9.0
"""The figures rest on this much of a stream."""
HOLE = 1.5
"""Interval, in announced ones, above which the samples between are interpolated (``windowing/resample.py``)."""
MOST_PACE = 3.0
"""More samples than at this multiple of the announced rate are forgotten sooner: a sender replays a file."""
MOST_CHUNKS = 4096
"""Limit of memory and time, whatever the stream's clocks do."""


class StreamObserver:
    """Measures one stream.

    Args:
        live: the samples come as they are measured, so that the host's clock shows their pace; not a replay.

    >>> from kinestream.core.signals import ACC, SampleChunk
    >>> observer = StreamObserver(live=True)
    >>> for first in range(0, 400, 10):  # announced as 50 Hz, 12.5 arrive
    ...     t = np.arange(first, first + 10) / 12.5
    ...     chunk = SampleChunk("wrist", "a", t, np.zeros((10, 3), np.float32), ACC, 50.0, first, float(t[-1]))
    ...     observer.push(chunk, host_s=float(t[-1]))
    >>> figures = observer.figures(host_s=32.0)
    >>> figures.rate_text(), figures.interpolated_share, figures.lost
    ('rate 12.5 Hz, announced 50', 0.75, 0)
    """

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._stream, self._epoch = "", ""
        self._channels: tuple[str, ...] = ()
        self._announced_hz = 0.0
        self._samples = self._lost = 0
        self._first = self._taken = 0  # sequence numbers of the epoch: the first, and the next
        self._epochs = self._held = 0
        self._most = 0.0
        self._arrivals: deque[tuple[float, float, float, int, int, int, NDArray[np.float64]]] = deque()
        self._last_host_s = self._newest_s = math.nan
        self._out_of_order = 0
        self._holes: deque[tuple[float, float]] = deque(maxlen=64)  # between chunks: when it ended, how long it was
        self._windows = 0
        self._coverages: deque[tuple[float, float]] = deque(maxlen=MOST_CHUNKS)  # a window's end, its coverage

    def push(self, chunk: SampleChunk, host_s: float) -> None:
        """Take the stream's next chunk.

        Args:
            host_s: the host's monotonic clock on arrival.
        """
        t = chunk.t
        n = len(t)
        if not n:
            return
        arrived_s = host_s if self._live else chunk.received_s
        if chunk.session != self._epoch or chunk.fs_hz != self._announced_hz:
            self._begin(chunk)
        step_s = t.item(0) - self._newest_s
        if step_s <= 0:
            self._out_of_order += 1
        elif step_s > BREAK_S:
            self._holes.append((arrived_s, step_s))
        if n > 1:
            self._out_of_order += int(np.count_nonzero(t[1:] <= t[:-1]))
        self._newest_s = newest_s = t.item(-1)
        if chunk.seq > self._taken:
            self._lost += chunk.seq - self._taken
        self._taken = chunk.seq + n
        self._samples += n
        self._last_host_s = host_s
        arrivals, taken = self._arrivals, self._taken - self._first
        received_s = chunk.received_s
        arrivals.append((arrived_s, received_s, received_s - newest_s, taken, self._lost, self._epochs, t))
        self._held += n
        if (
            not -SPAN_S <= arrived_s - arrivals[0][0] <= SPAN_S
            or self._held > self._most
            or len(arrivals) > MOST_CHUNKS
        ):
            self._forget(arrived_s)

    def see(self, window: Window | Prediction) -> None:
        """Take the stream's next window, or its prediction."""
        self._windows += 1
        end_s, coverages = window.t_end_s, self._coverages
        coverages.append((end_s, window.coverage))
        while not 0 <= end_s - coverages[0][0] <= SPAN_S:
            coverages.popleft()

    def figures(self, host_s: float) -> StreamFigures:
        """Return the figures over the last seconds of signal; none of them is NaN.

        Args:
            host_s: the host's monotonic clock now.
        """
        arrivals = Arrivals(*zip(*self._arrivals, strict=True)) if self._arrivals else NOTHING
        taken, lost = taken_and_lost(arrivals)
        all_arrivals, arrivals = arrivals, since_change(arrivals)
        index, t, steps_s, is_even = samples_of(arrivals, self._announced_hz)
        all_steps_s = steps_s if arrivals is all_arrivals else samples_of(all_arrivals, self._announced_hz)[2]
        span_s = float(steps_s.sum())
        rate_hz = rate_hz_of(arrivals, rate_of(index, t), live=self._live) if self._arrivals else None
        even_s = steps_s[is_even]
        coverages = [coverage for _, coverage in self._coverages]
        ages_s = [age_s for age_s in arrivals.age_s if math.isfinite(age_s)]
        return StreamFigures(
            self._stream,
            self._channels,
            self._announced_hz,
            samples=self._samples,
            span_s=round(span_s, 3),
            rate_hz=rate_hz,
            jitter_ms=spread_ms(even_s),
            burst_samples=burst_samples(even_s),
            age_ms=1000.0 * sum(ages_s) / len(ages_s) if ages_s else None,
            interpolated_share=self._interpolated(steps_s, span_s),
            coverage=sum(coverages) / len(coverages) if coverages else None,
            windows=self._windows,
            lost=self._lost,
            lost_share=lost / taken if taken else 0.0,
            silence_s=max(0.0, host_s - self._last_host_s) if self._samples and self._live else 0.0,
            epochs=max(1, self._epochs),
            longest_hole_s=self._longest_hole_s(float(all_steps_s.max(initial=0.0))),
            out_of_order=self._out_of_order,
        )

    def _forget(self, now_s: float) -> None:
        """Forget the arrivals that are too old, or too many, but never the newest."""
        arrivals = self._arrivals
        while len(arrivals) > 1 and (
            not -SPAN_S <= now_s - arrivals[0][0] <= SPAN_S or self._held > self._most or len(arrivals) > MOST_CHUNKS
        ):
            self._held -= len(arrivals.popleft()[-1])

    def _begin(self, chunk: SampleChunk) -> None:
        """Begin an epoch, or another setting of the sensor, which makes the earlier figures void."""
        if chunk.fs_hz != self._announced_hz:
            self._arrivals.clear()
            self._held, self._most = 0, MOST_PACE * SPAN_S * chunk.fs_hz
        if chunk.session != self._epoch:
            self._first = self._taken = chunk.seq
            self._epochs += 1
            self._newest_s = math.nan
        self._stream, self._epoch = chunk.stream, chunk.session
        self._channels, self._announced_hz = chunk.channels, chunk.fs_hz

    def _longest_hole_s(self, within_s: float) -> float:
        if not self._arrivals:
            return 0.0
        now_s = self._arrivals[-1][0]
        recent_s = [hole_s for ended_s, hole_s in self._holes if 0 <= now_s - ended_s <= SPAN_S]
        return max([within_s, *recent_s])

    def _interpolated(self, steps_s: NDArray[np.float64], span_s: float) -> float | None:
        if span_s <= 0:
            return None
        holes_s = steps_s[steps_s > HOLE / self._announced_hz]
        return round(max(0.0, float((holes_s - 1 / self._announced_hz).sum())) / span_s, 6)


class StreamObservers:
    """An observer for each stream of a source, found by the stream's name.

    >>> StreamObservers(live=True).figures(host_s=0.0)
    []
    """

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._streams: dict[str, StreamObserver] = {}
        self._places = LiveStreams(on_forget=self._streams.pop)

    def push(self, chunk: SampleChunk, host_s: float) -> None:
        """Take the next chunk of any stream; see ``StreamObserver.push``.

        A flawed chunk, and one of a stream too many, is passed over.
        """
        if flaw_of(chunk) is not None or not self._places.touch(chunk.stream, signal_s(chunk)):
            return
        observer = self._streams.get(chunk.stream)
        if observer is None:
            observer = self._streams[chunk.stream] = StreamObserver(live=self._live)
        observer.push(chunk, host_s)

    def see(self, window: Window | Prediction) -> None:
        """Take the next window, or its prediction, of a stream whose chunks came before."""
        observer = self._streams.get(window.stream)
        if observer is not None:
            observer.see(window)

    def figures(self, host_s: float) -> list[StreamFigures]:
        """Return the figures of each stream that has a place, in the order of their first chunks."""
        return [observer.figures(host_s) for observer in list(self._streams.values())]
