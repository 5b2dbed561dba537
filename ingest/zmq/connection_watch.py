"""Counts the connections of a receiving socket that broke: ZeroMQ closes one that sends too much, and says nothing."""

from __future__ import annotations

import asyncio

import zmq
import zmq.asyncio
from zmq.utils.monitor import parse_monitor_message

SUSPICIOUS = 3
"""Broken connections that are reported: a sender that stops and starts breaks one."""


class ConnectionWatch:
    """Watches one socket until ``close``.

    Args:
        socket: open.
    """

    def __init__(self, socket: zmq.asyncio.Socket) -> None:
        self.broken = 0
        """Connections that broke so far."""
        self.is_closed = False
        self._socket = socket
        self._monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._watching = asyncio.create_task(self._watch())

    def notices(self, max_message_bytes: int) -> list[str]:
        """Return a line if connections break again and again."""
        if self.broken < SUSPICIOUS:
            return []
        megabytes = f"{max_message_bytes / 1e6:.3g} MB"
        return [
            f"connections of senders broke {self.broken} times: if their messages are larger than {megabytes}, send "
            "fewer samples in each, or allow more with max_mb= in the address; if not, check the network"
        ]

    async def close(self) -> None:
        """Stop watching; call it before the socket is closed."""
        self.is_closed = True
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        self._socket.disable_monitor()
        self._monitor.close(linger=0)

    async def _watch(self) -> None:
        while True:
            frames = await self._monitor.recv_multipart()
            self.broken += parse_monitor_message(frames)["event"] == zmq.EVENT_DISCONNECTED
