"""The bounded queue between the radio's callbacks and the source; it counts what it drops."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .streaming import DeviceStream

Notification: TypeAlias = tuple["DeviceStream", str, bytes, int]
"""The device stream it belongs to (which separates it from leftovers of an earlier one), the characteristic, the bytes,
and the arrival time on ``time.monotonic_ns``. A plain tuple, because every callback makes one."""


class Inbox:
    """The undecoded notifications of one device; the oldest are dropped when it is full."""

    SIZE = 4096
    """Notifications: twenty seconds at 200 a second; a consumer later than that needs the newest."""

    def __init__(self) -> None:
        self._waiting: deque[Notification] = deque(maxlen=self.SIZE)
        self._put = self._taken = 0

    def put(self, notification: Notification) -> None:
        self._put += 1
        self._waiting.append(notification)

    def take(self) -> list[Notification]:
        """Return and remove all queued notifications, oldest first."""
        notifications = list(self._waiting)
        self._waiting.clear()
        self._taken += len(notifications)
        return notifications

    @property
    def dropped(self) -> int:
        """Number of notifications lost to a full queue."""
        return self._put - self._taken - len(self._waiting)
