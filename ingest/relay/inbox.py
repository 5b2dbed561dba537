"""Inbox of a relay receiver: accepts each relay's messages once and in order, and acknowledges processed ones.

No sockets here; docs/wire.md describes the protocol.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kinestream.core.errors import DecodeError
from kinestream.core.evidence import Reception
from kinestream.core.signals import SampleChunk

from ..zmq.reception_log import ReceptionLog, topic_stream
from ..zmq.sender_time import SenderTime
from ..zmq.wire import EndOfStream, decode
from .durable import Mark
from .origins import Line, Origins
from .wire import MAX_IN_FLIGHT_BYTES, Kind, RelayMessage, WrongVersion, unpack

_LOG = logging.getLogger(__name__)

WINDOW = 128
"""Maximum number of unacknowledged messages of a relay, in transit or waiting in the inbox."""

MAX_PENDING_BYTES = 32 << 20
"""Maximum size of all unacknowledged messages of all relays."""

MAX_RELAYS = 64
"""Maximum number of relays that send; one that never delivered, or is silent, makes room for another."""

LIVE_S = 10.0
"""Silence after which a relay may lose its place; a connected one says HELLO every second."""

MAX_MARKS = 1000
"""Files of progress to keep: each start of a relay makes one."""


@dataclass(slots=True, eq=False)
class _Relay:
    """Progress of what a relay sends under one key."""

    key: bytes
    mark: Mark
    """The number of the last processed message; survives this process."""
    received: int
    """The number of the last accepted message."""
    heard_s: float
    route: bytes = b""
    pending: int = 0
    pending_bytes: int = 0
    has_delivered: bool = False


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
        clock: monotonic seconds.

    >>> import tempfile
    >>> from kinestream.ingest.relay.wire import pack
    >>> answers = []
    >>> inbox = RelayInbox("relay", Path(tempfile.mkdtemp()), lambda route, message: answers.append(message.kind.name))
    >>> inbox.handle(b"route", pack(RelayMessage(Kind.HELLO, bytes(16), turn=1)))
    >>> answers
    ['ACK', 'WELCOME']
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        send: Callable[[bytes, RelayMessage], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._folder, self._send, self._clock = name, folder, send, clock
        self.relays: dict[bytes, _Relay] = {}
        """What the relays send, by its key."""
        self.ready: deque[SampleChunk] = deque()
        """Accepted chunks for the consumer, in order."""
        self.unacknowledged: deque[_Taken] = deque()
        """Accepted messages that the consumer has not processed."""
        self._pending_bytes = 0
        self._counts = Counter[str]()
        self._log = ReceptionLog(name, has_topics=False)
        self._time = SenderTime()
        self._origins = Origins(self._counts, clock)

    @property
    def all_ended(self) -> bool:
        """Whether there was a stream and every stream has ended."""
        return self._origins.all_ended

    def done(self, chunks: int) -> None:
        """Acknowledge the oldest ``chunks`` unacknowledged chunks."""
        newest: dict[bytes, tuple[_Relay, int]] = {}
        while self.unacknowledged and (chunks > 0 or not self.unacknowledged[0].is_chunk):
            taken = self.unacknowledged.popleft()
            chunks -= taken.is_chunk
            taken.relay.pending -= 1
            taken.relay.pending_bytes -= taken.size_bytes
            self._pending_bytes -= taken.size_bytes
            newest[taken.relay.key] = (taken.relay, taken.number)
        for relay, number in newest.values():
            try:
                relay.mark.set(number)  # before the relay gets the acknowledgement and deletes the message
            except OSError as error:
                self._counts["not_noted"] += 1  # the relay still learns the number, unless the link breaks now
                if self._counts["not_noted"] == 1:
                    _LOG.warning("%s: cannot write a relay's progress: %s", self._source, error)
            self._send(relay.route, RelayMessage(Kind.ACK, relay.key, number))

    def counts(self) -> Counter[str]:
        """Return the counts of ``RelaySource.counts`` without ``refused_keys``."""
        total = Counter(self._counts)
        total.update(self._origins.counts())
        return +total

    def notices(self) -> list[str]:
        """Return what the user should know, one line each."""
        return self._origins.notices()

    def receptions(self) -> list[Reception]:
        """Return what each stream received, and what came that belongs to none."""
        return self._log.receptions(self._time.remarks)

    def close(self) -> None:
        """Close the progress files."""
        for relay in self.relays.values():
            relay.mark.close()

    def remove_old_marks(self) -> None:
        """Remove the progress of the relays that were silent longest, if there is much of it."""
        paths = sorted(self._folder.glob("*.mark"), key=lambda path: path.stat().st_mtime)
        for path in paths[: max(0, len(paths) - MAX_MARKS)]:
            path.unlink(missing_ok=True)

    def handle(self, route: bytes, frames: list[bytes]) -> None:
        """Handle a message from the relay at a route."""
        try:
            message = unpack(frames)
            if message.kind == Kind.HELLO:
                self._greet(route, message)
            elif message.kind == Kind.DATA:
                self._take(route, message)
            elif message.kind == Kind.COPIED:
                self._origins.note_copy(message.journal)
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
            if not self._make_room():
                self._counts["too_many_relays"] += 1
                self._refuse(route, hello.journal, f"{MAX_RELAYS} relays are connected already")
                return
            try:
                mark = Mark(self._folder / f"{hello.journal.hex()}.mark")
            except OSError as error:
                self._counts["refused_relays"] += 1
                self._refuse(route, hello.journal, f"cannot read its progress: {error.strerror}")
                return
            relay = self.relays[hello.journal] = _Relay(hello.journal, mark, mark.value, self._clock())
        relay.route, relay.heard_s = route, self._clock()
        for other, take_own in self._origins.greet(route, hello):
            self._send(other, RelayMessage(Kind.COPIED, hello.journal, extra=int(take_own)))
        # First, so that the relay can delete messages whose acknowledgement was lost with the link. HELLO's number is
        # not believed: a relay that knows more sends DATA that continues from this receiver's number.
        self._send(route, RelayMessage(Kind.ACK, relay.key, relay.mark.value))
        self._send(route, RelayMessage(Kind.WELCOME, relay.key, relay.received, WINDOW, hello.turn))

    def _make_room(self) -> bool:
        """Return whether there is room for another relay, after removing one that does not send."""
        if len(self.relays) < MAX_RELAYS:
            return True
        now_s = self._clock()
        idle = [
            relay
            for relay in self.relays.values()
            if not relay.pending and (not relay.has_delivered or now_s - relay.heard_s > LIVE_S)
        ]
        if not idle:
            return False
        oldest = min(idle, key=lambda relay: (relay.has_delivered, relay.heard_s))
        oldest.mark.close()
        del self.relays[oldest.key]
        self._origins.left(oldest.key, self.relays)
        return True

    def _take(self, route: bytes, data: RelayMessage) -> None:
        relay = self.relays.get(data.journal)
        size = sum(map(len, data.frames))
        if relay is None:
            self._counts["out_of_turn"] += 1
            self._send(route, RelayMessage(Kind.WELCOME, data.journal))
        elif data.number <= relay.received:
            self._counts["repeated"] += 1
        elif data.extra != relay.received:
            self._counts["out_of_turn"] += 1
        elif (
            relay.pending >= WINDOW
            or relay.pending_bytes >= MAX_IN_FLIGHT_BYTES
            or self._pending_bytes + size > MAX_PENDING_BYTES
        ):
            self._counts["beyond_window"] += 1
        else:
            relay.received, relay.heard_s, relay.route = data.number, self._clock(), route
            relay.has_delivered = True
            relay.pending += 1
            relay.pending_bytes += size
            self._pending_bytes += size
            chunk = self._chunk(self._origins.line(data), data)
            self.unacknowledged.append(_Taken(relay, data.number, size, chunk is not None))
            if chunk is not None:
                self.ready.append(chunk)
            elif not self.unacknowledged[0].is_chunk:
                self.done(0)

    def _chunk(self, line: Line, data: RelayMessage) -> SampleChunk | None:
        """Return the chunk of an accepted message; None if it has none."""
        try:
            message = decode(data.frames)
        except DecodeError as error:
            stream = topic_stream(data.frames)
            self._malformed(data.frames, error, line.names.get(stream, stream))
            return None
        if isinstance(message, EndOfStream):
            self._origins.end(line, message)
            return None
        name = self._origins.name(line, message.stream)
        chunk = line.tracker.take(message) if name else None
        if name:
            self._log.took(name, len(message) if chunk is not None else 0)
        if chunk is None:
            return None
        return self._time.repaired(chunk if chunk.stream == name else replace(chunk, stream=name))

    def _refuse(self, route: bytes, journal: bytes, reason: str) -> None:
        self._send(route, RelayMessage(Kind.REFUSED, journal, frames=(reason.encode(),)))
