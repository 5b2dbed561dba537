"""What a source of samples is, to everything that reads one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .signals import SampleChunk, Sensing


@runtime_checkable
class Source(Protocol):
    """Somewhere samples come from: a device, a socket, a recording, the built-in wearer.

    ``chunks()`` ends when the stream has ended. The channels and the rate stand in every chunk.
    """

    name: str
    """For messages: what the user asked for, e.g. ``hapt`` or ``zmq+tcp://127.0.0.1:5556``."""

    live: bool
    """A live source cannot wait: when the pipeline is late, the oldest chunks are dropped and counted."""

    def chunks(self) -> AsyncIterator[SampleChunk]:
        """Chunk after chunk, in order within each stream."""
        ...

    def counts(self) -> Mapping[str, int]:
        """What was skipped or repaired so far, by kind (``malformed``, ``missing_value``, ...).

        Not what jumps of the sequence numbers show: windowing counts that, as ``lost``.
        """
        ...

    async def aclose(self) -> None:
        """Release whatever is held; may be called twice."""
        ...


@runtime_checkable
class Noticing(Protocol):
    """A source that took something for granted, which a person should know."""

    def notices(self) -> Sequence[str]:
        """A line each."""
        ...


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How the link to one sensor stands, for people."""

    name: str
    """Of the stream: stable over reconnects."""
    state: str
    """``looking``, ``connecting``, ``starting``, ``streaming`` or ``lost``."""
    rssi: int | None
    """dBm, when it was last seen advertising."""
    battery_frac: float | None
    """The sensor's own charge, 0 to 1."""
    reconnects: int
    silence_s: float | None
    """Since anything came; None while the link is not up."""
    clock: str = ""
    """What the samples are timed by, and how far that can be trusted, in words; empty before the first one."""
    slope_ppm: float | None = None
    """By how much the sensor's clock is slow against the host's."""
    jitter_ms: float | None = None
    """How far above the fastest a packet is on average."""
    age_ms: float | None = None
    """How old the newest sample was on arrival."""


@runtime_checkable
class Linked(Protocol):
    """A source that keeps links to sensors, which may break and come back."""

    def status(self) -> Sequence[LinkStatus]:
        """How each link stands now."""
        ...


@runtime_checkable
class Steerable(Protocol):
    """A source whose sensors can be told to run slower, or without their gyroscope."""

    def sense(self, stream: str, sensing: Sensing | None) -> None:
        """Have that stream's sensor run so, as far as it can; None: as it was set up. Returns at once."""
        ...


@runtime_checkable
class Acknowledging(Protocol):
    """A source whose sender keeps every chunk until it hears that the chunk was worked off."""

    def done(self, chunks: int) -> None:
        """The oldest ``chunks`` of those handed out and not yet done need never come again."""
        ...


@runtime_checkable
class Playback(Protocol):
    """What a source that replays lets a person do; the dashboard's replay keys call this."""

    speed: float
    """Multiple of real time; infinity plays as fast as the pipeline can take it."""
    paused: bool

    @property
    def position_s(self) -> float:
        """Seconds of recording played since the start."""
        ...

    @property
    def duration_s(self) -> float:
        """Seconds of recording in all; infinity if it never ends, NaN while not all of it has been read."""
        ...

    def seek(self, position_s: float) -> None:
        """Go on from there; what follows belongs to a new session, so no window spans the jump."""
        ...
