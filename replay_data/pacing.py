"""When to hand over which chunk of a stream that is played rather than measured."""

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

LONGEST_NAP_S = 0.05
"""A pause, a seek or another speed takes effect within this time."""
MOST_CATCHING_UP_S = 1.0
"""After a longer stop (the laptop slept) playing goes on from where it was instead of rushing through."""


class Pacer:
    """Where playing stands, and waiting until it has come to a moment.

    Args:
        speed: multiple of real time; infinity never waits.
        clock: seconds that only go forward.
        sleep: waits for some seconds of that clock.
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
        """Go on from there at once."""
        self.position_s = position_s
        self._last_s = None

    async def reach(self, position_s: float, interrupted: Callable[[], bool]) -> None:
        """Return when playing has come to ``position_s``, or as soon as ``interrupted()`` says so."""
        while not interrupted():
            if self.paused:
                self._last_s = None
                await self._sleep(LONGEST_NAP_S)
                continue
            if math.isinf(self.speed):
                self.position_s = max(self.position_s, position_s)
                self._last_s = None
                await self._sleep(0)  # others in the same loop want to run too
                return
            now_s = self._clock()
            if self._last_s is not None:
                self.position_s += min(now_s - self._last_s, MOST_CATCHING_UP_S) * self.speed
            self._last_s = now_s
            left_s = (position_s - self.position_s) / self.speed
            if left_s <= 1e-9:
                return
            await self._sleep(min(left_s, LONGEST_NAP_S))


class PlayedSource(ABC):
    """What every played stream does alike: ``Source`` and ``Playback`` over one method, ``_from``.

    The chunks are the same however fast they are played; only when they come depends on the clock.
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
        self._pacer = Pacer(_checked(speed), clock, sleep)
        self._jumps = 0
        self._closed = False

    @abstractmethod
    def _from(self, position_s: float, mark: str) -> AsyncGenerator[tuple[float, SampleChunk]]:
        """Everything from there to the end: when each chunk is due (seconds of recording), and the chunk.

        Args:
            position_s: where to begin.
            mark: to be added to every session's name, another one after every jump.
        """
        ...

    @abstractmethod
    def counts(self) -> Mapping[str, int]:
        """What was lost, skipped or repaired so far, by kind."""
        ...

    @property
    @abstractmethod
    def duration_s(self) -> float:
        """Seconds of recording in all; infinity if it never ends, NaN while not all of it has been read."""
        ...

    @property
    def speed(self) -> float:
        """Multiple of real time; infinity plays as fast as the chunks are taken."""
        return self._pacer.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._pacer.speed = _checked(speed)

    @property
    def paused(self) -> bool:
        return self._pacer.paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._pacer.paused = paused

    @property
    def position_s(self) -> float:
        """Seconds of recording played since the start; a loop begins again at 0."""
        return self._pacer.position_s

    def seek(self, position_s: float) -> None:
        """Go on from there, or from the end if it lies beyond; what follows belongs to a new session.

        Raises:
            ConfigError: not a finite number.
        """
        if not math.isfinite(position_s):
            raise ConfigError(f"cannot seek to {position_s}; expected seconds since the start")
        end_s = self.duration_s
        self._pacer.jump(max(0.0, position_s if math.isnan(end_s) else min(position_s, end_s)))
        self._jumps += 1

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Chunk after chunk, each when it is due."""
        while not self._closed:
            jumps = self._jumps
            interrupted = partial(self._interrupted, jumps)
            async with aclosing(self._from(self._pacer.position_s, f"~{jumps}" if jumps else "")) as played:
                async for due_s, chunk in played:
                    await self._pacer.reach(due_s, interrupted)
                    if interrupted():
                        break
                    yield chunk
                    if interrupted():
                        break
            if not interrupted() and not self._again():
                return

    def _interrupted(self, jumps: int) -> bool:
        return self._closed or self._jumps != jumps

    def _again(self) -> bool:
        """Whether to begin anew after the end; then everything is set back."""
        return False

    async def aclose(self) -> None:
        """Stop playing."""
        self._closed = True


def _checked(speed: float) -> float:
    if not speed > 0:
        raise ConfigError(f"speed {speed}: expected a positive multiple of real time, or infinity ('max')")
    return speed
