"""One connection of a relay to its receiver: sends what the journal holds, within the window the receiver grants."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

import zmq
import zmq.asyncio

from kinestream.core.errors import DecodeError

from ..zmq.address import ZmqAddress
from ..zmq.curve_keys import Keys, secure_client
from .journal import Journal, Record
from .wire import MAX_IN_FLIGHT_BYTES, MAX_REPLY_BYTES, Kind, RelayMessage, pack, unpack

MAX_WINDOW = 1024


class Link:
    """A socket from its connection to the first silence that is too long.

    Nothing is sent before the receiver has said WELCOME, and from where to go on. Every ``hello_s`` it is asked again:
    if it then lacks messages that were sent before the question, they went down with a connection that ZeroMQ made
    anew behind our back, and are sent again.
    """

    def __init__(
        self,
        context: zmq.asyncio.Context,
        address: ZmqAddress,
        keys: Keys | None,
        journal: Journal,
        counts: Counter[str],
        hello_s: float,
    ) -> None:
        self._journal = journal
        self._counts = counts
        self._hello_s = hello_s
        self._turn = 0
        self._asked: int | None = None
        """The last number sent before the HELLO that is yet to be answered."""
        self._asked_s, self._heard_s = -math.inf, time.monotonic()
        self._reader: Iterator[Record | None] | None = None
        self._held: Record | None = None  # read, and next to be sent
        self._window = 0
        self._sent = 0
        self._in_flight: deque[tuple[int, int]] = deque()
        self._in_flight_bytes = 0
        self.was_welcomed = False
        self.has_delivered = False
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, 0)  # the window bounds what is sent
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_REPLY_BYTES)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 100)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2000)
        self._socket.setsockopt(zmq.IPV6, address.is_ipv6)
        secure_client(self._socket, keys, address.server(0))
        self._socket.connect(address.endpoints[0])
        self._direct = zmq.Socket.shadow(self._socket)

    def close(self) -> None:
        self._socket.close(linger=0)

    async def run(
        self, kept: asyncio.Event, finished: Callable[[], bool], patience_s: float, heard: Callable[[], None]
    ) -> str | None:
        """Deliver until ``finished``, or nothing was heard for ``patience_s``.

        Args:
            kept: set when the journal has got something new.
            heard: called after each word of the receiver's.
        Returns:
            The receiver's reason, if it refused.
        """
        while not finished() and time.monotonic() - self._heard_s < patience_s:
            if self._asked is None and time.monotonic() - self._asked_s >= self._hello_s:
                self._ask()
            kept.clear()
            self._send()
            await self._wait(kept)
            for message in self._messages():
                if message.kind == Kind.REFUSED:
                    return message.frames[0].decode(errors="replace")
                self._hear(message)
                heard()
        return None

    def _ask(self) -> None:
        self._turn += 1
        self._asked, self._asked_s = self._sent, time.monotonic()
        lost = self._counts["thrown_away"]
        self._say(RelayMessage(Kind.HELLO, self._journal.id, self._journal.delivered, lost, self._turn))

    def _send(self) -> None:
        """As much as the window allows."""
        while self._reader is not None and len(self._in_flight) < self._window:
            if self._in_flight_bytes >= MAX_IN_FLIGHT_BYTES:
                return
            record, self._held = self._held or next(self._reader), None
            if record is None:
                return
            self._say(RelayMessage(Kind.DATA, self._journal.id, record.number, self._sent, frames=record.frames))
            self._note(record)

    async def _wait(self, kept: asyncio.Event) -> None:
        """For a word of the receiver's, for news in the journal if they could be sent, or for the next question."""
        can_send = self._reader is not None and len(self._in_flight) < self._window
        if self._direct.poll(0) or (can_send and kept.is_set()):
            await asyncio.sleep(0)  # the source gets its turn
            return
        waiting: list[asyncio.Task[Any]] = [asyncio.ensure_future(self._socket.poll(int(1000 * self._hello_s)))]
        if can_send:
            waiting.append(asyncio.ensure_future(kept.wait()))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _messages(self) -> Iterator[RelayMessage]:
        """What the receiver has said by now."""
        while True:
            try:
                message = unpack(self._direct.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                return
            except DecodeError:
                self._counts["malformed"] += 1
                continue
            if message.kind == Kind.REFUSED or message.journal == self._journal.id:
                self._heard_s = time.monotonic()
                yield message

    def _hear(self, message: RelayMessage) -> None:
        if message.kind == Kind.ACK:
            self._acknowledged(min(message.number, self._journal.newest))
        elif message.kind == Kind.WELCOME and message.turn == 0 and self._asked is None:
            self._reader = None  # it does not know us any more
            self._ask()
        elif message.kind == Kind.WELCOME and message.turn == self._turn and self._asked is not None:
            if self._reader is None or message.number < self._asked:
                self._go_on_after(message.number)
            self._window = min(message.extra, MAX_WINDOW)
            self._asked = None
            self.was_welcomed = True

    def _go_on_after(self, number: int) -> None:
        """Send what comes after a number; what comes before it is on its way to be acknowledged."""
        self._in_flight.clear()
        self._in_flight_bytes = 0
        self._reader = self._journal.after(self._journal.delivered)
        while (record := next(self._reader)) is not None and record.number <= number:
            self._note(record)
        self._held, self._sent = record, number

    def _note(self, record: Record) -> None:
        size = sum(map(len, record.frames))
        self._in_flight.append((record.number, size))
        self._in_flight_bytes += size
        self._sent = record.number

    def _acknowledged(self, number: int) -> None:
        if number > self._journal.delivered:
            self.has_delivered = True
            self._journal.deliver(number)
        while self._in_flight and self._in_flight[0][0] <= number:
            self._in_flight_bytes -= self._in_flight.popleft()[1]
            self._counts["delivered"] += 1

    def _say(self, message: RelayMessage) -> None:
        self._direct.send_multipart(pack(message), zmq.NOBLOCK)
