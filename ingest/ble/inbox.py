"""What the radio's callbacks fill and the source empties: a bounded queue that counts what it drops."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .life import Life


class Notification(NamedTuple):
    """Bytes from a device, and when they came."""

    life: Life
    """The connection it came through: what an earlier one left behind is told apart by it."""
    characteristic: str
    data: bytes
    received_ns: int
    """On ``time.monotonic_ns``."""


class Inbox:
    """The notifications of one device that nobody has decoded yet; the oldest are dropped when it is full.

    Args:
        wake: set when something arrives; one event serves all devices of a source.
    """

    SIZE = 4096
    """Notifications: twenty seconds at 200 a second; who is later than that wants the newest."""

    def __init__(self, wake: asyncio.Event) -> None:
        self.dropped = 0
        self._waiting: deque[Notification] = deque()
        self._wake = wake

    def put(self, notification: Notification) -> None:
        if len(self._waiting) >= self.SIZE:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(notification)
        self._wake.set()

    def take(self) -> list[Notification]:
        """Everything that waits, oldest first."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def __len__(self) -> int:
        return len(self._waiting)
