"""Any source, offered to any number of ZeroMQ subscribers in the format of docs/wire.md."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Self

import zmq

from kinestream.errors import ConfigError
from kinestream.signals import SampleChunk
from kinestream.source import Source

from .wire import MAX_SAMPLES, EndOfStream, encode, encode_end
from .zmq_address import ZmqAddress

_PAUSE_S = 0.002
"""How long to wait before a full queue is tried again, or a subscriber looked for."""

_REPEAT_S = 0.02
"""How often the end is said again."""

_TURN = 64
"""Messages sent without a pause before other tasks, and Ctrl-C, get their turn."""


class ZmqPublisher:
    """A bound socket that sends chunks; ``async with`` tells the subscribers of the end.

    Args:
        to: ``tcp://HOST:PORT``, port 0 for any free one; beyond this machine only with ``?insecure=1``.
        wait_for_slow: what to do when a subscriber has ``hwm`` messages waiting. True: wait for it, so that
            nothing is lost, and every subscriber goes at the pace of the slowest. False: that subscriber
            loses messages, and counts them by their sequence numbers.
        hwm: messages kept for each subscriber.
        farewell_s: how long to wait at most until slow subscribers have heard of the end.
    Raises:
        ConfigError: the address is malformed, taken, or leads beyond this machine without ``insecure=1``.
    """

    def __init__(self, to: str, *, wait_for_slow: bool = False, hwm: int = 1000, farewell_s: float = 5.0) -> None:
        address = ZmqAddress.parse(to)
        self._farewell_s = farewell_s
        self._ends: dict[str, EndOfStream] = {}
        self._topics: set[bytes] = set()
        self._counts: Counter[str] = Counter()
        self._context = zmq.Context()
        # XPUB is PUB that also hears of subscriptions.
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.SNDHWM, hwm)
        self._socket.setsockopt(zmq.IPV6, ":" in address.host)
        self._socket.setsockopt(zmq.XPUB_NODROP, wait_for_slow)
        try:
            self._socket.bind(address.endpoint)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ConfigError(f"cannot publish at '{to}': {error.strerror}; choose another address or port") from None
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        """Where it is bound, with the real port."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def subscribed(self) -> None:
        """Return once somebody has subscribed: what is sent from then on reaches them from the first sample."""
        while not self._listeners():
            await asyncio.sleep(_PAUSE_S)

    async def send(self, chunk: SampleChunk) -> None:
        """Send one chunk to whoever has subscribed, in several messages if it is very long.

        Raises:
            ConfigError: the format cannot carry the chunk.
        """
        for part in _parts(chunk):
            frames = encode(part)
            while not self._try(frames):
                await asyncio.sleep(_PAUSE_S)
            self._counts["messages"] += 1
            self._counts["bytes"] += sum(map(len, frames))
            if self._counts["messages"] % _TURN == 0:
                self._listeners()
                await asyncio.sleep(0)
        self._counts["samples"] += len(chunk)
        self._ends[chunk.stream] = EndOfStream(chunk.stream, chunk.session, chunk.seq + len(chunk))
        self._counts["streams"] = len(self._ends)

    def counts(self) -> Mapping[str, int]:
        """``messages``, ``samples``, ``bytes`` and ``streams`` so far, whether anybody listened or not."""
        return dict(self._counts)

    async def aclose(self) -> None:
        """Tell every subscriber that the streams have ended, and close; may be called twice.

        A full queue drops the end as it drops any message, so it is said again until everybody has gone,
        as a ``ZmqSource`` does when it hears it, or ``farewell_s`` is over.
        """
        if self._socket.closed:
            return
        deadline_s = time.monotonic() + self._farewell_s
        try:
            while self._ends and self._listeners() and time.monotonic() < deadline_s:
                for end in self._ends.values():
                    self._try(encode_end(end))
                await asyncio.sleep(_REPEAT_S)
        finally:
            left_s = max(deadline_s - time.monotonic(), 0.0)
            self._socket.close(linger=int(left_s * 1000))
            await asyncio.to_thread(self._context.term)  # returns when all is sent, or the linger is over

    def _listeners(self) -> int:
        """How many topics are subscribed to now, by all that subscribers said so far."""
        while True:
            try:
                message = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return len(self._topics)
            # XPUB reports the first subscription to a topic as 1, the end of the last one as 0.
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


async def publish(source: Source, to: str, *, wait: bool = False, hwm: int = 1000) -> Mapping[str, int]:
    """Send all that a source gives, at the source's own pace, until it ends.

    A recording waits for slow subscribers; a live source cannot, so they lose what they cannot take.

    Args:
        to: where to bind, e.g. ``tcp://127.0.0.1:5556``.
        wait: do not begin before the first subscriber is there; a fast replay then loses nothing at its head.
        hwm: messages kept for each subscriber.
    Returns:
        ``messages``, ``samples``, ``bytes`` and ``streams``, and the source's own counts under their names.
    Raises:
        ConfigError: the address is malformed, taken, or leads beyond this machine without ``insecure=1``.
    """
    async with ZmqPublisher(to, wait_for_slow=not source.live, hwm=hwm) as publisher:
        try:
            if wait:
                await publisher.subscribed()
            async for chunk in source.chunks():
                await publisher.send(chunk)
        finally:
            await source.aclose()
    return {**source.counts(), **publisher.counts()}


def _parts(chunk: SampleChunk) -> Iterator[SampleChunk]:
    if len(chunk) <= MAX_SAMPLES:
        yield chunk
        return
    for start in range(0, len(chunk), MAX_SAMPLES):
        cut = slice(start, start + MAX_SAMPLES)
        labels = None if chunk.labels is None else chunk.labels[cut]
        yield replace(chunk, t=chunk.t[cut], x=chunk.x[cut], seq=chunk.seq + start, labels=labels)
