"""Inbox of a relay receiver: accepts each relay's messages once and in order, and acknowledges processed ones.

No sockets here; docs/wire.md describes the protocol.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kinestream.core.errors import DecodeError
from kinestream.core.evidence import Reception
from kinestream.core.signals import SampleChunk

from ..zmq.reception_log import ReceptionLog, topic_stream
from ..zmq.sender_time import SenderTime
from ..zmq.sequence import MAX_STREAMS, SequenceTracker
from ..zmq.wire import EndOfStream, decode
from .durable import Mark
from .wire import MAX_IN_FLIGHT_BYTES, Kind, RelayMessage, WrongVersion, unpack

_LOG = logging.getLogger(__name__)

WINDOW = 128
"""Maximum number of unacknowledged messages of a relay, in transit or waiting in the inbox."""

MAX_RELAYS = 64


@dataclass(slots=True, eq=False)
class _Relay:
    """Progress of one relay's journal."""

    journal: bytes
    mark: Mark
    """The number of the last processed message; survives this process."""
    received: int
    """The number of the last accepted message."""
    route: bytes = b""
    pending: int = 0
    pending_bytes: int = 0
    thrown_away: int = 0
    tracker: SequenceTracker = field(default_factory=SequenceTracker)


@dataclass(frozen=True, slots=True)
class _Taken:
    """An accepted message that is not acknowledged yet."""

    relay: _Relay
    number: int
    size_bytes: int
    is_chunk: bool


