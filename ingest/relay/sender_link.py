"""Connection of a relay to its receiver, which sends the journal within the window that the receiver grants."""

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
from .journal import Journal
from .records import Record
from .wire import MAX_IN_FLIGHT_BYTES, MAX_REPLY_BYTES, Kind, RelayMessage, pack, unpack

MAX_WINDOW = 1024


class SenderLink:
    """Socket to the receiver, from connecting until the receiver is silent for too long.

    The link sends no data before the receiver's WELCOME, which names the position to continue from. It sends a HELLO
    every ``hello_s``: if the WELCOME lacks messages sent before that HELLO, ZeroMQ has reconnected on its own and lost
    them, and the link sends them again.

    Each key of the journal is delivered like a journal of its own, one after another. A number above what was sent
    under a key is not believed: the link counts it, and sends the undelivered messages under a new key.
    """

    def __init__(
        self,
        context: zmq.asyncio.Context,
        address: ZmqAddress,
        keys: Keys | None,
        journal: Journal,
        counts: Counter[str],
        hello_s: float,
        process: int,
        report: Callable[[str], None],
    ) -> None:
        self._journal = journal
        self._counts = counts
        self._hello_s = hello_s
        self._report = report
        self._key = journal.key_after(journal.delivered)
        self._process = process << 32
        self._turn = 0
        self._sent_before_hello: int | None = None
        """The last number sent before the unanswered HELLO; None if every HELLO is answered."""
        self._hello_sent_s, self._heard_s = -math.inf, time.monotonic()
        self._reader: Iterator[Record | None] | None = None
        self._next_record: Record | None = None  # already read from the journal, not sent yet
        self._window = 0
        self._sent = 0
        self._in_flight: deque[tuple[int, int]] = deque()
        self._in_flight_bytes = 0
        self.was_welcomed = False
        self.has_delivered = False
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, 0)  # the window limits the queue
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_REPLY_BYTES)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 100)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2000)
        self._socket.setsockopt(zmq.IPV6, address.is_ipv6)
        secure_client(self._socket, keys, address.server(0))
        self._socket.connect(address.endpoints[0])
        self._direct = zmq.Socket.shadow(self._socket)

    def close(self) -> None:
        """Close the socket without waiting."""
        self._socket.close(linger=0)

    async def run(
        self, appended: asyncio.Event, finished: Callable[[], bool], patience_s: float, on_answer: Callable[[], None]
    ) -> str | None:
        """Deliver until ``finished`` returns true or the receiver is silent for ``patience_s``.

        Args:
            appended: set when the journal has a new message.
            on_answer: called after each message from the receiver.
        Returns:
            The reason, if the receiver refuses the relay.
        """
        while not finished() and time.monotonic() - self._heard_s < patience_s:
            if self._sent_before_hello is None and time.monotonic() - self._hello_sent_s >= self._hello_s:
                self._send_hello()
            appended.clear()
            self._send_data()
            await self._wait(appended)
            for message in self._messages():
                if message.kind == Kind.REFUSED:
                    return message.frames[0].decode(errors="replace")
                self._handle(message)
                on_answer()
        return None

    def _send_hello(self) -> None:
        self._turn += 1
        key = self._journal.key_after(self._journal.delivered)
        if key != self._key and not self._in_flight:
            self._switch(key)
        self._sent_before_hello, self._hello_sent_s = self._sent, time.monotonic()
        lost = self._counts["thrown_away"]
        turn = self._process | self._turn
        self._send(RelayMessage(Kind.HELLO, self._key, self._journal.delivered, lost, turn))

    def _send_data(self) -> None:
        """Send as many messages as the window allows."""
        while self._reader is not None and len(self._in_flight) < self._window:
            if self._in_flight_bytes >= MAX_IN_FLIGHT_BYTES:
                return
            record, self._next_record = self._next_record or next(self._reader), None
            if record is None:
                if not self._in_flight:
                    self._journal.skip_unreadable()
                return
            if record.key != self._key:
                self._next_record = record
                if not self._in_flight:
                    self._switch(record.key)
                    self._send_hello()
                return
            if record.number <= self._journal.delivered:
                continue  # dropped in the meantime, or a copy
            self._send(
                RelayMessage(Kind.DATA, self._key, record.number, self._sent, self._process, frames=record.frames)
            )
            self._mark_sent(record)

    def _switch(self, key: bytes) -> None:
        """Go on with the messages of another key; the next HELLO asks for its progress."""
        self._key = key
        self._reader = self._next_record = self._sent_before_hello = None
        self._in_flight.clear()
        self._in_flight_bytes = self._sent = 0

    async def _wait(self, appended: asyncio.Event) -> None:
        """Wait for the receiver, for a message in the journal that may be sent, or for the time of the next HELLO."""
        can_send = self._reader is not None and len(self._in_flight) < self._window
        if self._direct.poll(0) or (can_send and appended.is_set()):
            await asyncio.sleep(0)  # the source gets its turn
            return
        waiting: list[asyncio.Task[Any]] = [asyncio.ensure_future(self._socket.poll(int(1000 * self._hello_s)))]
        if can_send:
            waiting.append(asyncio.ensure_future(appended.wait()))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _messages(self) -> Iterator[RelayMessage]:
        """Yield the messages that have arrived from the receiver."""
        while True:
            try:
                message = unpack(self._direct.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                return
            except DecodeError:
                self._counts["malformed"] += 1
                continue
            if message.kind in (Kind.REFUSED, Kind.COPIED) or message.journal == self._key:
                self._heard_s = time.monotonic()
                yield message

    def _handle(self, message: RelayMessage) -> None:
        if message.kind == Kind.ACK:
            if self._is_believable(message.number):
                self._acknowledge(message.number)
        elif message.kind == Kind.COPIED:
            self._on_copied(take_own=message.extra == 1)
        elif message.kind == Kind.WELCOME and message.turn == 0 and self._sent_before_hello is None:
            self._reader = None  # the receiver has restarted and does not know this relay
            self._send_hello()
        elif (
            message.kind == Kind.WELCOME
            and message.turn == self._process | self._turn
            and self._sent_before_hello is not None
        ):
            if not self._is_believable(message.number):
                self._rekey()
                return
            if self._reader is None or message.number < self._sent_before_hello:
                self._continue_after(message.number)
            self._window = min(message.extra, MAX_WINDOW)
            self._sent_before_hello = None
            self.was_welcomed = True

    def _is_believable(self, number: int) -> bool:
        """Return whether this may have been sent; count it otherwise."""
        if number <= max(self._journal.sent.get(self._key, 0), self._journal.delivered):
            return True
        self._counts["refused_numbers"] += 1
        if self._counts["refused_numbers"] == 1:
            self._report(
                "the receiver acknowledges messages that this journal never sent: another sender uses a copy of it, "
                "it is a copy or an older state itself, or somebody forges numbers. Nothing is deleted for that"
            )
        return False

    def _rekey(self) -> None:
        """Send the undelivered messages as if the receiver knew none."""
        self._send(RelayMessage(Kind.COPIED, self._key))
        try:
            key = self._journal.rekey(self._key)
        except OSError as error:
            self._report(f"cannot rename the segments of {self._journal.folder}: {error.strerror}; tried again")
            self._switch(self._key)
            return
        self._switch(key)
        self._send_hello()

    def _on_copied(self, *, take_own: bool) -> None:
        folder = self._journal.folder
        if not take_own:
            self._report(f"a copy of the journal {folder} sends too; the receiver keeps the two apart")
            return
        try:
            self._journal.take_own_identity()
        except OSError as error:
            self._report(f"{folder} is a copy of a journal that sends too, and cannot be changed: {error.strerror}")
            return
        self._counts["new_identity"] += 1
        self._report(f"{folder} is a copy of a journal that sends too; it goes on under an identity of its own")

    def _continue_after(self, number: int) -> None:
        """Continue with the message after a number; earlier ones have arrived and await their acknowledgement."""
        self._in_flight.clear()
        self._in_flight_bytes = 0
        self._reader = self._journal.after(self._journal.delivered)
        while (record := next(self._reader)) is not None and record.key == self._key and record.number <= number:
            self._mark_sent(record)
        self._next_record, self._sent = record, number

    def _mark_sent(self, record: Record) -> None:
        size = sum(map(len, record.frames))
        self._in_flight.append((record.number, size))
        self._in_flight_bytes += size
        self._sent = record.number
        self._journal.sent[self._key] = max(record.number, self._journal.sent.get(self._key, 0))

    def _acknowledge(self, number: int) -> None:
        if number > self._journal.delivered:
            self.has_delivered = True
            self._journal.deliver(number)
        while self._in_flight and self._in_flight[0][0] <= number:
            self._in_flight_bytes -= self._in_flight.popleft()[1]
            self._counts["delivered"] += 1

    def _send(self, message: RelayMessage) -> None:
        self._direct.send_multipart(pack(message), zmq.NOBLOCK)
