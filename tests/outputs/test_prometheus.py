"""What Prometheus reads."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable

import pytest

pytest.importorskip("prometheus_client")
from prometheus_client.parser import text_string_to_metric_families

from kinestream.core.errors import ConfigError
from kinestream.core.source import LinkStatus
from kinestream.outputs.prometheus import HEAD_BYTES, MOST_VISITORS, MetricsServer, listen
from kinestream.run.session import Session

from ..dashboard.synthetic import SyntheticSession


async def ask(port: int, request: bytes) -> tuple[str, str]:
    """Status line and body of what comes back; empty where the connection is just closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head.partition(b"\r\n")[0].decode(), body.decode()


async def figures(port: int) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, in the order of their names."""
    status, body = await ask(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == "HTTP/1.1 200 OK"
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


async def test_a_real_run_is_accompanied_from_its_beginning_to_its_end(make_session: Callable[[str], Session]) -> None:
    session = make_session("wearer://?seed=1&speed=100")
    server = MetricsServer(session, listen(":0"))
    session.accompany(server)
    run = asyncio.create_task(session.run())
    async with asyncio.timeout(20):
        while session.summary()["predictions"] < 20:
            await asyncio.sleep(0.05)
    told = await figures(server.port)
    assert told["kinestream_latency_seconds_count",] >= 20
    assert told["kinestream_run", "tiny", "battery:hours=1", "wearer://?seed=1&speed=100"] == 1
    session.stop()
    await run
    with pytest.raises(ConnectionError):
        await ask(server.port, b"GET /metrics HTTP/1.1\r\n\r\n")


async def test_what_is_counted_is_what_happened() -> None:
    session = SyntheticSession(57, hold=False)
    async with MetricsServer(session, listen(":0")) as server:
        await session.run()
        told = await figures(server.port)
    counts = session.counts()
    predictions = sum(value for (name, *_), value in told.items() if name == "kinestream_predictions_total")
    right, wrong = (told["kinestream_scored_total", one, "left wrist"] for one in ("true", "false"))
    assert predictions == right + wrong == counts["windows"]
    assert wrong == counts["windows"] // 9
    assert told["kinestream_events_total", "lost"] == counts["lost"] == 240
    assert told["kinestream_latency_seconds_count",] == counts["windows"]
    assert told["kinestream_deadline_seconds",] == 0.0005
    assert told["kinestream_battery_ratio",] == pytest.approx(session.battery_frac)
    assert told["kinestream_run", "uci_cnn", "battery:hours=6", "synthetic"] == 1
    assert told["kinestream_queue_capacity_chunks",] == 256


async def test_links_and_failures_are_told_as_they_are_when_asked() -> None:
    session = SyntheticSession(5, live=True, hold=False)
    session.linked = [LinkStatus("left wrist", "streaming", -60, 0.5, 2, 0.1)]
    async with MetricsServer(session, listen(":0")) as server:
        await session.run()
        told = await figures(server.port)
        assert (told["kinestream_link_up", "left wrist"], told["kinestream_failures",]) == (1, 0)
        assert told["kinestream_link_reconnects_total", "left wrist"] == 2
        assert told["kinestream_sensor_battery_ratio", "left wrist"] == 0.5
        assert math.isnan(told["kinestream_battery_ratio",])
        session.linked = [LinkStatus("left wrist", "lost", None, None, 2, None)]
        session.broken = ["recording ended"]
        told = await figures(server.port)
        assert (told["kinestream_link_up", "left wrist"], told["kinestream_failures",]) == (0, 1)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /elsewhere HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 2 * HEAD_BYTES + b"\r\n\r\n", ""),
        (b"\x16\x03\x01\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
    ],
)
async def test_whatever_is_asked_the_server_goes_on(request_: bytes, status: str) -> None:
    async with MetricsServer(SyntheticSession(1), listen(":0")) as server:
        try:
            assert (await ask(server.port, request_))[0] == status
        except ConnectionResetError:  # closed with a part of the request unread
            assert status == ""
        assert await figures(server.port)


async def test_a_head_has_no_body() -> None:
    async with MetricsServer(SyntheticSession(1), listen(":0")) as server:
        assert await ask(server.port, b"HEAD /metrics HTTP/1.1\r\n\r\n") == ("HTTP/1.1 200 OK", "")


async def test_too_many_at_a_time_are_turned_away() -> None:
    async with MetricsServer(SyntheticSession(1), listen(":0")) as server:
        waiting = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(MOST_VISITORS)]
        await asyncio.sleep(0.1)
        assert (await ask(server.port, b"GET /metrics HTTP/1.1\r\n\r\n"))[0] == "HTTP/1.1 503 Service Unavailable"
        for _, writer in waiting:
            writer.close()


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("9100", r"expected \[HOST\]:PORT"),
        (":", r"expected \[HOST\]:PORT"),
        (":70000", r"expected \[HOST\]:PORT"),
        ("0.0.0.0:9100", "--insecure"),
        ("somewhere:9100", "--insecure"),
    ],
)
def test_an_address_that_cannot_be_is_refused(address: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        listen(address)


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="take another port"):
        listen(f":{taken.getsockname()[1]}")
