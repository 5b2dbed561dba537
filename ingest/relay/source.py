"""Source of samples from relays, without losses or repetitions; docs/wire.md describes the protocol's guarantees."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import zmq
import zmq.asyncio

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.core.signals import SampleChunk

from ..zmq.address import ZmqAddress
from ..zmq.curve_keys import Doorkeeper, keys_for, secure_server
from ..zmq.sequence import MAX_STREAMS, SequenceTracker
from ..zmq.wire import EndOfStream, decode
from .durable import Mark, lock, state_folder
from .wire import MAX_FRAME_BYTES, MAX_IN_FLIGHT_BYTES, Kind, RelayMessage, WrongVersion, pack, unpack

_LOG = logging.getLogger(__name__)

WINDOW = 128
"""Maximum number of unacknowledged messages of a relay, in transit or waiting in the source."""

MAX_RELAYS = 64
_LINGER_MS = 2000
_TURN = 32
"""Number of messages after which other tasks get their turn."""


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


class RelaySource:
    """Source that binds ``relay://HOST:PORT`` and receives from any number of relays (``kinestream relay``).

    A chunk is delivered when the consumer calls ``done`` for it; only then does the source acknowledge it, and its
    relay deletes it. The source writes the number to disk before the acknowledgement, so after a kill the next process
    continues with the first chunk that was not done. At most ``WINDOW`` chunks of a relay are yielded and not done, so
    a slow consumer makes the relays wait.

    It ends when every stream it has seen has ended, unless the address has ``stay=1``, or on ``aclose``.

    Args:
        uri: ``state=DIR`` is the folder for the progress of each relay (default: a folder named after this address in
            the user's state). ``keys=DIR`` selects the CURVE keys (``curve_keys``), ``insecure=1`` allows plain text
            beyond this machine.
        insecure: same as ``insecure=1`` in the address.
    Raises:
        ConfigError: the address is malformed, or reaches beyond this machine without keys.

    >>> source = RelaySource("relay://127.0.0.1:5557?stay=1")
    >>> source.live, source.counts()
    (False, Counter())
    """

    live = False
    """Waiting chunks stay in the relays' journals."""

    def __init__(self, uri: str, *, insecure: bool = False) -> None:
        self.name = uri
        address = ZmqAddress.parse(uri, schemes=("relay",), options=("state", "stay"), insecure=insecure)
        self._address = address
        self._keys = keys_for(address)
        self._stays = address.choice("stay", ("0", "1")) == "1"
        given = address.values("state")
        if not given and any(port == 0 for _, port in address.places):
            raise ConfigError(f"'{uri}' uses a different free port each time; add state=DIR, or give the port")
        names = "_".join(f"{host}-{port}" for host, port in address.places).replace(":", ".").replace("*", "any")
        self._folder = Path(given[-1]).expanduser() if given else state_folder() / "received" / names
        self._relays: dict[bytes, _Relay] = {}
        self._names: dict[tuple[bytes, str], str] = {}  # the name of each relay's stream, as passed on
        self._ready: deque[SampleChunk] = deque()
        self._taken: deque[_Taken] = deque()
        self._counts = Counter[str]()
        self._news = asyncio.Event()
        self._acknowledged = asyncio.Event()
        self._context: zmq.asyncio.Context | None = None
        self._socket: zmq.asyncio.Socket | None = None
        self._direct: zmq.Socket | None = None
        self._doorkeeper: Doorkeeper | None = None
        self._lock: BinaryIO | None = None
        self._server: asyncio.Task[None] | None = None
        self._closed = False
        self.endpoint = ""
        """The bound address, with the real port; empty before ``chunks``."""

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Yield the chunks, in order within each stream; call ``done`` after processing them."""
        self._open()
        while not self._closed:
            while self._ready:
                yield self._ready.popleft()
            if self._server is not None and self._server.done() and not self._closed:
                self._server.result()  # raises the error that ended the task
            if self._ended:
                return
            self._news.clear()
            if not self._ready:
                await self._news.wait()

    def done(self, chunks: int) -> None:
        """Acknowledge the oldest ``chunks`` yielded chunks that are not acknowledged yet."""
        newest: dict[bytes, tuple[_Relay, int]] = {}
        while self._taken and (chunks > 0 or not self._taken[0].is_chunk):
            taken = self._taken.popleft()
            chunks -= taken.is_chunk
            taken.relay.pending -= 1
            taken.relay.pending_bytes -= taken.size_bytes
            newest[taken.relay.journal] = (taken.relay, taken.number)
        for relay, number in newest.values():
            try:
                relay.mark.set(number)  # before the relay gets the acknowledgement and deletes the message
            except OSError as error:
                self._counts["not_noted"] += 1  # the relay still learns the number, unless the link breaks now
                _LOG.warning("%s: cannot write a relay's progress: %s", self.name, error)
            self._send(relay.route, RelayMessage(Kind.ACK, relay.journal, number))
        self._acknowledged.set()

    def counts(self) -> Mapping[str, int]:
        """Return what went wrong, by kind; kinds with a count of 0 are left out.

        ``not_received`` samples and ``restarted`` senders as for ``ZmqSource``; ``thrown_away_by_relay`` samples;
        refused messages: ``malformed``, ``wrong_version``, ``repeated``, ``out_of_turn`` (sent before the link broke;
        the relay sends them again), ``beyond_window``, ``too_many_streams``, ``too_many_relays``, ``refused_relays``;
        ``refused_keys``; ``not_noted`` acknowledgements that could not be written to disk.
        """
        total = Counter(self._counts)
        for relay in self._relays.values():
            total.update(relay.tracker.counts)
            total["thrown_away_by_relay"] += relay.thrown_away
        total.update(self._doorkeeper.counts() if self._doorkeeper else {})
        return +total

    async def aclose(self) -> None:
        """Send the last acknowledgements and close; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self._news.set()
        if self._server is not None:
            self._server.cancel()
            await asyncio.gather(self._server, return_exceptions=True)
        if self._socket is not None:
            self._socket.close(linger=_LINGER_MS)  # time for the last acknowledgements
        if self._doorkeeper is not None:
            self._counts.update(self._doorkeeper.counts())
            self._doorkeeper.close()
            self._doorkeeper = None
        if self._context is not None:
            await asyncio.to_thread(self._context.term)
        for relay in self._relays.values():
            relay.mark.close()
        if self._lock is not None:
            self._lock.close()

    @property
    def _ended(self) -> bool:
        trackers = [relay.tracker for relay in self._relays.values() if relay.tracker.has_streams]
        return bool(trackers) and not self._stays and all(tracker.all_ended for tracker in trackers)

    def _open(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self._folder / "lock")
        except OSError as error:
            raise ConfigError(f"cannot write to {self._folder}: {error.strerror}; choose another: state=DIR") from None
        self._context = zmq.asyncio.Context()
        socket = self._socket = self._context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.RCVHWM, 2 * WINDOW)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        socket.setsockopt(zmq.IPV6, self._address.is_ipv6)
        self._doorkeeper = secure_server(socket, self._keys)
        for endpoint in self._address.endpoints:
            try:
                socket.bind(endpoint)
            except zmq.ZMQError as error:
                raise ConfigError(
                    f"cannot wait for relays at '{endpoint}': {error.strerror}; choose another address or port"
                ) from None
        self.endpoint = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._direct = zmq.Socket.shadow(socket)
        self._server = asyncio.create_task(self._serve(socket, self._direct))
        self._server.add_done_callback(lambda _: self._news.set())

    async def _serve(self, socket: zmq.asyncio.Socket, direct: zmq.Socket) -> None:
        """Answer the relays, also while the consumer is busy."""
        handled = 0
        while True:
            try:
                route, *frames = direct.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                await self._wait(socket)
                continue
            self._handle(route, frames)
            handled += 1
            if handled % _TURN == 0:
                await asyncio.sleep(0)

    async def _wait(self, socket: zmq.asyncio.Socket) -> None:
        """Wait until the socket has a message; ``done`` also ends the wait."""
        # Sending in ``done`` makes ZeroMQ check for incoming messages, and consumes the signal that there are some.
        self._acknowledged.clear()
        waiting = [asyncio.ensure_future(socket.poll()), asyncio.ensure_future(self._acknowledged.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _handle(self, route: bytes, frames: list[bytes]) -> None:
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
            self._malformed(error)

    def _malformed(self, error: DecodeError) -> None:
        self._counts["malformed"] += 1
        if self._counts["malformed"] == 1:
            _LOG.warning("%s: skipping this and all further malformed messages: %s", self.name, error)

    def _greet(self, route: bytes, hello: RelayMessage) -> None:
        relay = self._relays.get(hello.journal)
        if relay is None:
            if len(self._relays) >= MAX_RELAYS:
                self._counts["too_many_relays"] += 1
                self._refuse(route, hello.journal, f"{MAX_RELAYS} relays are connected already")
                return
            try:
                mark = Mark(self._folder / f"{hello.journal.hex()}.mark")
            except OSError as error:
                self._counts["refused_relays"] += 1
                self._refuse(route, hello.journal, f"cannot write its progress: {error.strerror}")
                return
            relay = self._relays[hello.journal] = _Relay(hello.journal, mark, mark.value)
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
        relay = self._relays.get(data.journal)
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
            self._taken.append(_Taken(relay, data.number, size, chunk is not None))
            if chunk is not None:
                self._ready.append(chunk)
            elif not self._taken[0].is_chunk:
                self.done(0)
            self._news.set()

    def _chunk(self, relay: _Relay, data: RelayMessage) -> SampleChunk | None:
        """Return the chunk of an accepted message; None if it has none."""
        try:
            message = decode(data.frames)
        except DecodeError as error:
            self._malformed(error)
            return None
        if isinstance(message, EndOfStream):
            relay.tracker.end(message)
            return None
        name = self._name(relay, message.stream)
        chunk = relay.tracker.take(message) if name else None
        return chunk if chunk is None or chunk.stream == name else replace(chunk, stream=name)

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

    def _send(self, route: bytes, message: RelayMessage) -> None:
        if self._direct is None or self._direct.closed:
            return
        try:
            self._direct.send_multipart([route, *pack(message)], zmq.NOBLOCK)
        except zmq.ZMQError as error:  # the relay's queue is full or the relay has gone: it will send HELLO again
            _LOG.debug("%s: cannot send an answer: %s", self.name, error)
