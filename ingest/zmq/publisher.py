"""Any source, offered to any number of ZeroMQ subscribers, or pushed to one, in the format of docs/wire.md."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Self

import zmq

from kinestream.core.signals import SampleChunk
from kinestream.core.source import Source

from .out_socket import OutSocket
from .wire import EndOfStream, encode, encode_end, parts

_PAUSE_S = 0.002
"""How long to wait before a full queue is tried again, or a subscriber looked for."""

_REPEAT_S = 0.02
"""How often the end is said again."""

_TURN = 64
"""Messages sent without a pause before other tasks, and Ctrl-C, get their turn."""


class ZmqPublisher:
    """A bound socket that sends chunks; ``async with`` tells the subscribers of the end.

    Args:
        to: ``tcp://HOST:PORT``, port 0 for any free one. ``connect=1`` connects to a subscriber that binds, which may
            hear many publishers. ``mode=push`` pushes to one puller. ``keys=DIR`` and ``server=NAME`` say which CURVE
            keys (``curve.py``), ``insecure=1`` that there shall be none beyond this machine.
        wait_for_slow: what to do when a subscriber has ``hwm`` messages waiting, or no puller is there. True: wait for
            it, so that nothing is lost, and every subscriber goes at the pace of the slowest. False: that subscriber
            loses messages, and counts them by their sequence numbers.
        hwm: messages kept for each subscriber.
        farewell_s: how long to wait at most until slow subscribers have heard of the end.
        insecure: as if the address said ``insecure=1``.
    Raises:
        ConfigError: the address is malformed, taken, or leads beyond this machine and there are no keys.
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
        self._ends: dict[str, EndOfStream] = {}
        self._topics: set[bytes] = set()
        self._counts: Counter[str] = Counter()
        self._waits = wait_for_slow
        modes = {
            # XPUB is PUB that also hears of subscriptions.
            "publish": (zmq.XPUB, {zmq.SNDHWM: hwm, zmq.XPUB_NODROP: wait_for_slow}),
            # Nothing is queued for a puller that is not there: it may never come.
            "push": (zmq.PUSH, {zmq.SNDHWM: hwm, zmq.IMMEDIATE: 1}),
        }
        self._out = OutSocket(to, modes, insecure=insecure)
        self._pushes = self._out.mode == "push"
        self._socket = self._out.socket
        self.address = self._out.address
        """Where it is bound, with the real port."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def subscribed(self) -> None:
        """Return once somebody subscribes or pulls: what is sent from then on reaches them from the first sample."""
        while not self._listeners():
            await asyncio.sleep(_PAUSE_S)

    async def send(self, chunk: SampleChunk) -> None:
        """Send one chunk to whoever has subscribed, in several messages if it is very long.

        Raises:
            ConfigError: the format cannot carry the chunk.
        """
        for part in parts(chunk):
            frames = encode(part)
            while not (sent := self._try(frames)) and self._waits:
                await asyncio.sleep(_PAUSE_S)
            if not sent:  # pushed at a puller that is late or gone
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
        """``messages``, ``samples``, ``bytes`` and ``streams`` so far, whether anybody subscribed or not.

        And, if there were any, samples ``not_sent`` because the puller was late or gone, and ``refused_keys``.
        """
        return {**self._counts, **self._out.counts()}

    async def aclose(self) -> None:
        """Tell every subscriber that the streams have ended, and close; may be called twice.

        A full queue drops the end as it drops any message, so it is said again until everybody has gone,
        as a ``ZmqSource`` does when it hears it, or ``farewell_s`` is over. A puller is told once, when it has room:
        its queue drops nothing.
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
        """How many topics are subscribed to now, by all that subscribers said so far; whether a puller has room."""
        if self._pushes:
            return bool(self._socket.poll(0, zmq.POLLOUT))
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


async def publish(
    source: Source, to: str, *, wait: bool = False, hwm: int = 1000, insecure: bool = False
) -> Mapping[str, int]:
    """Send all that a source gives, at the source's own pace, until it ends.

    A recording waits for slow subscribers; a live source cannot, so they lose what they cannot take.

    Args:
        to: where to bind, e.g. ``tcp://127.0.0.1:5556``; see ``ZmqPublisher``.
        wait: do not begin before the first subscriber is there; a fast replay then loses nothing at its head.
        hwm: messages kept for each subscriber.
        insecure: as if the address said ``insecure=1``.
    Returns:
        ``messages``, ``samples``, ``bytes`` and ``streams``, and the source's own counts under their names.
    Raises:
        ConfigError: the address is malformed, taken, or leads beyond this machine and there are no keys.
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
