"""Plays a recording with the chunks of the original run, in their original order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from kinestream.core.signals import SampleChunk
from kinestream.core.source import Offer

from ..pacing import PlayedSource
from .dataset import notices_of
from .reader import RecordingReader

MAX_SILENCE_S = 5.0
"""A longer silence of a stream plays as if the next chunk had followed at once."""

_READ_AHEAD = 256
"""Chunks fetched at once in the reading thread."""


class RecordingPlayer(PlayedSource):
    """A recording as a source.

    Args:
        folder: written by ``--record`` or ``kinestream record``.
        speed: multiple of real time, infinity for as fast as possible.
        as_computed: plays only the chunks that the live pipeline processed, with their original numbering; default:
            all recorded chunks.
    Raises:
        DataMissing: the folder holds no recording.
        DataDamaged: the manifest cannot be read.
    """

    def __init__(self, folder: Path | str, *, speed: float = 1.0, as_computed: bool = False) -> None:
        super().__init__(str(folder), speed)
        self.dataset = ""
        self.reader = RecordingReader(folder)
        self._as_computed = as_computed
        self._duration_s = math.nan

    @property
    def duration_s(self) -> float:
        return self._duration_s

    def offer(self) -> Offer | None:
        """The channels and the rate of the first chunk; None if the recording holds no samples."""
        first = next(self.reader.chunks(), None)
        return None if first is None else Offer(first.channels, first.fs_hz)

    def counts(self) -> Mapping[str, int]:
        """``dropped_live``: samples the live run dropped, if they are left out; ``not_recorded``: samples missing from
        the recording; ``torn_bytes``: bytes of incomplete writes in a tail."""
        counts = {**self.reader.counts(), "torn_bytes": self.reader.tail_bytes_lost}
        if not self._as_computed:
            counts.pop("dropped_live", None)
        return {kind: number for kind, number in counts.items() if number}

    def notices(self) -> Sequence[str]:
        """Notes for the user about the recording, one line each."""
        return list(notices_of(self.reader))

    async def _due_chunks(self, position_s: float, mark: str) -> AsyncGenerator[tuple[float, SampleChunk], None]:
        clock = _Clock()
        chunks = self.reader.chunks(as_computed=self._as_computed)
        while batch := await asyncio.to_thread(list, islice(chunks, _READ_AHEAD)):
            for chunk in batch:
                due_s = clock.after(chunk)
                if due_s > position_s or not position_s:
                    yield due_s, replace(chunk, session=chunk.session + mark) if mark else chunk
        self._duration_s = clock.now_s


class _Clock:
    """Arrival time of each chunk in seconds of recording, by the longest stream, as the streams' clocks may differ."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._streams: dict[str, tuple[str, float, float]] = {}  # epoch, arrival of its last chunk, time so far

    def after(self, chunk: SampleChunk) -> float:
        length_s = len(chunk) / chunk.fs_hz
        epoch, arrived_s, total_s = self._streams.get(chunk.stream, ("", 0.0, self.now_s))
        step_s = chunk.received_s - arrived_s if epoch == chunk.session else length_s
        total_s += step_s if 0 <= step_s <= MAX_SILENCE_S else length_s
        self._streams[chunk.stream] = (chunk.session, chunk.received_s, total_s)
        self.now_s = max(self.now_s, total_s)
        return self.now_s
