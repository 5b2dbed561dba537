"""Reads a source by the second: each step of ``kinestream wear`` continues at the sample where the last one ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from kinestream.core.errors import ConfigError, SourceLost
from kinestream.core.signals import SampleChunk
from kinestream.core.source import Source

from .stretch import part_as_sent

FIRST_S, SILENCE_S = 60.0, 15.0
"""Timeouts for the first sample and for every later one."""
ENOUGH = 0.2
"""Share of the last step that may be missing when a source ends."""
WAITING_CHUNKS = 256
POLL_S = 0.1


class Feed:
    """The chunks of one sensor, cut by the time of their samples."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.channels: tuple[str, ...] = ()
        self.fs_hz = 0.0
        self._queue: asyncio.Queue[SampleChunk | None] = asyncio.Queue(WAITING_CHUNKS)
        self._pump = asyncio.create_task(self._read())
        self._ended_by: Exception | None = None
        self._rest: SampleChunk | None = None
        self._stream = ""
        self._at_s = self._newest_s = self._began_s = 0.0

    async def _read(self) -> None:
        try:
            async for chunk in self.source.chunks():
                if len(chunk):
                    await self._queue.put(chunk)
        except Exception as error:  # raised again by the next call that waits for samples
            self._ended_by = error
        await self._queue.put(None)

    async def begin(self) -> None:
        """Wait for the first samples."""
        chunk = self._rest = await self._next(FIRST_S)
        self.channels, self.fs_hz, self._stream = chunk.channels, chunk.fs_hz, chunk.stream
        self._at_s = self._newest_s = self._began_s = float(chunk.t[0])

    async def until(self, event: asyncio.Event) -> None:
        """Discard samples until the event is set; the next step starts there."""
        self._rest = None
        while not event.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    self._newest_s = float(self._check(await self._queue.get()).t[-1])
        self._at_s = self._newest_s

    async def take(self, seconds: float, progress: Callable[[float, float], None]) -> list[SampleChunk]:
        """The samples of the next seconds, by their own time.

        Args:
            progress: called with the seconds done and the seconds in total.
        Raises:
            SourceLost: the source ended or went silent.
            ConfigError: the source carries more than one sensor.
        """
        taken: list[SampleChunk] = []
        until_s = self._at_s + seconds
        while True:
            try:
                chunk, self._rest = self._rest or await self._next(SILENCE_S), None
            except _Ended:
                if taken and self._newest_s >= until_s - ENOUGH * seconds:  # a recording of just this length
                    return taken
                raise
            if (back_s := self._newest_s - float(chunk.t[0])) > 1:  # the next recording, with its own clock
                until_s -= back_s
            self._newest_s = float(chunk.t[-1])
            inside = int((chunk.t < until_s).sum())
            if inside:
                taken.append(part_as_sent(chunk, 0, inside))
            progress(min(seconds, seconds - (until_s - self._newest_s)), seconds)
            if inside < len(chunk):
                self._rest = part_as_sent(chunk, inside, len(chunk))
                self._at_s = until_s
                progress(seconds, seconds)
                return taken

    async def _next(self, patience_s: float) -> SampleChunk:
        try:
            async with asyncio.timeout(patience_s):
                return self._check(await self._queue.get())
        except TimeoutError:
            raise SourceLost(
                f"{self.source.name} sent nothing for {patience_s:g} s; switch the sensor on and bring it closer"
            ) from None

    def _check(self, chunk: SampleChunk | None) -> SampleChunk:
        if chunk is None:
            self._queue.put_nowait(None)  # for the next call
            raise self._ended_by or _Ended(
                f"{self.source.name} ended after {self._newest_s - self._began_s:.1f} s, before the check was done; "
                "let it run longer, or shorten --seconds and --pause"
            )
        if self._stream and chunk.stream != self._stream:
            raise ConfigError(
                f"{self.source.name} carries several sensors ({self._stream}, {chunk.stream}); check one at a time"
            )
        return chunk

    async def aclose(self) -> None:
        """Stop reading and close the source."""
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        await self.source.aclose()


class _Ended(SourceLost):
    """The source has ended."""
