"""A source, a pipeline, and the asynchronous shell between them.

One event loop owns the waiting; the pipeline works in one thread beside it; a bounded queue lies between. When
the queue is full a replay waits, and a live source drops its oldest chunk and counts the samples.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kinestream.errors import ConfigError
from kinestream.operating_table import OperatingTable
from kinestream.pipeline import Pipeline, added
from kinestream.policy import SimulatedBattery, make_policy
from kinestream.signals import Prediction, SampleChunk
from kinestream.source import Playback, Source
from kinestream.summary import Tally

QUEUE_CHUNKS = 256
"""A minute or two of packets: longer, and a late prediction is worth nothing to anybody."""

BATCH_CHUNKS = 32
"""How many waiting chunks the worker takes at once; handing over costs more than windowing a chunk."""

RATE_TOLERANCE = 0.1
"""A stream this far from its nominal rate is reported."""


class Session:
    """One run: from a source through a pipeline to whoever subscribed.

    Args:
        source: closed when the run ends.
        pipeline: not to be used elsewhere meanwhile.
        model_name: for messages.
        policy_text: the pipeline's policy as it is written on the command line.
        limit_s: end after this much signal; None: when the source ends.
    """

    def __init__(
        self, source: Source, pipeline: Pipeline, *, model_name: str, policy_text: str, limit_s: float | None = None
    ) -> None:
        self.pipeline = pipeline
        self.source = source
        self.source_name = source.name
        self.model_name = model_name
        self.policy_text = policy_text
        self.labels = pipeline.engine.model.labels
        self._limit_s = limit_s
        self._tally = Tally(self.labels)
        self._on_chunk: list[Callable[[SampleChunk], None]] = []
        self._on_prediction: list[Callable[[Prediction], None]] = []
        self._queue: deque[SampleChunk] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._stopping = asyncio.Event()
        self._dropped = 0
        self._rates: dict[str, _Rate] = {}
        self._signal_s = 0.0
        self._started_s = self._ended_s = 0.0

    @property
    def table(self) -> OperatingTable:
        return self.pipeline.table

    @property
    def deadline_ms(self) -> float | None:
        return self.pipeline.deadline_ms

    @property
    def playback(self) -> Playback | None:
        return self.source if isinstance(self.source, Playback) else None

    def subscribe(
        self,
        on_chunk: Callable[[SampleChunk], None] | None = None,
        on_prediction: Callable[[Prediction], None] | None = None,
    ) -> None:
        """Call back from now on for every chunk and prediction, in the event loop's thread."""
        if on_chunk:
            self._on_chunk.append(on_chunk)
        if on_prediction:
            self._on_prediction.append(on_prediction)

    def set_policy(self, text: str) -> None:
        """Decide by another policy from the next window on.

        Raises:
            ConfigError: no such policy, or a setting of it is wrong; the old one goes on.
        """
        self.pipeline.policy = make_policy(text, self.table)
        self.policy_text = text

    def set_deadline(self, deadline_ms: float | None) -> None:
        if deadline_ms is not None and not deadline_ms > 0:
            raise ConfigError(f"a deadline of {deadline_ms} ms; expected a positive time, or none")
        self.pipeline.deadline_ms = deadline_ms

    def set_battery(self, frac: float) -> None:
        """Set the simulated battery's charge, 0 to 1.

        Raises:
            ConfigError: the battery is not simulated, or the charge is no share.
        """
        battery = self.pipeline.battery
        if not isinstance(battery, SimulatedBattery):
            raise ConfigError("only a simulated battery can be set; start with --battery simulated")
        battery.charge(frac)

    def stop(self) -> None:
        """End the run soon; what is queued is not computed any more."""
        self._stopping.set()
        self._arrived.set()
        self._room.set()

    async def run(self) -> None:
        """Until the source ends, the limit is reached, or ``stop``.

        Raises:
            KinestreamError: what the source or the pipeline could not go on with.
        """
        self._started_s = self._ended_s = time.perf_counter()
        reader = asyncio.create_task(self._read())
        try:
            with ThreadPoolExecutor(1, "kinestream-inference") as worker:
                await self._work(reader, worker)
            if reader.done():
                reader.result()  # raises what ended it
        finally:
            self._ended_s = time.perf_counter()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await self.source.aclose()

    async def _read(self) -> None:
        try:
            async for chunk in self.source.chunks():
                if self._stopping.is_set() or self._past_limit(chunk):
                    return
                self._rates.setdefault(chunk.stream, _Rate()).add(chunk)
                for tell in self._on_chunk:
                    tell(chunk)
                while len(self._queue) >= QUEUE_CHUNKS:
                    if self.source.live:
                        self._dropped += len(self._queue.popleft())
                        continue
                    self._room.clear()
                    await self._room.wait()
                    if self._stopping.is_set():
                        return
                self._queue.append(chunk)
                self._arrived.set()
        finally:
            self._arrived.set()

    async def _work(self, reader: asyncio.Task[None], worker: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            if not self._queue:
                if reader.done():
                    break
                self._arrived.clear()
                await self._arrived.wait()
                continue
            batch = [self._queue.popleft() for _ in range(min(BATCH_CHUNKS, len(self._queue)))]
            self._room.set()
            self._tell(await loop.run_in_executor(worker, self._push, batch))
        if not self._stopping.is_set():
            self._tell(await loop.run_in_executor(worker, self.pipeline.flush))

    def _push(self, batch: list[SampleChunk]) -> list[Prediction]:
        return [prediction for chunk in batch for prediction in self.pipeline.push(chunk)]

    def _tell(self, predictions: list[Prediction]) -> None:
        self._ended_s = time.perf_counter()
        for prediction in predictions:
            self._tally.add(prediction, self.pipeline.deadline_ms)
            for tell in self._on_prediction:
                tell(prediction)

    def _past_limit(self, chunk: SampleChunk) -> bool:
        rate = self._rates.get(chunk.stream)
        self._signal_s = max(self._signal_s, (rate.samples if rate else 0) / chunk.fs_hz)
        return self._limit_s is not None and self._signal_s >= self._limit_s

    def counts(self) -> Mapping[str, int]:
        """Samples, windows, gaps, lost, dropped, repaired, by kind, so far."""
        counts = added([self.pipeline.counts(), dict(self.source.counts()), {"dropped": self._dropped}])
        # What was dropped here looks like a loss to the pipeline, which goes by sequence numbers.
        counts["lost"] = max(0, counts.get("lost", 0) - self._dropped)
        return counts

    def notices(self) -> list[str]:
        """What a person should know about the streams, a line each."""
        return [
            f"{stream}: {rate.measured_hz:.2f} Hz measured, {rate.nominal_hz:g} Hz announced"
            for stream, rate in self._rates.items()
            if rate.is_off
        ]

    def summary(self) -> dict[str, Any]:
        """The figures of the run so far: plain JSON values."""
        signal_s = sum(rate.samples / rate.nominal_hz for rate in self._rates.values())
        wall_s = (self._ended_s or time.perf_counter()) - self._started_s
        counts = {"samples": 0, "windows": 0, "gaps": 0, "lost": 0, "dropped": 0, **self.counts()}
        return {
            "summary": True,
            "source": self.source_name,
            "model": self.model_name,
            "policy": self.policy_text,
            "counts": counts,
            **self._tally.summary(),
            "signal_s": round(signal_s, 2),
            "wall_s": round(wall_s, 3),
            "realtime_factor": round(signal_s / wall_s, 1) if wall_s > 0 else None,
            "energy_model": self.table.energy_model,
            "notices": self.notices(),
        }


class _Rate:
    """How fast a stream really comes: samples over the time of its unbroken parts."""

    def __init__(self) -> None:
        self.samples = 0
        self.nominal_hz = 1.0
        self._steps = 0
        self._span_s = 0.0
        self._last: SampleChunk | None = None

    def add(self, chunk: SampleChunk) -> None:
        n = len(chunk)
        self.samples += n
        self.nominal_hz = chunk.fs_hz
        if not n:
            return
        last = self._last
        if last is not None and last.session == chunk.session and chunk.seq == last.seq + len(last):
            span_s = float(chunk.t[-1] - last.t[-1])
            if 0 < span_s < 2 * n / chunk.fs_hz + 1:  # no gap in between
                self._steps += n
                self._span_s += span_s
        self._last = chunk

    @property
    def measured_hz(self) -> float:
        return self._steps / self._span_s if self._span_s > 0 else self.nominal_hz

    @property
    def is_off(self) -> bool:
        return self._steps > 100 and abs(self.measured_hz / self.nominal_hz - 1) > RATE_TOLERANCE
