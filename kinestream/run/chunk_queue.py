"""The bounded queue between a source and the pipeline."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from kinestream.core.recent import Recent
from kinestream.core.signals import SampleChunk

QUEUE_CHUNKS = 256
"""A minute or two of packets. Predictions any later are worth nothing to anyone."""

QUEUE_BYTES = 64 * 2**20
"""The same in bytes; one chunk that is larger waits alone."""

BATCH_BYTES = 4 * 2**20
"""The worker takes no further chunk once it has so many bytes: results come in between."""

BATCH_CHUNKS = 32
"""Chunks the worker takes at once; handing one over costs more than windowing it."""


class ChunkQueue:
    """Chunks on their way to the pipeline. When it is full, a replay waits; a live source drops its oldest chunk.

    Args:
        live: the source cannot wait.
        on_drop: called with every dropped chunk.
    """

    def __init__(self, live: bool, on_drop: Callable[[SampleChunk], None]) -> None:
        self.dropped = 0
        """Samples dropped."""
        self.handled = 0
        """Chunks taken or dropped."""
        self._live = live
        self._on_drop = on_drop
        self._chunks: deque[SampleChunk] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = self._discarded = False
        self._dropped_in_epoch = Recent[str, tuple[str, int]]()  # of each stream: its epoch, samples dropped in it

    def __len__(self) -> int:
        return len(self._chunks)

    async def put(self, chunk: SampleChunk) -> None:
        """Add a chunk; wait for room, or drop the oldest."""
        size = _bytes_of(chunk)
        while self._chunks and self._is_full(size) and not self._closed:
            if self._live:
                self._drop_oldest()
                continue
            self._room.clear()
            await self._room.wait()
        if not self._closed:
            self._chunks.append(chunk)
            self._bytes += size
            self._arrived.set()

    async def take(self) -> list[SampleChunk]:
        """The oldest chunks, as many as one batch holds; none once the queue is closed and empty, or discarded."""
        while not self._chunks and not self._closed:
            self._arrived.clear()
            await self._arrived.wait()
        if self._discarded:
            return []
        batch: list[SampleChunk] = []
        size = 0
        while self._chunks and len(batch) < BATCH_CHUNKS and size < BATCH_BYTES:
            batch.append(self._take_oldest())
            size += _bytes_of(batch[-1])
        self._room.set()
        return batch

    def close(self, *, discard: bool = False) -> None:
        """Accept no more chunks, and give out those that wait, or discard them."""
        self._closed = True
        self._discarded |= discard
        self._arrived.set()
        self._room.set()

    def _is_full(self, size: int) -> bool:
        return len(self._chunks) >= QUEUE_CHUNKS or self._bytes + size > QUEUE_BYTES

    def _drop_oldest(self) -> None:
        chunk = self._chunks.popleft()
        self._bytes -= _bytes_of(chunk)
        self.dropped += len(chunk)
        self.handled += 1
        self._on_drop(chunk)
        epoch, before = self._dropped_in_epoch.get(chunk.stream, (chunk.session, 0))
        self._dropped_in_epoch[chunk.stream] = (chunk.session, len(chunk) + (before if epoch == chunk.session else 0))

    def _take_oldest(self) -> SampleChunk:
        """The next chunk, numbered as if the dropped samples had never existed: they count as dropped, not lost."""
        chunk = self._chunks.popleft()
        self._bytes -= _bytes_of(chunk)
        self.handled += 1
        epoch, dropped = self._dropped_in_epoch.get(chunk.stream, (chunk.session, 0))
        return replace(chunk, seq=chunk.seq - dropped) if dropped and epoch == chunk.session else chunk


def _bytes_of(chunk: SampleChunk) -> int:
    return chunk.x.nbytes + chunk.t.nbytes
