"""What a person should know of a run's streams: what arrives, how much of it is measured, and how sensors are worn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kinestream.core.source import Playback, Source
from kinestream.observe.stream_observer import StreamObservers

from .refusals import Unfit, turned
from .source_watch import SourceWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kinestream.core.evidence import StreamFigures
    from kinestream.core.signals import Prediction, SampleChunk
    from kinestream.observe.findings import Notice

    from .pipeline import Pipeline


class RunNotices:
    """Owns the observers of the streams, asks the table of checks, and joins in what the pipeline found.

    Args:
        tell: called with the notices that are new.
        watch: watches the source since it began; None: from now on.
    """

    def __init__(
        self,
        source: Source,
        pipeline: Pipeline,
        tell: Callable[[Iterable[Notice]], None],
        watch: SourceWatch | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._tell = tell
        self._observers = StreamObservers(live=not isinstance(source, Playback))
        self._watch = watch or SourceWatch(source)
        self._over_s: float | None = None

    def figures(self) -> list[StreamFigures]:
        """The measured figures of each stream, those of the run's end after it."""
        return self._observers.figures(self._over_s or time.monotonic())

    def arrived(self, chunk: SampleChunk) -> None:
        """Take a chunk as it arrives."""
        self._observers.push(chunk, time.monotonic())

    def taken(self, batch: Iterable[SampleChunk]) -> bool:
        """Take chunks on their way into the pipeline, and return whether it is time to ``look``."""
        channel_map = self._pipeline.channel_map  # the model's view: with the factors and axes that a person gave
        is_due = False
        for chunk in batch:
            try:
                is_due |= self._watch.push(turned(chunk, channel_map))
            except Unfit:  # the pipeline refuses the stream and says why
                is_due |= self._watch.push(chunk)
        return is_due

    def predicted(self, prediction: Prediction) -> None:
        """Take a prediction."""
        self._observers.see(prediction)

    def end(self) -> None:
        """The run is over: no silence counts from now on."""
        self._over_s = time.monotonic()

    async def keep_looking(self) -> None:
        """Look every second, for ever."""
        await self._watch.keep_looking(self.look)

    def look(self, *, over: bool = False) -> None:
        """Judge what arrived so far, and tell what is new.

        Args:
            over: the run ends, so that a finding need not last.
        """
        pipeline = self._pipeline
        new = self._watch.look(
            self.figures(),
            spec=pipeline.spec,
            windows=pipeline.windows(),
            bears_hz=pipeline.asked_hz(),
            refused={refusal.stream: refusal.reason for refusal in pipeline.refusals()},
            over=over,
        )
        self._tell(new)

    def announce(self) -> None:
        """Tell what the pipeline found in its newest windows; call it before their predictions are shown."""
        wear, coverage = self._pipeline.wear, self._pipeline.coverage
        new = wear.take_new()
        low = coverage.take_new()
        if low:
            figures = {stream.stream: stream for stream in self.figures()}
            new += [coverage.notice(name, figures.get(name), is_new=True) for name in low]
        self._tell(new)

    def findings(self) -> list[Notice]:
        """What the table of checks finds wrong with the streams now."""
        return self._watch.board.present()

    def present(self) -> list[str]:
        """All that holds now, one line each."""
        pipeline = self._pipeline
        return [
            *pipeline.wear.notices(),
            *pipeline.coverage.notices(self.figures()),
            *map(str, self.findings()),
        ]

    def past(self) -> list[str]:
        """What is over by now, one line each."""
        return [*self._pipeline.wear.past(), *self._pipeline.coverage.past(), *self._watch.board.past()]
