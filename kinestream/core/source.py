"""The protocol of a source of samples, and the protocols of its optional abilities."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .signals import SampleChunk, Sensing


@runtime_checkable
class Source(Protocol):
    """A source of samples: a device, a socket, a recording, or the built-in wearer.

    ``chunks()`` ends when the stream ends. Every chunk states its channels and its rate.

    >>> from kinestream.replay_data import Wearer
    >>> isinstance(Wearer(seed=1), Source)
    True
    """

    name: str
    """The address for messages, such as ``hapt`` or ``zmq+tcp://127.0.0.1:5556``."""

    live: bool
    """Whether the source cannot wait: when the pipeline is late, the oldest chunks are dropped and counted."""

    def chunks(self) -> AsyncIterator[SampleChunk]:
        """Yield chunk after chunk, in order within each stream."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Return how much was skipped or repaired so far, by kind (``malformed``, ``missing_value``, ...).

        Jumps of the sequence numbers are not included: windowing counts them as ``lost``.
        """
        ...

    async def aclose(self) -> None:
        """Release all resources; a second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """The samples that a source delivers.

    >>> Offer(("acc_x", "acc_y", "acc_z"), 50.0).fs_hz
    50.0
    """

    channels: tuple[str, ...]
    fs_hz: float
    """The nominal rate."""


@runtime_checkable
class Announcing(Protocol):
    """A source that knows its samples before it delivers the first; a live sensor does not."""

    dataset: str
    """The dataset whose people move, such as ``hapt``; empty if they belong to none."""

    def offer(self) -> Offer | None:
        """Return the channels and the rate of the first samples; None if there are none."""
        ...


@runtime_checkable
class Noticing(Protocol):
    """A source that made assumptions which the user should know."""

    def notices(self) -> Sequence[str]:
        """Return the messages for the user, one line each."""
        ...


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """The state of the link to one sensor, for display.

    >>> LinkStatus("polar", "streaming", rssi=-60, battery_frac=0.8, reconnects=0, silence_s=0.1).state
    'streaming'
    """

    name: str
    """Name of the stream, stable over reconnects."""
    state: str
    """``looking``, ``connecting``, ``starting``, ``streaming`` or ``lost``."""
    rssi: int | None
    """Signal strength in dBm of the last advertisement."""
    battery_frac: float | None
    """Charge of the sensor's battery, 0 to 1."""
    reconnects: int
    silence_s: float | None
    """Seconds since the last data; None while the link is down."""
    clock: str = ""
    """How the samples are timed and how reliable that is, in words; empty before the first sample."""
    slope_ppm: float | None = None
    """How much the sensor's clock is slow against the host's."""
    jitter_ms: float | None = None
    """Mean delay of a packet beyond the fastest packet's."""
    age_ms: float | None = None
    """Age of the newest sample on arrival."""


@runtime_checkable
class Linked(Protocol):
    """A source with links to sensors that can break and reconnect."""

    def status(self) -> Sequence[LinkStatus]:
        """Return the present state of each link."""
        ...


@runtime_checkable
class Steerable(Protocol):
    """A source whose sensors can run at a lower rate, or without their gyroscope."""

    def sense(self, stream: str, sensing: Sensing | None) -> None:
        """Ask that stream's sensor to run so, as far as it can; None restores its own settings. Return at once."""
        ...


@runtime_checkable
class Gathering(Protocol):
    """A source to which streams of several senders may come; one that fits no model does not end its run."""

    gathers: bool
    """Whether further streams may come."""


@runtime_checkable
class Acknowledging(Protocol):
    """A source whose sender keeps every chunk until it hears that the chunk was processed."""

    def done(self, chunks: int) -> None:
        """Acknowledge the oldest ``chunks`` chunks that were handed out and are not acknowledged yet."""
        ...


@runtime_checkable
class Playback(Protocol):
    """A replay that a person can steer; the dashboard's replay keys use it."""

    speed: float
    """Multiple of real time; infinity plays as fast as the pipeline can process."""
    paused: bool

    @property
    def position_s(self) -> float:
        """Seconds of recording played since the start."""
        ...

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds; infinity if it never ends, NaN until all of it was read."""
        ...

    def seek(self, position_s: float) -> None:
        """Continue at this position; a new session begins, so that no window spans the jump."""
        ...
