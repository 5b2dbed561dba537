"""A source, a pipeline, and the asynchronous shell between them.

One event loop does the waiting; the pipeline works in one thread beside it; a bounded queue lies between.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from kinestream.core.chunk_form import signal_s
from kinestream.core.completion import Completion
from kinestream.core.errors import ConfigError, InputMismatch
from kinestream.core.evidence import StreamFigures
from kinestream.core.operating_table import OperatingTable
from kinestream.core.recent import Recent
from kinestream.core.signals import Prediction, SampleChunk, Sensing
from kinestream.core.source import Acknowledging, Gathering, Linked, LinkStatus, Noticing, Playback, Source, Steerable
from kinestream.interpret.concluder import Concluder
from kinestream.interpret.episodes import Episode, EpisodeFinder
from kinestream.observe.findings import Notice
from kinestream.policy import SimulatedBattery, make_policy

from .chunk_queue import QUEUE_CHUNKS, ChunkQueue
from .conclusions import Conclusions
from .pipeline import Circumstances, Pipeline, added
from .run_notices import RunNotices
from .run_recorder import RunRecorder
from .signal_limit import SignalLimit
from .source_watch import SourceWatch
from .subscribers import Subscribers
from .tally import Tally


class Session:
    """One run: from a source through a pipeline to its subscribers.

    Args:
        source: closed when the run ends.
        pipeline: used by nothing else during the run.
        model_name: for messages.
        policy_text: the pipeline's policy as it is written on the command line.
        limit_s: end after this much signal of the longest stream, to the sample; None: when the source ends.
        recorder: stores chunks and predictions; closed when the run ends.
        chunks: the chunks of a source that has begun already; None: the source begins with the run.
        watch: watches that source since it began.

    >>> import asyncio
    >>> from kinestream import RunOptions, build_run
    >>> session = build_run(RunOptions("wearer://?seed=1&speed=max", limit_s=10))
    >>> asyncio.run(session.run())["predictions"]
    6
    """

    repeats = False
    """Whether a recording names the policy; its files are not run then."""

    def __init__(
        self,
        source: Source,
        pipeline: Pipeline,
        *,
        model_name: str,
        policy_text: str,
        limit_s: float | None = None,
        recorder: RunRecorder | None = None,
        chunks: AsyncIterator[SampleChunk] | None = None,
        watch: SourceWatch | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.source = source
        self.source_name = source.name
        self.model_name = model_name
        self.policy_text = policy_text
        self.labels = pipeline.engine.model.labels
        self.circumstances: Circumstances | None = None
        """The circumstances of the newest prediction; None before the first."""
        pipeline.observe(self._predicted)
        pipeline.on_refused(lambda _: None)  # the table of checks tells of it
        self._limit = SignalLimit(limit_s)
        self._recorder = recorder
        self._chunks = chunks
        self._companions: list[AbstractAsyncContextManager[object]] = []
        self._tally = Tally(self.labels)
        self._conclusions = Conclusions(self.labels, pipeline.engine.model.needs_up)
        self._subscribers = Subscribers()
        self._notices = RunNotices(source, pipeline, self._subscribers.notices, watch)
        self._queue = ChunkQueue(source.live, self._dropped)
        self._completion: Completion | None = None
        if isinstance(source, Acknowledging):
            self._completion = Completion(["pipeline", *(["recorder"] if recorder else [])], source.done)
        self._read_chunks = self._recorded_chunks = 0
        self._dropped_chunks = deque[int]()  # numbers of chunks whose dropping is not on disk yet
        self._stopping = False
        self._asked = Recent[str, Sensing | None]()  # the setting requested from each stream's sensor
        self._signal_s = 0.0  # of all samples that were processed
        self._started_s = self._ended_s = 0.0

    def __repr__(self) -> str:
        predictions = self._tally.predictions
        return f"<Session of {self.source_name} with {self.model_name}, {self.policy_text}: {predictions} predictions>"

    @property
    def table(self) -> OperatingTable:
        return self.pipeline.table

    @property
    def deadline_ms(self) -> float | None:
        return self.pipeline.deadline_ms

    @property
    def playback(self) -> Playback | None:
        return self.source if isinstance(self.source, Playback) else None

    @property
    def is_live(self) -> bool:
        return self.source.live

    @property
    def hop_s(self) -> float:
        """Seconds from one window of a stream to the next."""
        return self.pipeline.spec.hop_s

    @property
    def queued(self) -> tuple[int, int]:
        """Chunks that wait for the pipeline, and how many may."""
        return len(self._queue), QUEUE_CHUNKS

    def links(self) -> Sequence[LinkStatus]:
        """The state of the links to the sensors; empty where the source does not report it."""
        return self.source.status() if isinstance(self.source, Linked) else ()

    def figures(self) -> list[StreamFigures]:
        """The measured figures of each stream over its last seconds, beside what its source announced."""
        return self._notices.figures()

    @property
    def exit_status(self) -> int:
        """The exit status of the command that ran the session: 1 if something it was asked for failed for good."""
        return 1 if self.failures() else 0

    def failures(self) -> list[str]:
        """Permanent failures of the running session, one line each."""
        failures = [self._recorder.failure] if self._recorder and self._recorder.failure else []
        refusals = self.pipeline.refusals()
        if refusals and not self.pipeline.has_served:
            failures.append(f"no stream could be served: {refusals[-1].stream}: {refusals[-1].reason}")
        return failures

    def subscribe(
        self,
        on_chunk: Callable[[SampleChunk], None] | None = None,
        on_prediction: Callable[[Prediction], None] | None = None,
        on_episode: Callable[[Episode], None] | None = None,
        on_notice: Callable[[Notice], None] | None = None,
    ) -> None:
        """Call back for every later chunk, prediction and completed episode, in the event loop's thread.

        ``on_notice`` is called once for each new notice about what arrives, about low coverage, or about how a sensor
        is worn; the latter two before the first prediction that they explain.
        """
        self._subscribers.add(on_chunk, on_prediction, on_episode, on_notice)

    def conclude(self, concluder: Concluder | None, episodes: EpisodeFinder | None = None) -> None:
        """Add conclusions to later predictions, and find episodes in them; None: do not."""
        self._conclusions.use(concluder, episodes)

    def accompany(self, companion: AbstractAsyncContextManager[object]) -> None:
        """Keep a context manager open during the run, in its event loop."""
        self._companions.append(companion)

    def set_policy(self, text: str) -> None:
        """Use another policy from the next window on.

        Raises:
            ConfigError: the policy is unknown or has an invalid setting; the current one stays.
        """
        self.pipeline.policy = make_policy(text, self.table)
        self.policy_text = text

    def set_deadline(self, deadline_ms: float | None) -> None:
        """Change the deadline; None: no deadline. Raises ConfigError: it is not positive."""
        if deadline_ms is not None and not deadline_ms > 0:
            raise ConfigError(f"a deadline of {deadline_ms} ms; expected a positive time, or none")
        self.pipeline.deadline_ms = deadline_ms

    def set_battery(self, frac: float) -> None:
        """Set the simulated battery's charge, 0 to 1.

        Raises:
            ConfigError: the battery is not simulated, or the charge is out of range.
        """
        battery = self.pipeline.battery
        if not isinstance(battery, SimulatedBattery):
            raise ConfigError("only a simulated battery can be set; start with --battery simulated")
        battery.charge(frac)

    def stop(self) -> None:
        """End the run soon, without computing the queued chunks."""
        self._stopping = True
        self._queue.close(discard=True)

    async def run(self) -> dict[str, Any]:
        """Run until the source ends, the limit is reached, or ``stop``; return ``summary()``.

        Raises:
            KinestreamError: the source or the pipeline cannot go on.
        """
        async with AsyncExitStack() as companions:
            for companion in self._companions:
                await companions.enter_async_context(companion)
            await self._run()
        return self.summary()

    async def _run(self) -> None:
        self._started_s = self._ended_s = time.perf_counter()
        if self._completion and self._recorder:
            self._recorder.report_durable(self._recorded)
        reader = asyncio.create_task(self._read())
        looking = asyncio.create_task(self._notices.keep_looking())
        try:
            with ThreadPoolExecutor(1, "kinestream-inference") as worker:
                await self._work(worker)
            if reader.done():
                reader.result()  # raises the source's error
        finally:
            self._ended_s = time.perf_counter()
            self._notices.end()
            reader.cancel()
            looking.cancel()
            await asyncio.gather(reader, looking, return_exceptions=True)
            if not looking.cancelled():
                looking.result()  # raises the error of a check
            self._notices.look(over=True)
            self._subscribers.episodes(self._conclusions.close())
            if self._recorder:
                await self._recorder.close(self._queue.handled, self.counts())  # reports the last chunks as durable
            await self.source.aclose()

    async def _read(self) -> None:
        try:
            async for chunk in self._chunks or self.source.chunks():
                if self._stopping:
                    return
                whole, (chunk, is_last) = chunk, self._limit.cut(chunk)
                if self._completion and len(chunk) < len(whole):
                    self._completion.withhold(self._read_chunks)
                self._read_chunks += 1
                self._notices.arrived(chunk)
                self._subscribers.chunk(chunk)
                if self._recorder:
                    await self._recorder.take(chunk)
                await self._queue.put(chunk)
                if is_last:
                    return
        finally:
            self._queue.close()

    async def _work(self, worker: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while batch := await self._queue.take():
            first = self._queue.handled - len(batch)
            for chunk in batch:
                self._signal_s += signal_s(chunk)
            is_due = self._notices.taken(batch)
            predictions: list[Prediction] = []
            try:
                await loop.run_in_executor(worker, self._push, batch, predictions)
            finally:  # predictions made before an error are delivered
                self._deliver(predictions)
            self._end_if_unfit()
            if is_due:
                self._notices.look()
            if self._completion:  # not earlier: a killed run is sent these chunks again
                self._completion.done("pipeline", range(first, first + len(batch)))
        self._deliver(await loop.run_in_executor(worker, self.pipeline.flush))

    def _end_if_unfit(self) -> None:
        """End the run of a source with one stream that was refused from its first sample: nothing else can come.

        Raises:
            InputMismatch: with the reason.
        """
        refusals = self.pipeline.refusals()
        if refusals and not self._gathers and not self.pipeline.has_served:
            raise InputMismatch(refusals[0].reason)

    @property
    def _gathers(self) -> bool:
        return isinstance(self.source, Gathering) and self.source.gathers

    def _dropped(self, chunk: SampleChunk) -> None:
        """The queue dropped a chunk: the pipeline is done with it, as soon as the recording says so."""
        number = self._queue.handled - 1
        if self._recorder:
            self._recorder.dropped(chunk)
        if self._completion and self._recorder:
            self._dropped_chunks.append(number)
        elif self._completion:
            self._completion.done("pipeline", [number])

    def _recorded(self, chunks: int, dropped: int) -> None:
        """The recorder has further chunks, and notes of dropped ones, on disk; neither: it has failed."""
        assert self._completion
        assert self._recorder
        if self._recorder.failure:
            self.stop()  # the source's sender keeps the rest for the next run
            return
        first, self._recorded_chunks = self._recorded_chunks, self._recorded_chunks + chunks
        self._completion.done("recorder", range(first, self._recorded_chunks))
        self._completion.done("pipeline", [self._dropped_chunks.popleft() for _ in range(dropped)])

    def _push(self, batch: list[SampleChunk], predictions: list[Prediction]) -> None:
        for chunk in batch:
            predictions += self.pipeline.push(chunk)

    def _predicted(self, prediction: Prediction, circumstances: Circumstances) -> None:
        """Runs in the pipeline's thread."""
        self.circumstances = circumstances
        if self._recorder:
            self._recorder.predicted(prediction, circumstances)

    def _deliver(self, predictions: list[Prediction]) -> None:
        self._ended_s = time.perf_counter()
        self._notices.announce()
        for prediction in predictions:
            self._tally.add(prediction, self.pipeline.deadline_ms)
            self._notices.predicted(prediction)
            self._steer(prediction)
            shown = self._conclusions.draw(prediction)
            self._subscribers.prediction(shown)
            self._subscribers.episodes(self._conclusions.episodes(shown))

    def _steer(self, prediction: Prediction) -> None:
        """Ask the sensor to run as the policy wants; where it cannot, the pipeline thins its samples instead."""
        sensing = prediction.decision.sensing
        if sensing == self._asked.get(prediction.stream):
            return
        self._asked[prediction.stream] = sensing
        if isinstance(self.source, Steerable):
            self.source.sense(prediction.stream, sensing)

    def counts(self) -> Mapping[str, int]:
        """Samples, windows, gaps, lost, dropped and repaired so far, by kind."""
        return added([self.pipeline.counts(), dict(self.source.counts()), {"dropped": self._queue.dropped}])

    def findings(self) -> list[Notice]:
        """What is wrong with the streams now, by the table of checks."""
        return self._notices.findings()

    def notices(self) -> list[str]:
        """What the user should know now, one line each: facts, then findings."""
        return [*self.facts(), *self._notices.present()]

    def facts(self) -> list[str]:
        """What the user should know beside the notices that are announced, one line each."""
        lines = list(self.source.notices()) if isinstance(self.source, Noticing) else []
        lines += self._recorder.notices() if self._recorder else []
        fastest_ms = min(point.p95_ms for point in self.table.points)
        if self.deadline_ms is not None and self.deadline_ms < fastest_ms:
            lines.append(
                f"no subnetwork meets the deadline of {self.deadline_ms:g} ms; the fastest keeps {fastest_ms:.2g} ms "
                "in 95 of 100 windows"
            )
        refusals = self.pipeline.refusals()
        if refusals and not self.pipeline.has_served:
            lines.append(f"no stream fits {self.model_name} so far; still waiting for one that does")
        spec = self.pipeline.spec
        explained = any(notice.finding.about in ("windows", "slow", "refused") for notice in self.findings())
        if self._signal_s and not self._tally.predictions and not explained:
            lines.append(
                f"no prediction: {self.model_name} needs {spec.window_s:g} s without a hole longer than "
                f"{spec.max_gap_s:g} s, and the stream had none"
            )
        elif self.pipeline.battery and self._tally.predictions and self._tally.battery_frac is None:
            lines.append("the battery cannot be read; --battery simulated stands in for one")
        return lines

    def summary(self) -> dict[str, Any]:
        """The figures of the run so far: plain JSON values."""
        wall_s = (self._ended_s or time.perf_counter()) - self._started_s
        counts = {"samples": 0, "windows": 0, "gaps": 0, "lost": 0, "dropped": 0, **self.counts()}
        return {
            "summary": True,
            "source": self.source_name,
            "model": self.model_name,
            "policy": self.policy_text,
            "counts": counts,
            **self._tally.summary(),
            **self._conclusions.summary(),
            "streams": [stream.to_dict() for stream in self.figures()],
            "refused": [refusal.to_dict() for refusal in self.pipeline.refusals()],
            "signal_s": round(self._signal_s, 2),
            "wall_s": round(wall_s, 3),
            "realtime_factor": round(self._signal_s / wall_s, 1) if wall_s > 0 else None,
            "energy_model": self.table.energy_model,
            "notices": [*self.notices(), *self._notices.past()],
            **({"recording": self._recorder.summary()} if self._recorder else {}),
        }
