"""A phone that pushes: its recordings as epochs, and the state of its link."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from kinestream.core.errors import DecodeError
from kinestream.core.evidence import Reception

from .axis_convention import Convention, choose_conversion, choose_wrist_conversion
from .heard import Heard
from .link import Pulse, phone_link
from .reorder import Reorder, Turn
from .sensor_logger import WRIST_VECTORS, Message
from .stream import PhoneStream

if TYPE_CHECKING:
    from kinestream.core.signals import SampleChunk
    from kinestream.core.source import LinkStatus

MAX_EPOCHS = 64
"""Number of recordings remembered per phone, to recognise late messages."""


class _Epoch:
    """A recording in the app: an epoch of the phone's stream, and of its watch's where one sends.

    Args:
        reorder: sorts its messages.
        streams: the phone's and the watch's.
    """

    def __init__(self, reorder: Reorder[Message], streams: tuple[PhoneStream, PhoneStream]) -> None:
        self.reorder, self._streams = reorder, streams
        self._heard = [False, False]

    @property
    def streams(self) -> list[PhoneStream]:
        """The streams with readings; the phone's, if there are none."""
        return [stream for stream, heard in zip(self._streams, self._heard, strict=True) if heard] or [self._streams[0]]

    def push(self, turns: list[Turn[Message]], now_s: float) -> list[SampleChunk]:
        chunks: list[SampleChunk] = []
        for message, received_s, lost_before in turns:
            watch = {sensor: readings for sensor, readings in message.batch.items() if sensor in WRIST_VECTORS}
            phone = {sensor: readings for sensor, readings in message.batch.items() if sensor not in WRIST_VECTORS}
            for k, batch in enumerate((phone, watch)):
                self._heard[k] |= bool(batch)
                if self._heard[k]:
                    chunks += self._streams[k].push(batch, received_s, whole=not lost_before, now_s=now_s)
        return chunks

    def close(self, now_s: float) -> list[SampleChunk]:
        chunks = self.push(self.reorder.close(), now_s)
        for stream in self._streams:
            stream.close()
        return chunks

    def counts(self) -> Counter[str]:
        return sum((stream.counts() for stream in self.streams), self.reorder.counts)


class Device:
    """A phone with its current epoch, and earlier ones for late messages.

    Args:
        name: the name of the phone's stream; its watch's is ``NAME-watch``.
        convention: units and signs set by the user; None: recognised from the data.
        patience_s: maximum wait for a missing message.

    >>> Device("phone-1", None, 3.0).status(now_s=0.0)[0].state
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
        self._heard = Heard()
        self._before: dict[str, Reception] = {}  # what each stream received in earlier epochs

    def take(self, message: Message, now_s: float) -> list[SampleChunk]:
        """Return the chunks that a message completes, with those of the recording that it ends.

        Raises:
            DecodeError: the message's number is implausible.
        """
        self.pulse.beat(now_s)
        self._heard.add(message)
        if message.battery_frac is not None:
            self._battery_frac = message.battery_frac
        chunks: list[SampleChunk] = []
        epoch = self._epochs.get(message.session)
        if epoch is None:
            if not message.batch:  # a test push has a separate session, but is not a recording
                self._counts["messages_without_motion"] += 1
                return []
            chunks = self.close(now_s)
            if self._current:
                self._before = {reception.name: reception for reception in self._received()}
            epoch = self._epochs[message.session] = self._new_epoch()
            if len(self._epochs) > MAX_EPOCHS:
                _, oldest = self._epochs.popitem(last=False)
                self._counts += oldest.counts()
        if not epoch.reorder.fits(message.number):
            raise DecodeError(f"message number {message.number} is far ahead of earlier ones; expected the next")
        return chunks + epoch.push(epoch.reorder.push(message.number, message, now_s), now_s)

    def _new_epoch(self) -> _Epoch:
        self._opened += 1
        choose = partial(choose_conversion, setting=self._convention, system=self.system)
        choose_wrist = partial(choose_wrist_conversion, setting=self._convention)
        watch = f"{self.name}-watch"
        return _Epoch(
            Reorder(self._patience_s),
            (
                PhoneStream(self.name, f"{self.name}#{self._opened}", choose),
                PhoneStream(watch, f"{watch}#{self._opened}", choose_wrist),
            ),
        )

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
        return sum((epoch.counts() for epoch in self._epochs.values()), Counter(self._counts))

    def status(self, now_s: float) -> list[LinkStatus]:
        """Return the link status of the phone, and of its watch where one sends."""
        streams = self._current.streams if self._current else [None]
        return [
            phone_link(
                stream.name if stream else self.name, stream, self.pulse, self._opened, now_s, self._battery_frac
            )
            for stream in streams
        ]

    def receptions(self) -> list[Reception]:
        """Return what arrived from the phone, and from its watch where one sends, over all recordings."""
        received = self._received()
        first = self._heard.reception(received[0] if received else Reception(self.name))
        if any(stream.is_settling for stream in (self._current.streams if self._current else ())):
            first = replace(first, unwanted={})  # the first seconds of a sensor that is read: nothing is amiss yet
        return [first, *received[1:]]

    def _received(self) -> list[Reception]:
        """Return what each stream received, without the messages, which they share."""
        streams = self._current.streams if self._current else []
        received: list[Reception] = []
        for stream in streams:
            now, before = stream.reception(), self._before.get(stream.name, Reception(stream.name))
            received.append(
                replace(
                    now,
                    packets=self._heard.packets,
                    samples=now.samples + before.samples,
                    unpaired=now.unpaired + before.unpaired,
                )
            )
        names = {stream.name for stream in streams}
        return received + [before for name, before in self._before.items() if name not in names]

    def notices(self) -> list[str]:
        """Return the state of the current epoch, for the user."""
        epoch = self._current
        return [_notice(stream, epoch.reorder.counts["messages_lost"]) for stream in epoch.streams] if epoch else []


def _notice(stream: PhoneStream, messages_lost: int) -> str:
    if stream.conversion is None:
        return f"{stream.name}: {next(iter(stream.remarks()), 'waiting for the first seconds')}"
    remarks = [remark for remark in stream.remarks() if remark != stream.conversion.doubt]  # the doubt is in `assumed`
    rate_hz, age_ms = stream.rate_hz, stream.time().age_ms
    return (
        f"{stream.name}: {stream.conversion.assumed}; {rate_hz:.2f} Hz, data {age_ms:.0f} ms old on arrival, "
        + "; ".join((f"{messages_lost} messages with about {stream.lost} samples lost", *remarks))
    )


def system_of(agent: str) -> Literal["ios", "android"] | None:
    """Return the operating system named in a user agent, which HTTP libraries of apps send.

    >>> system_of("okhttp/4.9.2")
    'android'
    """
    agent = agent.lower()
    if "darwin" in agent or "cfnetwork" in agent or "iphone" in agent:
        return "ios"
    return "android" if "okhttp" in agent or "android" in agent else None
