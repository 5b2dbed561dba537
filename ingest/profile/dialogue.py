"""Dialogues with a device as steps that the Bluetooth source runs one after the other. No radio here.

A dialogue is a generator. It yields a step and receives the bytes that the step returned (none for most), so it can
react to the device's answers::

    dialogue = plan.start(decoder)
    answer = None
    while True:
        try:
            step = dialogue.send(answer)
        except StopIteration:
            break
        answer = await run_step(step)

It raises ``ConfigError`` if the device does not support the requested settings, ``DeviceRefused`` if it refuses,
``DecodeError`` if its answer is invalid.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .decoder import Decoder


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Subscribe to the notifications or indications of a characteristic; returns nothing."""

    characteristic: str


@dataclass(frozen=True, slots=True)
class Write:
    """Write bytes; returns the reply if one is expected, else nothing.

    >>> Write("2a00", bytes([1]), "start the accelerometer").reply_on is None
    True
    """

    characteristic: str
    data: bytes
    to: str
    """The purpose, for messages: ``start the accelerometer``."""
    with_response: bool | None = None
    """Whether the device acknowledges the write; None: if the characteristic supports it."""
    reply_on: str | None = None
    """The subscribed characteristic that carries the reply."""
    reply_prefix: bytes = b""
    """First bytes of the reply; other notifications are data for the decoder."""
    timeout_s: float = 5.0
    service: str | None = None
    """The service of the characteristic, needed if several services have one with this UUID."""
    reply_optional: bool = False
    """Return nothing at the timeout instead of failing: some firmware does not answer."""


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for a further part of a reply and return it; considers notifications since the last write, in order."""

    characteristic: str
    prefix: bytes
    to: str
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Read:
    """Read a characteristic; returns its value."""

    characteristic: str
    to: str


@dataclass(frozen=True, slots=True)
class Find:
    """Check whether the device has a characteristic; returns one byte if it does, else nothing."""

    characteristic: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Pause while the device works; returns nothing."""

    seconds: float


Step = Subscribe | Write | Await | Read | Find | Wait
Dialogue = Generator[Step, bytes, None]


@dataclass(frozen=True, slots=True)
class Periodic:
    """A step to repeat while the stream runs: a keep-alive or a battery request.

    The value of a ``Read`` goes to the decoder, like a notification.
    """

    every_s: float
    step: Write | Read
    optional: bool = True
    """If the device lacks the characteristic or refuses, drop the step; if False, the link counts as lost."""


def script(*steps: Step) -> Callable[[Decoder], Dialogue]:
    """A dialogue with fixed steps that ignores the answers.

    >>> from kinestream.ingest.profile.decoder import Decoder
    >>> [step.seconds for step in script(Wait(0.1), Wait(0.2))(Decoder((), {}))]
    [0.1, 0.2]
    """

    def dialogue(decoder: Decoder) -> Dialogue:
        # Not `yield from`: it would send the answers into the tuple.
        for step in steps:  # noqa: UP028
            yield step

    return dialogue
