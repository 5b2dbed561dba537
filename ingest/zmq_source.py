"""Samples from a ZeroMQ publisher, in this program or any other that speaks docs/wire.md."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping

import zmq
import zmq.asyncio

from kinestream.errors import DecodeError
from kinestream.signals import SampleChunk

from .sequence import SequenceTracker
from .wire import MAX_FRAME_BYTES, TOPIC, EndOfStream, decode
from .zmq_address import ZmqAddress

_LOG = logging.getLogger(__name__)

_TURN = 64
"""Messages taken without a pause before other tasks get their turn."""


class ZmqSource:
    """Subscribes to ``zmq+tcp://HOST:PORT[?stream=NAME]`` and waits as long as it takes for a publisher.

    It ends when every stream it heard of has said that it ended, or on ``aclose``. A chunk's ``received_s``
    is the sender's, on the clock of ``t``: the two ends may have clocks that started at different times, so
    the way between them cannot be told and is not part of a prediction's age.

    Args:
        uri: ``stream=NAME`` takes one stream only and may be repeated; ``insecure=1`` allows an address beyond
            this machine, whose traffic anyone on the way can read and forge.
        hwm: messages kept for a reader that falls behind; what comes on top is lost, and counted.
    Raises:
        ConfigError: the address is malformed or leads beyond this machine without ``insecure=1``.
    """

    live = False
    """A late pipeline may let messages wait: the socket's own queue is bounded, and what it drops is counted."""

    def __init__(self, uri: str, *, hwm: int = 1000) -> None:
        self.name = uri
        self._address = ZmqAddress.parse(uri)
        self._hwm = hwm
        self._tracker = SequenceTracker()
        self._malformed = 0
        self._context: zmq.asyncio.Context | None = None
        self._socket: zmq.asyncio.Socket | None = None
        self._closed = False

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Chunk after chunk, in the order sent; lost and malformed messages are counted and passed over."""
        socket = self._connect()
        direct = zmq.Socket.shadow(socket)  # takes what is there at once; a future per message costs 3x the time
        taken = 0
        try:
            while not self._closed:
                try:
                    frames = direct.recv_multipart(zmq.NOBLOCK)
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
        """``not_received`` samples, ``restarted`` senders and ``malformed`` messages; only what happened.

        Not called ``lost``, which is what windowing counts when it sees the same jump in the numbers: the two
        would be added. This one also knows of samples missing at the head and the tail of a session.
        """
        counts = {**self._tracker.counts, "malformed": self._malformed}
        return {kind: number for kind, number in counts.items() if number}

    async def aclose(self) -> None:
        self._closed = True
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None
        if self._context is not None:
            self._context.term()
            self._context = None

    def _connect(self) -> zmq.asyncio.Socket:
        self._context = zmq.asyncio.Context()
        socket = self._socket = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, self._hwm)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        socket.setsockopt(zmq.IPV6, ":" in self._address.host)
        for stream in self._address.streams or {""}:
            socket.setsockopt(zmq.SUBSCRIBE, TOPIC + stream.encode())
        socket.connect(self._address.endpoint)
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
            self._malformed += 1
            if self._malformed == 1:
                _LOG.warning("%s: a malformed message is skipped, as are those to come: %s", self.name, error)
            return None
        if self._address.streams and message.stream not in self._address.streams:
            return None  # a subscription matches every topic that begins like it
        if isinstance(message, EndOfStream):
            self._tracker.end(message)
            return None
        return self._tracker.take(message)
