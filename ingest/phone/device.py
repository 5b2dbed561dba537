"""A phone that pushes: its recordings as epochs, and the state of its link."""

from __future__ import annotations

from collections import Counter, OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Literal

from kinestream.core.errors import DecodeError

from .axis_convention import Convention, choose_conversion
from .link import Pulse, phone_link
from .reorder import Reorder, Turn
from .sensor_logger import Message
from .stream import PhoneStream

if TYPE_CHECKING:
    from kinestream.core.signals import SampleChunk
    from kinestream.core.source import LinkStatus

MAX_EPOCHS = 64
"""Number of recordings remembered per phone, to recognise late messages."""


class _Epoch:
    """A recording in the app, which is an epoch of the phone's stream."""

    def __init__(self, reorder: Reorder[Message], stream: PhoneStream) -> None:
        self.reorder, self.stream = reorder, stream

    def push(self, turns: list[Turn[Message]], now_s: float) -> list[SampleChunk]:
        chunks: list[SampleChunk] = []
        for message, received_s, lost_before in turns:
            chunks += self.stream.push(message.batch, received_s, whole=not lost_before, now_s=now_s)
        return chunks

    def close(self, now_s: float) -> list[SampleChunk]:
        chunks = self.push(self.reorder.close(), now_s)
        self.stream.close()
        return chunks


class Device:
    """A phone with its current epoch, and earlier ones for late messages.

    Args:
        name: the name of the phone's stream.
        convention: units and signs set by the user; None: recognised from the data.
        patience_s: maximum wait for a missing message.

    >>> Device("phone-1", None, 3.0).status(now_s=0.0).state
    'looking'
    """

    def __init__(self, name: str, convention: Convention | None, patience_s: float) -> None:
        self.name = name
        self.system: Literal["ios", "android"] | None = None
        """The phone's operating system, if its requests reveal it."""
        self._convention: Convention | None = convention
        self._patience_s = patience_s
        self._epochs: OrderedDict[str, _Epoch] = OrderedDict()  # by the app's session; the last is the current one
        self._opened = 0
        self.pulse = Pulse()
        self._battery_frac: float | None = None
        self._counts: Counter[str] = Counter()  # of forgotten epochs

    def take(self, message: Message, now_s: float) -> list[SampleChunk]:
        """Return the chunks that a message completes, with those of the recording that it ends.

        Raises:
            DecodeError: the message's number is implausible.
        """
        self.pulse.beat(now_s)
        if message.battery_frac is not None:
            self._battery_frac = message.battery_frac
        chunks: list[SampleChunk] = []
        epoch = self._epochs.get(message.session)
        if epoch is None:
            if not message.batch:  # a test push has a separate session, but is not a recording
                self._counts["messages_without_motion"] += 1
                return []
            chunks = self.close(now_s)
            epoch = self._epochs[message.session] = self._new_epoch()
            if len(self._epochs) > MAX_EPOCHS:
                _, oldest = self._epochs.popitem(last=False)
                self._counts += oldest.reorder.counts + oldest.stream.counts()
        if not epoch.reorder.fits(message.number):
            raise DecodeError(f"message number {message.number} is far ahead of earlier ones; expected the next")
        return chunks + epoch.push(epoch.reorder.push(message.number, message, now_s), now_s)

    def _new_epoch(self) -> _Epoch:
        self._opened += 1
        choose = partial(choose_conversion, setting=self._convention, system=self.system)
        return _Epoch(Reorder(self._patience_s), PhoneStream(self.name, f"{self.name}#{self._opened}", choose))

    def due(self, now_s: float) -> list[SampleChunk]:
        """Return the chunks released because a missing message is given up."""
        epoch = self._current
        return epoch.push(epoch.reorder.due(now_s), now_s) if epoch else []

    def close(self, now_s: float) -> list[SampleChunk]:
        """End the current epoch and return its last chunks."""
        return self._current.close(now_s) if self._current else []

    @property
    def _current(self) -> _Epoch | None:
        return next(reversed(self._epochs.values()), None)

    def counts(self) -> Counter[str]:
        """Return the faults of messages and samples, by kind."""
        total = Counter(self._counts)
        for epoch in self._epochs.values():
            total += epoch.reorder.counts + epoch.stream.counts()
        return total

    def status(self, now_s: float) -> LinkStatus:
        """Return the phone's link status."""
        stream = self._current.stream if self._current else None
        return phone_link(self.name, stream, self.pulse, self._opened, now_s, self._battery_frac)

    def notices(self) -> list[str]:
        """Return the state of the current epoch, for the user."""
        epoch = self._current
        if epoch is None:
            return []
        stream = epoch.stream
        if stream.conversion is None:
            if not stream.unusable_sensors:
                return [f"{self.name}: waiting for the first seconds"]
            return [
                f"{self.name}: no acceleration from {', '.join(stream.unusable_sensors)}: "
                "switch on Accelerometer, and on an iPhone Gravity"
            ]
        age_ms = stream.time().age_ms
        return [
            f"{self.name}: {stream.conversion.assumed}; {stream.rate_hz:.2f} Hz, data {age_ms:.0f} ms old on arrival, "
            f"{epoch.reorder.counts['messages_lost']} messages with about {stream.lost} samples lost"
        ]


def system_of(agent: str) -> Literal["ios", "android"] | None:
    """Return the operating system named in a user agent, which HTTP libraries of apps send.

    >>> system_of("okhttp/4.9.2")
    'android'
    """
    agent = agent.lower()
    if "darwin" in agent or "cfnetwork" in agent or "iphone" in agent:
        return "ios"
    return "android" if "okhttp" in agent or "android" in agent else None
