"""Plays a recording as the run that made it got its samples: the same chunks, in the same order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from kinestream.core.signals import SampleChunk

from ..pacing import PlayedSource
from .dataset import notices_of
from .reader import RecordingReader

MOST_WAITED_S = 5.0
"""A longer silence of a stream is not waited for in full."""

_READ_AHEAD = 256
"""Chunks fetched at once from the thread that reads."""


class RecordingPlayer(PlayedSource):
    """A recording as a source.

    Args:
        folder: what ``--record`` or ``kinestream record`` wrote.
        speed: multiple of real time, infinity for as fast as possible.
        as_computed: only what the live pipeline computed, numbered as it was; default: all that was recorded.
    Raises:
        DataMissing, DataDamaged: there is no recording that can be read.
    """

    def __init__(self, folder: Path | str, *, speed: float = 1.0, as_computed: bool = False) -> None:
        super().__init__(str(folder), speed)
        self.reader = RecordingReader(folder)
        self._as_computed = as_computed
        self._duration_s = math.nan

    @property
    def duration_s(self) -> float:
        return self._duration_s

    def counts(self) -> Mapping[str, int]:
        """``dropped_live``: what the run was too late for, if it is left out; ``not_recorded``: what is missing;
        ``torn_bytes``: of a tail, what was no whole write."""
        counts = {**self.reader.counts(), "torn_bytes": self.reader.tail_bytes_lost}
        if not self._as_computed:
            counts.pop("dropped_live", None)
        return {kind: number for kind, number in counts.items() if number}

    def notices(self) -> Sequence[str]:
        """What a person should know of the recording, a line each."""
        return list(notices_of(self.reader))

    async def _from(self, position_s: float, mark: str) -> AsyncGenerator[tuple[float, SampleChunk], None]:
        clock = _Clock()
        chunks = self.reader.chunks(as_computed=self._as_computed)
        while batch := await asyncio.to_thread(list, islice(chunks, _READ_AHEAD)):
            for chunk in batch:
                due_s = clock.after(chunk)
                if due_s > position_s or not position_s:
                    yield due_s, replace(chunk, session=chunk.session + mark) if mark else chunk
        self._duration_s = clock.now_s


class _Clock:
    """Seconds of recording at which each chunk was there: the longest stream counts, as clocks may differ."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._streams: dict[str, tuple[str, float, float]] = {}  # session, when its last chunk came, time so far

    def after(self, chunk: SampleChunk) -> float:
        length_s = len(chunk) / chunk.fs_hz
        session, came_s, total_s = self._streams.get(chunk.stream, ("", 0.0, self.now_s))
        step_s = chunk.received_s - came_s if session == chunk.session else length_s
        total_s += step_s if 0 <= step_s <= MOST_WAITED_S else length_s
        self._streams[chunk.stream] = (chunk.session, chunk.received_s, total_s)
        self.now_s = max(self.now_s, total_s)
        return self.now_s
