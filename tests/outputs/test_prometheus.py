"""The metrics that Prometheus scrapes."""

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
from kinestream.observe.findings import Notice, problem
from kinestream.outputs.prometheus import MAX_CLIENTS, REQUEST_BYTES, MetricsServer, listen
from kinestream.run.session import Session

from ..dashboard.synthetic import SyntheticSession


async def request(port: int, head: bytes) -> tuple[str, str]:
    """Return the status line and the body of the response; both empty if the connection closes without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    response_head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return response_head.partition(b"\r\n")[0].decode(), body.decode()


async def scrape(port: int) -> dict[tuple[str, ...], float]:
    """Return every sample, keyed by its name and its label values in the order of the label names."""
    status, body = await request(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == "HTTP/1.1 200 OK"
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


async def test_the_server_lives_as_long_as_a_real_run(make_session: Callable[[str], Session]) -> None:
    session = make_session("wearer://?seed=1&speed=100")
    server = MetricsServer(session, listen(":0"))
    session.accompany(server)
    run = asyncio.create_task(session.run())
    async with asyncio.timeout(20):
        while session.summary()["predictions"] < 20:
            await asyncio.sleep(0.05)
    metrics = await scrape(server.port)
    assert metrics["kinestream_latency_seconds_count",] >= 20
    assert metrics["kinestream_run", "tiny", "battery:hours=1", "wearer://?seed=1&speed=100"] == 1
    session.stop()
    await run
    with pytest.raises(ConnectionError):
        await request(server.port, b"GET /metrics HTTP/1.1\r\n\r\n")


async def test_each_finding_is_a_gauge_while_it_holds() -> None:
    session = SyntheticSession()
    session.finding_list = [Notice("wrist", problem("malformed", "all 12 packets are malformed", "choose the format"))]
    async with MetricsServer(session, listen(":0")) as server:
        assert (await scrape(server.port))["kinestream_finding", "malformed", "problem", "wrist"] == 1
        session.finding_list = []
        assert not [key for key in await scrape(server.port) if key[0] == "kinestream_finding"]


async def test_the_metrics_equal_the_counts_of_the_session() -> None:
    session = SyntheticSession(57, hold=False)
    async with MetricsServer(session, listen(":0")) as server:
        await session.run()
        metrics = await scrape(server.port)
    counts = session.counts()
    predictions = sum(value for (name, *_), value in metrics.items() if name == "kinestream_predictions_total")
    right, wrong = (metrics["kinestream_scored_total", verdict, "left wrist"] for verdict in ("true", "false"))
    concluded = sum(value for (name, *_), value in metrics.items() if name == "kinestream_concluded_total")
    assert predictions == concluded == right + wrong == counts["windows"]
    assert wrong == counts["windows"] // 9
    assert metrics["kinestream_events_total", "lost"] == counts["lost"] == 240
    assert metrics["kinestream_latency_seconds_count",] == counts["windows"]
    assert metrics["kinestream_deadline_seconds",] == 0.0005
    assert metrics["kinestream_battery_ratio",] == pytest.approx(session.battery_frac)
    assert metrics["kinestream_run", "uci_cnn", "battery:hours=6", "synthetic"] == 1
    assert metrics["kinestream_queue_capacity_chunks",] == 256


async def test_the_measured_figures_of_a_stream_stand_beside_the_announced_rate() -> None:
    session = SyntheticSession(57, hold=False)
    session.silence_s = 1.5
    async with MetricsServer(session, listen(":0")) as server:
        await session.run()
        metrics = await scrape(server.port)
    (figures,) = session.figures()
    gauges = {
        name.removeprefix("kinestream_stream_"): value for (name, *_), value in metrics.items() if "_stream_" in name
    }
    assert gauges == {
        "rate_hertz": pytest.approx(50.0),
        "announced_rate_hertz": 50.0,
        "jitter_seconds": pytest.approx(0.0, abs=1e-9),
        "age_seconds": 0.0,
        "coverage_ratio": 1.0,
        "interpolated_ratio": figures.interpolated_share,
        "burst_samples": 1,
        "lost_ratio": pytest.approx(figures.lost_share),
        "silence_seconds": 1.5,
    }


async def test_links_and_failures_are_read_at_each_scrape() -> None:
    session = SyntheticSession(5, live=True, hold=False)
    session.link_list = [LinkStatus("left wrist", "streaming", -60, 0.5, 2, 0.1)]
    async with MetricsServer(session, listen(":0")) as server:
        await session.run()
        metrics = await scrape(server.port)
        assert (metrics["kinestream_link_up", "left wrist"], metrics["kinestream_failures",]) == (1, 0)
        assert metrics["kinestream_link_reconnects_total", "left wrist"] == 2
        assert metrics["kinestream_sensor_battery_ratio", "left wrist"] == 0.5
        assert math.isnan(metrics["kinestream_battery_ratio",])
        session.link_list = [LinkStatus("left wrist", "lost", None, None, 2, None)]
        session.failure_lines = ["recording ended"]
        metrics = await scrape(server.port)
        assert (metrics["kinestream_link_up", "left wrist"], metrics["kinestream_failures",]) == (0, 1)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /elsewhere HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 2 * REQUEST_BYTES + b"\r\n\r\n", ""),
        (b"\x16\x03\x01\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
    ],
)
async def test_the_server_survives_bad_requests(head: bytes, status: str) -> None:
    async with MetricsServer(SyntheticSession(1), listen(":0")) as server:
        try:
            assert (await request(server.port, head))[0] == status
        except ConnectionResetError:  # closed with a part of the request unread
            assert status == ""
        assert await scrape(server.port)


async def test_a_head_request_gets_no_body() -> None:
    async with MetricsServer(SyntheticSession(1), listen(":0")) as server:
        assert await request(server.port, b"HEAD /metrics HTTP/1.1\r\n\r\n") == ("HTTP/1.1 200 OK", "")


async def test_too_many_simultaneous_clients_are_rejected() -> None:
    async with MetricsServer(SyntheticSession(1), listen(":0")) as server:
        waiting = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(MAX_CLIENTS)]
        await asyncio.sleep(0.1)
        assert (await request(server.port, b"GET /metrics HTTP/1.1\r\n\r\n"))[0] == "HTTP/1.1 503 Service Unavailable"
        for _, writer in waiting:
            writer.close()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("9100", r"expected \[HOST\]:PORT"),
        (":", r"expected \[HOST\]:PORT"),
        (":70000", r"expected \[HOST\]:PORT"),
        ("0.0.0.0:9100", "--insecure"),
        ("somewhere:9100", "--insecure"),
    ],
)
def test_a_bad_address_is_rejected(address: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        listen(address)


def test_a_port_in_use_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="use another port"):
        listen(f":{taken.getsockname()[1]}")
