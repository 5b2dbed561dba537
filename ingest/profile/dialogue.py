"""What to say to a device, without a radio: steps that a shell carries out one after the other.

A start dialogue is a generator. It yields a step and is sent the bytes that the step brought (none for
most), so it can choose by what the device answered::

    dialogue = plan.start(decoder)
    answer = None
    while True:
        try:
            step = dialogue.send(answer)
        except StopIteration:
            break
        answer = await carry_out(step)

It raises ``ConfigError`` where the device cannot do what was asked, ``DeviceRefused`` where it says no,
``DecodeError`` where its answer makes no sense.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .decoder import Decoder


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask for the notifications or indications of a characteristic; brings nothing."""

    characteristic: str


@dataclass(frozen=True, slots=True)
class Write:
    """Write bytes; brings the reply if one is awaited, else nothing."""

    characteristic: str
    data: bytes
    to: str
    """What it is for, for messages: ``start the accelerometer``."""
    with_response: bool | None = None
    """Whether the device acknowledges the write; None: if the characteristic allows it."""
    reply_on: str | None = None
    """The subscribed characteristic on which the reply comes."""
    reply_prefix: bytes = b""
    """How the reply begins; a notification that begins otherwise is data, for the decoder."""
    timeout_s: float = 5.0
    service: str | None = None
    """The service that has the characteristic, where several have one of that UUID."""
    silence_is_fine: bool = False
    """Some firmware does not answer: after the time-out this brings nothing, instead of ending the dialogue."""


@dataclass(frozen=True, slots=True)
class Await:
    """A further part of a reply; brings it. What came since the last write counts, in order."""

    characteristic: str
    prefix: bytes
    to: str
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Read:
    """Read a characteristic; brings its value."""

    characteristic: str
    to: str


@dataclass(frozen=True, slots=True)
class Find:
    """Look whether the device has a characteristic; brings a byte if so, else nothing."""

    characteristic: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Let the device work; brings nothing."""

    seconds: float


Step = Subscribe | Write | Await | Read | Find | Wait
Dialogue = Generator[Step, bytes, None]


@dataclass(frozen=True, slots=True)
class Periodic:
    """A step to repeat while the stream runs: to keep it alive, or to ask for the battery.

    What a ``Read`` brings goes to the decoder, as notifications do.
    """

    every_s: float
    step: Write | Read
    optional: bool = True
    """A device without this characteristic, or that refuses, is left alone. Else the link counts as lost."""


def script(*steps: Step) -> Callable[[Decoder], Dialogue]:
    """A start dialogue that heeds no answer."""

    def dialogue(decoder: Decoder) -> Dialogue:
        # Not `yield from`: what is sent in would be handed on to the tuple.
        for step in steps:  # noqa: UP028
            yield step

    return dialogue
