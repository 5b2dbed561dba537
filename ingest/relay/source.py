"""Samples from relays, none lost and none repeated; docs/wire.md describes the protocol and what it promises."""

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
"""Messages of one relay that may be on their way or waiting here."""

MAX_RELAYS = 64
_LINGER_MS = 2000
_TURN = 32


@dataclass(slots=True, eq=False)
class _Relay:
    """What is known of one relay's journal."""

    journal: bytes
    mark: Mark
    """The number of the last message that was worked off; survives this process."""
    received: int
    route: bytes = b""
    pending: int = 0
    pending_bytes: int = 0
    thrown_away: int = 0
    tracker: SequenceTracker = field(default_factory=SequenceTracker)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A message that was accepted and is not acknowledged yet."""

    relay: _Relay
    number: int
    size_bytes: int
    is_chunk: bool


class RelaySource:
    """Binds ``relay://HOST:PORT`` and takes what relays (``kinestream relay``) bring, any number of them.

    A chunk counts as delivered when the consumer calls ``done`` for it; only then it is acknowledged, and its relay
    forgets it. The number is noted on disk before that, so a receiver that was killed goes on, in its next process,
    with the first chunk that was not done. Not more than ``WINDOW`` chunks of a relay are handed over and not done, so
    a slow consumer makes the relays wait.

    It ends when every stream it heard of has ended, unless the address says ``stay=1``, or on ``aclose``.

    Args:
        uri: ``state=DIR`` is where it notes how far each relay has come (default: a folder of this address among the
            user's state). ``keys=DIR`` says which CURVE keys (``curve.py``), ``insecure=1`` that there shall be none
            beyond this machine.
        insecure: as if the address said ``insecure=1``.
    Raises:
        ConfigError: the address is malformed, or leads beyond this machine and there are no keys.
    """

    live = False
    """What waits is kept by the relays."""

    def __init__(self, uri: str, *, insecure: bool = False) -> None:
        self.name = uri
        address = ZmqAddress.parse(uri, schemes=("relay",), options=("state", "stay"), insecure=insecure)
        self._address = address
        self._keys = keys_for(address)
        self._stays = address.choice("stay", ("0", "1")) == "1"
        given = address.values("state")
        if not given and any(port == 0 for _, port in address.places):
            raise ConfigError(f"'{uri}' takes any free port, another one each time; say state=DIR, or name the port")
        names = "_".join(f"{host}-{port}" for host, port in address.places).replace(":", ".").replace("*", "any")
        self._folder = Path(given[-1]).expanduser() if given else state_folder() / "received" / names
        self._relays: dict[bytes, _Relay] = {}
        self._names: dict[tuple[bytes, str], str] = {}  # of each relay's stream, as it is passed on
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
        """Where it is bound, with the real port; empty before ``chunks``."""

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Chunk after chunk, in order within each stream; to be followed by ``done``."""
        self._open()
        while not self._closed:
            while self._ready:
                yield self._ready.popleft()
            if self._server is not None and self._server.done() and not self._closed:
                self._server.result()  # raises what ended it
            if self._ended:
                return
            self._news.clear()
            if not self._ready:
                await self._news.wait()

    def done(self, chunks: int) -> None:
        """The consumer has worked off the oldest ``chunks`` of those it was given and had not done yet."""
        touched: dict[bytes, tuple[_Relay, int]] = {}
        while self._taken and (chunks > 0 or not self._taken[0].is_chunk):
            taken = self._taken.popleft()
            chunks -= taken.is_chunk
            taken.relay.pending -= 1
            taken.relay.pending_bytes -= taken.size_bytes
            touched[taken.relay.journal] = (taken.relay, taken.number)
        for relay, number in touched.values():
            try:
                relay.mark.set(number)  # before the relay hears of it, and forgets
            except OSError as error:
                self._counts["not_noted"] += 1  # the relay knows it, too, unless the link breaks now
                _LOG.warning("%s: cannot note how far a relay is: %s", self.name, error)
            self._say(relay.route, RelayMessage(Kind.ACK, relay.journal, number))
        self._acknowledged.set()

    def counts(self) -> Mapping[str, int]:
        """What happened, by kind; only what did.

        ``not_received`` samples and ``restarted`` senders as for ``ZmqSource``; ``thrown_away_by_relay`` samples;
        messages that were refused: ``malformed``, ``wrong_version``, ``repeated``, ``out_of_turn`` (sent before the
        link broke; they come again), ``beyond_window``, ``too_many_streams``, ``too_many_relays``, ``refused_relays``;
        ``refused_keys``; ``not_noted`` acknowledgements that could not be written down.
        """
        total = Counter(self._counts)
        for relay in self._relays.values():
            total.update(relay.tracker.counts)
            total["thrown_away_by_relay"] += relay.thrown_away
        total.update(self._doorkeeper.counts() if self._doorkeeper else {})
        return +total

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._news.set()
        if self._server is not None:
            self._server.cancel()
            await asyncio.gather(self._server, return_exceptions=True)
        if self._socket is not None:
            self._socket.close(linger=_LINGER_MS)  # the last acknowledgements are still to go out
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
        heard = [relay.tracker for relay in self._relays.values() if relay.tracker.has_streams]
        return bool(heard) and not self._stays and all(tracker.all_ended for tracker in heard)

    def _open(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self._folder / "lock")
        except OSError as error:
            raise ConfigError(f"cannot write in {self._folder}: {error.strerror}; name another by state=DIR") from None
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
        """Answer the relays, whether the consumer is busy or not."""
        taken = 0
        while True:
            try:
                route, *frames = direct.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                await self._wait(socket)
                continue
            self._hear(route, frames)
            taken += 1
            if taken % _TURN == 0:
                await asyncio.sleep(0)

    async def _wait(self, socket: zmq.asyncio.Socket) -> None:
        """Until the socket has something; ``done`` also ends it."""
        # What ``done`` sends makes ZeroMQ look for news, and swallow the signal that there are some.
        self._acknowledged.clear()
        waiting = [asyncio.ensure_future(socket.poll()), asyncio.ensure_future(self._acknowledged.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _hear(self, route: bytes, frames: list[bytes]) -> None:
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
            _LOG.warning("%s: a malformed message is skipped, as are those to come: %s", self.name, error)

    def _greet(self, route: bytes, hello: RelayMessage) -> None:
        relay = self._relays.get(hello.journal)
        if relay is None:
            if len(self._relays) >= MAX_RELAYS:
                self._counts["too_many_relays"] += 1
                self._refuse(route, hello.journal, f"{MAX_RELAYS} relays are here already")
                return
            try:
                mark = Mark(self._folder / f"{hello.journal.hex()}.mark")
            except OSError as error:
                self._counts["refused_relays"] += 1
                self._refuse(route, hello.journal, f"cannot note how far it is: {error.strerror}")
                return
            relay = self._relays[hello.journal] = _Relay(hello.journal, mark, mark.value)
        # The relay may have heard from another receiver, or from us before our disk lost it.
        relay.received = max(relay.received, hello.number)
        relay.route = route
        if hello.extra < relay.thrown_away:  # counted since its start, so it has begun anew
            self._counts["thrown_away_by_relay"] += relay.thrown_away
        relay.thrown_away = hello.extra
        # First, so that the relay knows what it may forget; one before this may have been lost with the link.
        self._say(route, RelayMessage(Kind.ACK, relay.journal, max(relay.mark.value, hello.number)))
        self._say(route, RelayMessage(Kind.WELCOME, relay.journal, relay.received, WINDOW, hello.turn))

    def _take(self, route: bytes, data: RelayMessage) -> None:
        relay = self._relays.get(data.journal)
        if relay is None or relay.route != route:
            self._counts["out_of_turn"] += 1
            self._say(route, RelayMessage(Kind.WELCOME, data.journal))
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
        """What is to be handed over of a message that was accepted."""
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
        """The stream's own name, with the relay's where another relay's stream has the same; empty: one too many."""
        name = self._names.get((relay.journal, stream))
        if name is None:
            if len(self._names) >= MAX_STREAMS:
                self._counts["too_many_streams"] += 1
                return ""
            name = f"{stream}@{relay.journal.hex()[:8]}" if stream in self._names.values() else stream
            self._names[relay.journal, stream] = name
        return name

    def _refuse(self, route: bytes, journal: bytes, reason: str) -> None:
        self._say(route, RelayMessage(Kind.REFUSED, journal, frames=(reason.encode(),)))

    def _say(self, route: bytes, message: RelayMessage) -> None:
        if self._direct is None or self._direct.closed:
            return
        try:
            self._direct.send_multipart([route, *pack(message)], zmq.NOBLOCK)
        except zmq.ZMQError as error:  # that relay's queue is full or it has gone: it will say HELLO again
            _LOG.debug("%s: an answer was not sent: %s", self.name, error)
