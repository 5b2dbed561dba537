"""Samples from ZeroMQ senders, in this program or any other that speaks docs/wire.md."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping

import zmq
import zmq.asyncio

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.core.signals import SampleChunk

from .address import ZmqAddress
from .curve_keys import Doorkeeper, keys_for, secure_client, secure_server
from .sequence import MAX_STREAMS, SequenceTracker
from .wire import MAX_FRAME_BYTES, TOPIC, EndOfStream, decode

_LOG = logging.getLogger(__name__)

_NOBLOCK, _RCVMORE = int(zmq.NOBLOCK), int(zmq.RCVMORE)
"""As plain numbers: ``recv_multipart`` looks up an enumeration for every frame, a tenth of its time."""

_TURN = 64
"""Messages taken without a pause before other tasks get their turn."""


class ZmqSource:
    """Listens to ``zmq+tcp://HOST:PORT[,HOST:PORT...]`` and waits as long as it takes for a sender.

    It ends when every stream has said that it ended, or on ``aclose``. A chunk's ``received_s``
    is the sender's, on the clock of ``t``: the two ends may have clocks that started at different times, so
    the way between them cannot be told and is not part of a prediction's age.

    Args:
        uri: several places are listened to at once. ``stream=NAME`` takes one stream only and may be repeated.
            ``mode=pull`` pulls from senders that push, each message going to one puller, instead of subscribing.
            ``bind=1`` binds, and the senders connect. ``expect=N`` says how many streams there will be, so that it
            does not end with the first (default: as many as streams are named, else as places are connected to).
            ``keys=DIR`` and ``server=NAME`` say which CURVE keys (``curve.py``), ``insecure=1`` that there shall be
            none beyond this machine.
        hwm: messages kept for a reader that falls behind; a publisher drops what comes on top, and it is counted.
        insecure: as if the address said ``insecure=1``.
    Raises:
        ConfigError: the address is malformed, or leads beyond this machine and there are no keys.
    """

    live = False
    """A late pipeline may let messages wait: the socket's own queue is bounded, and what it drops is counted."""

    def __init__(self, uri: str, *, hwm: int = 1000, insecure: bool = False) -> None:
        self.name = uri
        self._address = ZmqAddress.parse(uri, options=("stream", "mode", "bind", "expect"), insecure=insecure)
        self._pulls = self._address.choice("mode", ("subscribe", "pull")) == "pull"
        self._binds = self._address.choice("bind", ("0", "1")) == "1"
        self._streams = frozenset(self._address.values("stream"))
        self._keys = keys_for(self._address)
        self._hwm = hwm
        places = 1 if self._binds else len(self._address.places)
        self._tracker = SequenceTracker(self._address.number("expect", 1, MAX_STREAMS, len(self._streams) or places))
        self._counts = Counter[str]()
        self._context: zmq.asyncio.Context | None = None
        self._socket: zmq.asyncio.Socket | None = None
        self._doorkeeper: Doorkeeper | None = None
        self._closed = False

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Chunk after chunk, in the order sent; lost and malformed messages are counted and passed over."""
        socket = self._open()
        direct = zmq.Socket.shadow(socket)  # takes what is there at once; a future per message costs 3x the time
        taken = 0
        try:
            while not self._closed:
                try:
                    frames = [direct.recv(_NOBLOCK)]
                    while direct.get(_RCVMORE):
                        frames.append(direct.recv(_NOBLOCK))
                except zmq.Again:
                    await self._wait(socket)
                    continue
                taken += 1
                if taken % _TURN == 0:
                    await asyncio.sleep(0)
                chunk = self._take(frames)
                if chunk is not None:
                    yield chunk
                elif self._tracker.all_ended:
                    return
        finally:
            await self.aclose()

    def counts(self) -> Mapping[str, int]:
        """``not_received`` samples; ``restarted`` senders; ``malformed``, ``repeated`` and ``too_many_streams``
        messages; ``refused_keys``; only what happened.

        Not called ``lost``, which is what windowing counts when it sees the same jump in the numbers: the two
        would be added. This one also knows of samples missing at the head and the tail of a session.
        """
        refused = self._doorkeeper.counts() if self._doorkeeper else {}
        return {**+self._tracker.counts, **self._counts, **refused}

    async def aclose(self) -> None:
        self._closed = True
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None
        if self._doorkeeper is not None:
            self._counts.update(self._doorkeeper.counts())
            self._doorkeeper.close()
            self._doorkeeper = None
        if self._context is not None:
            self._context.term()
            self._context = None

    @property
    def endpoint(self) -> str:
        """Where it is bound, with the real port; empty before ``chunks`` or if it connects."""
        bound = self._socket.getsockopt(zmq.LAST_ENDPOINT) if self._binds and self._socket else b""
        return bound.decode() if isinstance(bound, bytes) else ""

    def _open(self) -> zmq.asyncio.Socket:
        self._context = zmq.asyncio.Context()
        socket = self._socket = self._context.socket(zmq.PULL if self._pulls else zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, self._hwm)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        socket.setsockopt(zmq.IPV6, self._address.is_ipv6)
        if not self._pulls:
            for stream in self._streams or {""}:
                socket.setsockopt(zmq.SUBSCRIBE, TOPIC + stream.encode())
        if self._binds:
            self._doorkeeper = secure_server(socket, self._keys)
        for place, endpoint in enumerate(self._address.endpoints):
            if not self._binds:
                secure_client(socket, self._keys, self._address.server(place))
            try:
                (socket.bind if self._binds else socket.connect)(endpoint)
            except zmq.ZMQError as error:
                doing = "listen at" if self._binds else "connect to"
                raise ConfigError(f"cannot {doing} '{endpoint}': {error.strerror}; choose another address") from None
        return socket

    async def _wait(self, socket: zmq.asyncio.Socket) -> None:
        try:
            await socket.poll()
        except asyncio.CancelledError:
            # Closing the socket cancels the wait; only a cancelled task may pass that on.
            task = asyncio.current_task()
            if not self._closed or (task is not None and task.cancelling()):
                raise

    def _take(self, frames: list[bytes]) -> SampleChunk | None:
        try:
            message = decode(frames)
        except DecodeError as error:
            self._counts["malformed"] += 1
            if self._counts["malformed"] == 1:
                _LOG.warning("%s: a malformed message is skipped, as are those to come: %s", self.name, error)
            return None
        if self._streams and message.stream not in self._streams:
            return None  # a subscription matches every topic that begins like it
        if isinstance(message, EndOfStream):
            self._tracker.end(message)
            return None
        return self._tracker.take(message)
