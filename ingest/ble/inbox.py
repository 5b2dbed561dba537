"""What the radio's callbacks fill and the source empties: a bounded queue that counts what it drops."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .streaming import Life

Notification: TypeAlias = tuple["Life", str, bytes, int]
"""The connection it came through (what an earlier one left behind is told apart by it), the characteristic, the bytes,
and when they came, on ``time.monotonic_ns``. Plain, because one is made in every callback."""


class Inbox:
    """The notifications of one device that nobody has decoded yet; the oldest are dropped when it is full."""

    SIZE = 4096
    """Notifications: twenty seconds at 200 a second; who is later than that wants the newest."""

    def __init__(self) -> None:
        self._waiting: deque[Notification] = deque(maxlen=self.SIZE)
        self._put = self._taken = 0

    def put(self, notification: Notification) -> None:
        self._put += 1
        self._waiting.append(notification)

    def take(self) -> list[Notification]:
        """Everything that waits, oldest first."""
        taken = list(self._waiting)
        self._waiting.clear()
        self._taken += len(taken)
        return taken

    @property
    def dropped(self) -> int:
        return self._put - self._taken - len(self._waiting)
