"""TCP link between real sockets that tests can cut and mend."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class Proxy:
    """Proxy that listens on ``port`` of this machine and forwards everything to ``target`` until it is cut.

    A cut drops all connections with the data in transit, and refuses new ones until ``mend``.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.passed_bytes = 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.cut()

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.append(far_writer)
            for ends in ((reader, far_writer), (far_reader, writer)):
                task = asyncio.create_task(self._pass(*ends))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 14):
                writer.write(data)
                await writer.drain()
                self.passed_bytes += len(data)
        writer.close()
