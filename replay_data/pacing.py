"""Timing of played streams: hands over each chunk when it is due."""

from __future__ import annotations

import asyncio
import math
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError

if TYPE_CHECKING:
    from kinestream.core.signals import SampleChunk

MAX_SLEEP_S = 0.05
"""A pause, a seek or a change of speed takes effect within this time."""
MAX_CATCH_UP_S = 1.0
"""After a longer stop (the laptop slept) playback continues where it was instead of rushing to catch up."""


class Pacer:
    """The playback position, and the wait until playback reaches a given one.

    Args:
        speed: multiple of real time; infinity never waits.
        clock: monotonic seconds.
        sleep: waits for a number of seconds of that clock.
    """

    def __init__(
        self,
        speed: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.speed = speed
        self.paused = False
        self.position_s = 0.0
        self._clock = clock
        self._sleep = sleep
        self._last_s: float | None = None

    def jump(self, position_s: float) -> None:
        """Continue from ``position_s`` at once."""
        self.position_s = position_s
        self._last_s = None

    async def reach(self, position_s: float, interrupted: Callable[[], bool]) -> None:
        """Return when playback reaches ``position_s``, or as soon as ``interrupted()`` is true."""
        while not interrupted():
            if self.paused:
                self._last_s = None
                await self._sleep(MAX_SLEEP_S)
                continue
            if math.isinf(self.speed):
                self.position_s = max(self.position_s, position_s)
                self._last_s = None
                await self._sleep(0)  # lets the other tasks of the event loop run
                return
            now_s = self._clock()
            if self._last_s is not None:
                self.position_s += min(now_s - self._last_s, MAX_CATCH_UP_S) * self.speed
            self._last_s = now_s
            left_s = (position_s - self.position_s) / self.speed
            if left_s <= 1e-9:
                return
            await self._sleep(min(left_s, MAX_SLEEP_S))


class PlayedSource(ABC):
    """Base of all played streams: implements ``Source`` and ``Playback`` on top of one method, ``_due_chunks``.

    The chunks are the same at every speed; only their arrival times depend on the clock.
    """

    live = False

    def __init__(
        self,
        name: str,
        speed: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._pacer = Pacer(_check_speed(speed), clock, sleep)
        self._jumps = 0
        self._closed = False

    @abstractmethod
    def _due_chunks(self, position_s: float, mark: str) -> AsyncGenerator[tuple[float, SampleChunk]]:
        """All chunks from a position to the end, each with the time it is due (seconds of recording).

        Args:
            position_s: the first position to play.
            mark: suffix for the name of every epoch; it changes with every jump.
        """
        ...

    @abstractmethod
    def counts(self) -> Mapping[str, int]:
        """Number of samples lost, skipped or repaired so far, by kind."""
        ...

    @property
    @abstractmethod
    def duration_s(self) -> float:
        """Total seconds of recording; infinity for an endless stream, NaN until all of it has been read."""
        ...

    @property
    def speed(self) -> float:
        """Multiple of real time; infinity plays as fast as the consumer takes the chunks."""
        return self._pacer.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._pacer.speed = _check_speed(speed)

    @property
    def paused(self) -> bool:
        """Whether playback is paused."""
        return self._pacer.paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._pacer.paused = paused

    @property
    def position_s(self) -> float:
        """Seconds of recording played since the start; a loop restarts at 0."""
        return self._pacer.position_s

    def seek(self, position_s: float) -> None:
        """Continue from ``position_s``, at most from the end; the chunks that follow belong to a new epoch.

        Raises:
            ConfigError: ``position_s`` is not a finite number.
        """
        if not math.isfinite(position_s):
            raise ConfigError(f"cannot seek to {position_s}; expected seconds since the start")
        end_s = self.duration_s
        self._pacer.jump(max(0.0, position_s if math.isnan(end_s) else min(position_s, end_s)))
        self._jumps += 1

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Yield every chunk when it is due."""
        while not self._closed:
            jumps = self._jumps
            interrupted = partial(self._interrupted, jumps)
            async with aclosing(self._due_chunks(self._pacer.position_s, f"~{jumps}" if jumps else "")) as due_chunks:
                async for due_s, chunk in due_chunks:
                    await self._pacer.reach(due_s, interrupted)
                    if interrupted():
                        break
                    yield chunk
                    if interrupted():
                        break
            if not interrupted() and not self._restarts():
                return

    def _interrupted(self, jumps: int) -> bool:
        return self._closed or self._jumps != jumps

    def _restarts(self) -> bool:
        """Whether playback restarts after the end; if so, the position has been reset."""
        return False

    async def aclose(self) -> None:
        """Stop playing."""
        self._closed = True


def _check_speed(speed: float) -> float:
    if not speed > 0:
        raise ConfigError(f"speed {speed}: expected a positive multiple of real time, or infinity ('max')")
    return speed
