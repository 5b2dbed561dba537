"""Accepts the connections of a server up to a limit, and closes the idle ones.

asyncio's own servers accept without a limit. Where the process runs out of descriptors, they take a whole core.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

IDLE_S = 30.0
"""A connection without a byte for this long is closed."""
BUSY_S = 1.0
"""A connection that had a byte since is not closed for a newcomer."""
_RETRY_S = 0.2
"""Pause after the system refused to accept."""


class Connections:
    """Accepts connections from a listening socket until ``close``.

    Where all are taken, a newcomer gets the place of the one that is idle for longest; if none is, it is closed.

    Args:
        listening: the socket; not closed here.
        protocol: makes the protocol of a connection.
        most: connections at the same time.
        idle_s: a connection without a byte for this long is closed.
    """

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        most: int,
        idle_s: float = IDLE_S,
    ) -> None:
        listening.setblocking(False)
        self._listening, self._protocol, self._most, self._idle_s = listening, protocol, most, idle_s
        self._open: dict[_Connection, None] = {}
        self.closed_idle = 0
        """Connections closed because they were idle."""
        self.refused = 0
        """Connections closed at once because all were busy."""
        self._tasks = [asyncio.create_task(self._accept()), asyncio.create_task(self._sweep())]

    def __len__(self) -> int:
        return len(self._open)

    async def close(self) -> None:
        """Accept no more, and close all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self._open):
            connection.abort()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._listening)
            except OSError:  # out of descriptors, or the client has gone
                await asyncio.sleep(_RETRY_S)
                continue
            if len(self._open) >= self._most and not self._close_idle(BUSY_S, 1):
                self.refused += 1
                accepted.close()
                continue
            connection = _Connection(self._protocol(), loop, self._open)
            try:
                await loop.connect_accepted_socket(lambda connection=connection: connection, accepted)
            except OSError:
                accepted.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self._idle_s))
            self._close_idle(self._idle_s, len(self._open))

    def _close_idle(self, idle_s: float, most: int) -> int:
        """Close so many connections that are idle for longest, and for as long as this; return how many."""
        since_s = asyncio.get_running_loop().time() - idle_s
        idle = sorted((c for c in self._open if c.newest_s <= since_s), key=lambda c: c.newest_s)[:most]
        for connection in idle:
            self._open.pop(connection, None)
            connection.abort()
        self.closed_idle += len(idle)
        return len(idle)


class _Connection(asyncio.Protocol):
    """Passes everything on to the server's protocol, and notes when the last byte came."""

    def __init__(
        self, inner: asyncio.Protocol, loop: asyncio.AbstractEventLoop, connections: dict[_Connection, None]
    ) -> None:
        self._inner, self._loop, self._connections = inner, loop, connections
        self._transport: asyncio.Transport | None = None
        self.newest_s = loop.time()

    def abort(self) -> None:
        if self._transport is not None:
            with suppress(OSError):
                self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections[self] = None
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.pop(self, None)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.newest_s = self._loop.time()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
