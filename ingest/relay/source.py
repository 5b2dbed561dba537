"""Source of samples from relays, without losses or repetitions; docs/wire.md describes the protocol's guarantees."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import zmq
import zmq.asyncio

from kinestream.core.errors import ConfigError
from kinestream.core.evidence import Reception
from kinestream.core.signals import SampleChunk

from ..zmq.address import ZmqAddress
from ..zmq.curve_keys import Doorkeeper, keys_for, secure_server
from .durable import lock, state_folder
from .inbox import WINDOW, RelayInbox
from .wire import MAX_FRAME_BYTES, RelayMessage, pack

_LOG = logging.getLogger(__name__)

_LINGER_MS = 2000
_TURN = 32
"""Number of messages after which other tasks get their turn."""


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
    gathers = True

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
        self._inbox = RelayInbox(uri, self._folder, self._send)
        self._refused = Counter[str]()  # by a closed doorkeeper
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
            while self._inbox.ready:
                yield self._inbox.ready.popleft()
            if self._server is not None and self._server.done() and not self._closed:
                self._server.result()  # raises the error that ended the task
            if self._inbox.all_ended and not self._stays:
                return
            self._news.clear()
            if not self._inbox.ready:
                await self._news.wait()

    def done(self, chunks: int) -> None:
        """Acknowledge the oldest ``chunks`` yielded chunks that are not acknowledged yet."""
        self._inbox.done(chunks)
        self._acknowledged.set()

    def counts(self) -> Mapping[str, int]:
        """Return what went wrong, by kind; kinds with a count of 0 are left out.

        ``not_received`` samples and ``restarted`` senders as for ``ZmqSource``; ``thrown_away_by_relay`` samples;
        refused messages: ``malformed``, ``wrong_version``, ``repeated``, ``out_of_turn`` (sent before the link broke;
        the relay sends them again), ``beyond_window``, ``too_many_streams``, ``too_many_relays``, ``refused_relays``;
        ``copied_journals``; ``refused_keys``; ``not_noted`` acknowledgements that could not be written to disk.
        """
        total = self._inbox.counts() + self._refused
        total.update(self._doorkeeper.counts() if self._doorkeeper else {})
        return +total

    def notices(self) -> Sequence[str]:
        """Return what the user should know, one line each."""
        return self._inbox.notices()

    def receptions(self) -> Sequence[Reception]:
        """Return what each stream received, and what came that is not of a relay."""
        return self._inbox.receptions()

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
            self._refused.update(self._doorkeeper.counts())
            self._doorkeeper.close()
            self._doorkeeper = None
        if self._context is not None:
            await asyncio.to_thread(self._context.term)
        self._inbox.close()
        if self._lock is not None:
            self._lock.close()

    def _open(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock(self._folder / "lock")
        except OSError as error:
            raise ConfigError(f"cannot write to {self._folder}: {error.strerror}; choose another: state=DIR") from None
        self._inbox.remove_old_marks()
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
            self._inbox.handle(route, frames)
            self._news.set()
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

    def _send(self, route: bytes, message: RelayMessage) -> None:
        if self._direct is None or self._direct.closed:
            return
        try:
            self._direct.send_multipart([route, *pack(message)], zmq.NOBLOCK)
        except zmq.ZMQError as error:  # the relay's queue is full or the relay has gone: it will send HELLO again
            _LOG.debug("%s: cannot send an answer: %s", self.name, error)
