"""Plays recordings as if a sensor were measuring them now."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from operator import itemgetter

import numpy as np

from kinestream.core.errors import ConfigError
from kinestream.core.signals import UNLABELLED, SampleChunk
from kinestream.core.source import Offer

from .pacing import PlayedSource
from .recording import Recording


class Player(PlayedSource):
    """Plays recordings one after another as one stream, or side by side as one stream each.

    Every segment of every recording is an epoch of its own: no window spans two. Gaps between segments take no time.
    Chunks are the same at every speed; the next recording is read while one plays.

    >>> import asyncio, math
    >>> from kinestream.replay_data import simulate
    >>> player = Player([simulate(seed=3, duration_s=2)], speed=math.inf)
    >>> async def sizes() -> list[int]:
    ...     return [len(chunk) async for chunk in player.chunks()]
    >>> asyncio.run(sizes())
    [25, 25, 25, 25]

    Args:
        recordings: read by index when their turn comes (a ``Dataset`` then reads from disk); at most two are held.
        speed: multiple of real time, infinity for as fast as possible.
        chunk_s: seconds of recording in a chunk.
        loop: restart at the end.
        together: play all at the same time, merged by the time since each recording's start; holds all in memory.
        name: used in messages and as the stream's name; default: the dataset's name.
        clock, sleep: replace the machine's clock, for tests.
    Raises:
        ConfigError: the speed or the chunk length is not positive.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        *,
        speed: float = 1.0,
        chunk_s: float = 0.5,
        loop: bool = False,
        together: bool = False,
        name: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(name or getattr(recordings, "name", "recordings"), speed, clock, sleep)
        if not 0 < chunk_s < math.inf:
            raise ConfigError(f"chunk_s {chunk_s}: expected a positive number of seconds")
        self.dataset: str = getattr(recordings, "name", "")
        self._recordings = recordings
        self._chunk_s = chunk_s
        self._loop = loop
        self._together = together
        self._reader = _ReadAhead(recordings)
        self._playing: list[tuple[float, Recording]] = []  # the recordings playing now, with their starts

    @property
    def duration_s(self) -> float:
        durations = self._reader.durations_s
        if len(durations) < len(self._recordings):
            return math.nan
        return max(durations.values(), default=0.0) if self._together else sum(durations.values())

    def offer(self) -> Offer | None:
        """The channels and the rate of the first recording; None if there is no recording."""
        first = self._reader.first()
        return None if first is None else Offer(first.channels, first.fs_hz)

    def counts(self) -> Mapping[str, int]:
        """Number of samples or rows skipped or repaired in the recordings played so far, by kind."""
        total: dict[str, int] = {}
        for repairs in self._reader.repairs.values():
            for kind, number in repairs.items():
                total[kind] = total.get(kind, 0) + number
        return total

    def notices(self) -> Sequence[str]:
        """Assumptions made while reading, one line each."""
        return getattr(self._recordings, "notices", ())

    def next_activity(self) -> None:
        """Jump to the start of the next labelled activity; from a recording's last activity, to the next recording."""
        changes = [
            start_s + at_s
            for start_s, recording in self._playing
            for at_s in _label_starts_s(recording)
            if start_s + at_s > self.position_s
        ]
        ends = [start_s + recording.duration_s for start_s, recording in self._playing]
        if changes or ends:
            self.seek(min(changes, default=max(ends, default=0.0)))

    async def aclose(self) -> None:
        """Stop playing and stop reading ahead."""
        await super().aclose()
        self._reader.close()

    def _restarts(self) -> bool:
        if not (self._loop and self.duration_s > 0):
            return False
        self.seek(0.0)
        return True

    async def _due_chunks(self, position_s: float, mark: str) -> AsyncGenerator[tuple[float, SampleChunk], None]:
        if self._together:
            if not self._playing:
                self._playing = [(0.0, await self._reader.get(i)) for i in range(len(self._recordings))]
            streams = [self._cut(recording, recording.name, position_s, mark) for _, recording in self._playing]
            for item in heapq.merge(*streams, key=itemgetter(0)):
                yield item
            return
        start_s = 0.0
        for index in range(len(self._recordings)):
            known_s = self._reader.durations_s.get(index)
            if known_s is None or start_s + known_s > position_s:
                self._playing = []  # releases the last one: only this recording and the next are held
                self._playing = [(start_s, await self._reader.get(index))]
                for due_s, chunk in self._cut(self._playing[0][1], self.name, position_s - start_s, mark):
                    yield start_s + due_s, chunk
            start_s += self._reader.durations_s[index]

    def _cut(
        self, recording: Recording, stream: str, position_s: float, mark: str
    ) -> Iterator[tuple[float, SampleChunk]]:
        """One recording's chunks from a position on, each with the seconds of recording up to its end."""
        size = max(1, round(self._chunk_s * recording.fs_hz))
        period_s = 1 / recording.fs_hz
        end_s = 0.0
        for number, (start, stop) in enumerate(recording.segments):
            if stop <= start:
                continue
            epoch = f"{recording.name}#{number}{mark}"
            # The time in the recording at which each sample ends, without the gaps between segments.
            done_s = end_s + recording.t[start:stop] - recording.t[start] + period_s
            end_s = float(done_s[-1])
            begin = start + int(np.searchsorted(done_s, position_s + period_s / 2))
            for first in range(begin, stop, size):
                last = min(first + size, stop)
                labels = recording.labels
                yield (
                    float(done_s[last - 1 - start]),
                    SampleChunk(
                        stream,
                        epoch,
                        recording.t[first:last],
                        recording.x[first:last],
                        recording.channels,
                        recording.fs_hz,
                        first - start,
                        float(recording.t[last - 1]),
                        None if labels is None else labels[first:last],
                        recording.label_names,
                    ),
                )


class _ReadAhead:
    """Reads recordings in its own thread, the next one while one plays, and releases those already played."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._recordings = recordings
        self._thread = ThreadPoolExecutor(1, "kinestream-reader")
        self._held: dict[int, Future[Recording]] = {}
        self.durations_s: dict[int, float] = {}
        self.repairs: dict[int, Mapping[str, int]] = {}
        if isinstance(recordings, (list, tuple)):  # already in memory: their length is known
            self.durations_s = {i: recording.duration_s for i, recording in enumerate(recordings)}

    async def get(self, index: int) -> Recording:
        """Recording ``index``; starts reading the next one."""
        wanted = range(index, min(index + 2, len(self._recordings)))
        self._held = {i: self._held.get(i) or self._thread.submit(self._recordings.__getitem__, i) for i in wanted}
        recording = await asyncio.wrap_future(self._held[index])
        self.durations_s[index] = recording.duration_s
        self.repairs[index] = recording.repairs
        return recording

    def first(self) -> Recording | None:
        """The first recording, which is then held until it plays; None if there is none."""
        if not len(self._recordings):
            return None
        self._held.setdefault(0, self._thread.submit(self._recordings.__getitem__, 0))
        return self._held[0].result()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _label_starts_s(recording: Recording) -> list[float]:
    """The times at which a labelled activity begins, in seconds of recording without gaps."""
    if recording.labels is None:
        return []
    starts: list[float] = []
    passed_s, before = 0.0, UNLABELLED
    for start, stop in recording.segments:
        if stop <= start:
            continue
        labels = recording.labels[start:stop]
        t = recording.t[start:stop] - recording.t[start]
        begins = (labels != np.r_[before, labels[:-1]]) & (labels != UNLABELLED)
        starts += (passed_s + t[begins]).tolist()
        passed_s += float(t[-1]) + 1 / recording.fs_hz
        before = labels[-1]
    return starts