class RelayInbox:
    """Messages of all relays, from their arrival until they are processed.

    Args:
        name: the name of the source in log messages.
        folder: the folder for the progress of each relay.
        send: sends a message to a relay by its route.

    >>> import tempfile
    >>> from kinestream.ingest.relay.wire import pack
    >>> answers = []
    >>> inbox = RelayInbox("relay", Path(tempfile.mkdtemp()), lambda route, message: answers.append(message.kind.name))
    >>> inbox.handle(b"route", pack(RelayMessage(Kind.HELLO, bytes(16), turn=1)))
    >>> answers
    ['ACK', 'WELCOME']
    """

    def __init__(self, name: str, folder: Path, send: Callable[[bytes, RelayMessage], None]) -> None:
        self._source, self._folder, self._send = name, folder, send
        self.relays: dict[bytes, _Relay] = {}
        """The relays by their journal's identity."""
        self.ready: deque[SampleChunk] = deque()
        """Accepted chunks for the consumer, in order."""
        self.unacknowledged: deque[_Taken] = deque()
        """Accepted messages that the consumer has not processed."""
        self._names: dict[tuple[bytes, str], str] = {}  # the name of each relay's stream, as passed on
        self._counts = Counter[str]()
        self._log = ReceptionLog(name, has_topics=False)
        self._time = SenderTime()

    @property
    def all_ended(self) -> bool:
        """Whether there was a stream and every stream has ended."""
        trackers = [relay.tracker for relay in self.relays.values() if relay.tracker.has_streams]
        return bool(trackers) and all(tracker.all_ended for tracker in trackers)

    def done(self, chunks: int) -> None:
        """Acknowledge the oldest ``chunks`` unacknowledged chunks."""
        newest: dict[bytes, tuple[_Relay, int]] = {}
        while self.unacknowledged and (chunks > 0 or not self.unacknowledged[0].is_chunk):
            taken = self.unacknowledged.popleft()
            chunks -= taken.is_chunk
            taken.relay.pending -= 1
            taken.relay.pending_bytes -= taken.size_bytes
            newest[taken.relay.journal] = (taken.relay, taken.number)
        for relay, number in newest.values():
            try:
                relay.mark.set(number)  # before the relay gets the acknowledgement and deletes the message
            except OSError as error:
                self._counts["not_noted"] += 1  # the relay still learns the number, unless the link breaks now
                _LOG.warning("%s: cannot write a relay's progress: %s", self._source, error)
            self._send(relay.route, RelayMessage(Kind.ACK, relay.journal, number))

    def counts(self) -> Counter[str]:
        """Return the counts of ``RelaySource.counts`` without ``refused_keys``."""
        total = Counter(self._counts)
        for relay in self.relays.values():
            total.update(relay.tracker.counts)
            total["thrown_away_by_relay"] += relay.thrown_away
        return +total

    def receptions(self) -> list[Reception]:
        """Return what each stream received, and what came that belongs to none."""
        return self._log.receptions(self._time.remarks)

    def close(self) -> None:
        """Close the progress files."""
        for relay in self.relays.values():
            relay.mark.close()

    def handle(self, route: bytes, frames: list[bytes]) -> None:
        """Handle a message from the relay at a route."""
        try:
            message = unpack(frames)
            if message.kind == Kind.HELLO:
                self._greet(route, message)
            elif message.kind == Kind.DATA:
                self._take(route, message)
            else:
                raise DecodeError(f"{message.kind.name} from a relay; expected HELLO or DATA", frames[0])
        except WrongVersion as error:
            self._counts["wrong_version"] += 1
            self._refuse(route, bytes(16), str(error).partition(" [")[0])
        except DecodeError as error:
            self._malformed(frames, error)

    def _malformed(self, frames: Sequence[bytes], error: DecodeError, stream: str = "") -> None:
        self._log.malformed(frames, error, stream)
        self._counts["malformed"] += 1
        if self._counts["malformed"] == 1:
            _LOG.warning("%s: skipping this and all further malformed messages: %s", self._source, error)

    def _greet(self, route: bytes, hello: RelayMessage) -> None:
        relay = self.relays.get(hello.journal)
        if relay is None:
            if len(self.relays) >= MAX_RELAYS:
                self._counts["too_many_relays"] += 1
                self._refuse(route, hello.journal, f"{MAX_RELAYS} relays are connected already")
                return
            try:
                mark = Mark(self._folder / f"{hello.journal.hex()}.mark")
            except OSError as error:
                self._counts["refused_relays"] += 1
                self._refuse(route, hello.journal, f"cannot write its progress: {error.strerror}")
                return
            relay = self.relays[hello.journal] = _Relay(hello.journal, mark, mark.value)
        # The relay may know of acknowledgements from another receiver, or from this one before its disk lost them.
        relay.received = max(relay.received, hello.number)
        relay.route = route
        if hello.extra < relay.thrown_away:  # the relay counts since its start, so it has restarted
            self._counts["thrown_away_by_relay"] += relay.thrown_away
        relay.thrown_away = hello.extra
        # First, so that the relay can delete messages whose acknowledgement was lost with the link.
        self._send(route, RelayMessage(Kind.ACK, relay.journal, max(relay.mark.value, hello.number)))
        self._send(route, RelayMessage(Kind.WELCOME, relay.journal, relay.received, WINDOW, hello.turn))

    def _take(self, route: bytes, data: RelayMessage) -> None:
        relay = self.relays.get(data.journal)
        if relay is None or relay.route != route:
            self._counts["out_of_turn"] += 1
            self._send(route, RelayMessage(Kind.WELCOME, data.journal))
        elif data.number <= relay.received:
            self._counts["repeated"] += 1
        elif data.extra != relay.received:
            self._counts["out_of_turn"] += 1
        elif relay.pending >= WINDOW or relay.pending_bytes >= MAX_IN_FLIGHT_BYTES:
            self._counts["beyond_window"] += 1
        else:
            relay.received = data.number
            relay.pending += 1
            relay.pending_bytes += (size := sum(map(len, data.frames)))
            chunk = self._chunk(relay, data)
            self.unacknowledged.append(_Taken(relay, data.number, size, chunk is not None))
            if chunk is not None:
                self.ready.append(chunk)
            elif not self.unacknowledged[0].is_chunk:
                self.done(0)

    def _chunk(self, relay: _Relay, data: RelayMessage) -> SampleChunk | None:
        """Return the chunk of an accepted message; None if it has none."""
        try:
            message = decode(data.frames)
        except DecodeError as error:
            self._malformed(
                data.frames, error, self._names.get((relay.journal, stream := topic_stream(data.frames)), stream)
            )
            return None
        if isinstance(message, EndOfStream):
            relay.tracker.end(message)
            return None
        name = self._name(relay, message.stream)
        chunk = relay.tracker.take(message) if name else None
        if name:
            self._log.took(name, len(message) if chunk is not None else 0)
        if chunk is None:
            return None
        return self._time.repaired(chunk if chunk.stream == name else replace(chunk, stream=name))

    def _name(self, relay: _Relay, stream: str) -> str:
        """Return the stream's name, with the relay's identity if another relay uses the name; "" if there is no room.

        "No room" means that the source has its maximum number of streams.
        """
        name = self._names.get((relay.journal, stream))
        if name is None:
            if len(self._names) >= MAX_STREAMS:
                self._counts["too_many_streams"] += 1
                return ""
            name = f"{stream}@{relay.journal.hex()[:8]}" if stream in self._names.values() else stream
            self._names[relay.journal, stream] = name
        return name

    def _refuse(self, route: bytes, journal: bytes, reason: str) -> None:
        self._send(route, RelayMessage(Kind.REFUSED, journal, frames=(reason.encode(),)))
