from __future__ import annotations

import asyncio
import resource
import socket
import time

import pytest

from kinestream.core import connections
from kinestream.core.connections import Connections


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def asks(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello")
    answer = await asyncio.wait_for(reader.read(5), 5)
    writer.close()
    return answer


async def test_idle_connections_make_room_for_one_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BUSY_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server = Connections(listening, Echo, most=8)
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        await asyncio.sleep(0.3)
        assert len(server) == 8
        assert server.refused == 12
        assert await asks(port) == b"hello"
        assert server.closed_idle == 1
        for _, writer in idle:
            writer.close()
        await server.close()


async def test_a_connection_without_a_byte_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Connections(listening, Echo, most=8, idle_s=0.2)
        reader, writer = await asyncio.open_connection("127.0.0.1", listening.getsockname()[1])
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 5)
        writer.close()
        await server.close()


async def test_a_process_out_of_descriptors_waits_instead_of_spinning() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listening:
        server = Connections(listening, Echo, most=1000)
        clients = [socket.socket() for _ in range(50)]
        used = max(client.fileno() for client in clients)
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 5, hard))
        try:
            for client in clients:
                client.setblocking(False)
                client.connect_ex(listening.getsockname())
            await asyncio.sleep(0.2)
            began_s = time.process_time()
            await asyncio.sleep(1.0)
            assert time.process_time() - began_s < 0.5
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for client in clients:
                client.close()
        assert await asks(listening.getsockname()[1]) == b"hello"
        await server.close()
