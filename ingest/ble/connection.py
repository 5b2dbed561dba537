"""One link to a device: its subscriptions, and the ways on which its notifications arrive."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from bleak.exc import BleakError

from .notify_socket import NotifySocket, take_socket

if TYPE_CHECKING:
    from bleak import BleakClient

_LOG = logging.getLogger(__name__)

Receiver: TypeAlias = Callable[[str, bytes, int], None]
"""Takes a characteristic, a notification and its arrival time in nanoseconds."""


class Connection:
    """The subscriptions of one link.

    Args:
        receiver: takes the notifications; the epochs of a link replace each other's.
        now_ns: the host's clock, which stamps arrivals.
        by_socket: use BlueZ's sockets for notifications, where it offers them, instead of D-Bus messages.
    """

    def __init__(self, receiver: Receiver, now_ns: Callable[[], int], by_socket: bool) -> None:
        self.receiver = receiver
        self._now_ns = now_ns
        self._by_socket = by_socket
        self._subscribed: set[str] = set()
        self._sockets: list[tuple[str, NotifySocket]] = []

    async def subscribe(self, client: BleakClient, uuid: str) -> None:
        """Subscribe to a characteristic, unless it is subscribed to.

        Raises:
            BleakError: the device or the system refused.
        """
        if uuid in self._subscribed:
            return
        self._subscribed.add(uuid)

        def on_data(_: Any, data: bytearray) -> None:
            # As short as possible: the loop that runs this also serves the radio.
            self.receiver(uuid, bytes(data), self._now_ns())

        characteristic = client.services.get_characteristic(uuid)
        # A socket has a third of the latency of a D-Bus signal; indications need D-Bus.
        if self._by_socket and characteristic is not None and "indicate" not in characteristic.properties:
            try:
                await client.start_notify(uuid, on_data, bluez={"use_start_notify": False})
            except BleakError as error:
                _LOG.debug("%s: no socket for notifications, using D-Bus: %s", uuid, error)
            else:
                # Only bleak's own reading can stamp arrivals on another clock.
                if self._now_ns is time.monotonic_ns and (taken := take_socket(client, characteristic)):
                    self._sockets.append((uuid, taken))
                return
        await client.start_notify(uuid, on_data)

    def read(self) -> None:
        """Pass on the notifications that wait in sockets, in the order of their arrival."""
        waiting = [(at_ns, uuid, data) for uuid, socket in self._sockets for at_ns, data in socket.read()]
        if len(self._sockets) > 1:
            waiting.sort(key=lambda notification: notification[0])
        for at_ns, uuid, data in waiting:
            self.receiver(uuid, data, at_ns)

    def close(self) -> None:
        """Pass on the last notifications and close the sockets."""
        self.read()
        for _, socket in self._sockets:
            socket.close()
        self._sockets.clear()
