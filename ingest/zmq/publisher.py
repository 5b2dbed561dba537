"""Publisher of samples: any source for any number of ZeroMQ subscribers, or pushed to one, as in docs/wire.md."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import Self

import zmq

from kinestream.core.errors import ConfigError
from kinestream.core.recent import Recent
from kinestream.core.signals import SampleChunk
from kinestream.core.source import Source

from .out_socket import OutSocket
from .wire import EndOfStream, encode, encode_end, parts, samples_per_message

_PAUSE_S = 0.002
"""Pause before the next attempt at a full queue, or the next check for subscribers."""

_REPEAT_S = 0.02
"""Interval at which the end of stream is sent again."""

MAX_ENDS = 4096
"""Streams whose end is announced when the publisher closes: the newest."""

_LOG = logging.getLogger(__name__)

_TURN = 64
"""Number of messages after which other tasks, and Ctrl-C, get their turn."""


class ZmqPublisher:
    """Socket that sends chunks to subscribers; ``async with`` sends the end of every stream and closes.

    Args:
        to: ``tcp://HOST:PORT``, port 0 for any free port. ``connect=1`` connects to a subscriber that binds and can
            hear many publishers. ``mode=push`` pushes to one puller. ``keys=DIR`` and ``server=NAME`` select the CURVE
            keys (``curve_keys``), ``insecure=1`` allows plain text beyond this machine.
        wait_for_slow: what happens when a subscriber has ``hwm`` messages queued, or no puller is connected. True: the
            publisher waits, so that no message is lost and the slowest subscriber sets the pace. False: that
            subscriber loses messages, and counts them by their sequence numbers.
        hwm: maximum number of messages queued for each subscriber.
        farewell_s: maximum time to wait for slow subscribers to receive the end of stream.
        insecure: same as ``insecure=1`` in the address.
    Raises:
        ConfigError: the address is malformed or in use, or reaches beyond this machine without keys.

    >>> import asyncio
    >>> async def open_and_close():
    ...     async with ZmqPublisher("tcp://127.0.0.1:0") as publisher:
    ...         return publisher.address.rpartition(":")[0], publisher.counts()
    >>> asyncio.run(open_and_close())
    ('tcp://127.0.0.1', {})
    """

    def __init__(
        self,
        to: str,
        *,
        wait_for_slow: bool = False,
        hwm: int = 1000,
        farewell_s: float = 5.0,
        insecure: bool = False,
    ) -> None:
        self._farewell_s = farewell_s
        self._ends = Recent[str, EndOfStream](MAX_ENDS)
        self._topics: set[bytes] = set()
        self._counts: Counter[str] = Counter()
        self._waits = wait_for_slow
        modes = {
            # XPUB is PUB that also receives subscriptions.
            "publish": (zmq.XPUB, {zmq.SNDHWM: hwm, zmq.XPUB_NODROP: wait_for_slow}),
            # Nothing is queued for an absent puller: it may never connect.
            "push": (zmq.PUSH, {zmq.SNDHWM: hwm, zmq.IMMEDIATE: 1}),
        }
        self._out = OutSocket(to, modes, insecure=insecure)
        self._pushes = self._out.mode == "push"
        self._socket = self._out.socket
        self.address = self._out.address
        """The bound address, with the real port."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def subscribed(self) -> None:
        """Wait for the first subscriber or puller, which then receives everything from the first sample."""
        while not self._listeners():
            await asyncio.sleep(_PAUSE_S)

    async def send(self, chunk: SampleChunk) -> None:
        """Send a chunk to all subscribers, in several messages if it is very long.

        A chunk that the format cannot hold is counted as ``refused`` and reported once; the others are sent.
        """
        for part in parts(chunk, samples_per_message(len(chunk.channels))):
            try:
                frames = encode(part)
            except ConfigError as error:
                if not self._counts["refused"]:
                    _LOG.warning("stream %s: %s; the other streams go on", ascii(chunk.stream), error)
                self._counts["refused"] += len(part)
                continue
            while not (sent := self._try(frames)) and self._waits:
                await asyncio.sleep(_PAUSE_S)
            if not sent:  # the puller is late or gone
                self._counts["not_sent"] += len(part)
                continue
            self._counts["messages"] += 1
            self._counts["samples"] += len(part)
            self._counts["bytes"] += sum(map(len, frames))
            if self._counts["messages"] % _TURN == 0:
                self._listeners()
                await asyncio.sleep(0)
            self._ends[chunk.stream] = EndOfStream(chunk.stream, chunk.session, chunk.seq + len(chunk))
            self._counts["streams"] = len(self._ends)

    def counts(self) -> Mapping[str, int]:
        """Return ``messages``, ``samples``, ``bytes`` and ``streams`` so far, also without subscribers.

        If there were any, also samples ``not_sent`` because the puller was late or gone, samples ``refused`` because
        the format cannot hold them, and ``refused_keys``.
        """
        return {**self._counts, **self._out.counts()}

    async def aclose(self) -> None:
        """Send the end of every stream, and close; may be called twice.

        A full queue drops the end like any message, so the publisher repeats it until all subscribers have
        disconnected, as a ``ZmqSource`` does at the end, or ``farewell_s`` is over. A puller gets it once, as soon as
        its queue has room: that queue drops nothing.
        """
        if self._socket.closed:
            return
        deadline_s = time.monotonic() + self._farewell_s
        try:
            while self._ends and (self._pushes or self._listeners()) and time.monotonic() < deadline_s:
                for stream, end in list(self._ends.items()):
                    if self._try(encode_end(end)) and self._pushes:
                        del self._ends[stream]
                if self._ends:
                    await asyncio.sleep(_REPEAT_S)
        finally:
            left_s = max(deadline_s - time.monotonic(), 0.0)
            await self._out.aclose(left_s)

    def _listeners(self) -> int:
        """Return the number of topics with subscribers; in push mode, whether a puller has room."""
        if self._pushes:
            return bool(self._socket.poll(0, zmq.POLLOUT))
        while True:
            try:
                message = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return len(self._topics)
            # XPUB reports the first subscription to a topic as 1, and the end of the last as 0.
            if message[:1] == b"\x01":
                self._topics.add(message[1:])
            elif message[:1] == b"\x00":
                self._topics.discard(message[1:])

    def _try(self, frames: list[bytes]) -> bool:
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True


async def publish(
    source: Source, to: str, *, wait: bool = False, hwm: int = 1000, insecure: bool = False
) -> Mapping[str, int]:
    """Send all samples of a source, at the pace of the source, until it ends.

    A recording waits for slow subscribers. A live source cannot wait, so slow subscribers lose samples.

    Args:
        to: where to bind, e.g. ``tcp://127.0.0.1:5556``; see ``ZmqPublisher``.
        wait: wait for the first subscriber, so that a fast replay loses nothing at its head.
        hwm: maximum number of messages queued for each subscriber.
        insecure: same as ``insecure=1`` in the address.
    Returns:
        ``messages``, ``samples``, ``bytes`` and ``streams``, and the counts of the source under their names.
    Raises:
        ConfigError: the address is malformed or in use, or reaches beyond this machine without keys.
    """
    async with ZmqPublisher(to, wait_for_slow=not source.live, hwm=hwm, insecure=insecure) as publisher:
        try:
            if wait:
                await publisher.subscribed()
            async for chunk in source.chunks():
                await publisher.send(chunk)
        finally:
            await source.aclose()
    return {**source.counts(), **publisher.counts()}
