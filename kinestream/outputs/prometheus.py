"""The session's figures for Prometheus: ``GET /metrics`` on a socket of its own, in the session's event loop."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError, MissingExtra
from kinestream.dashboard.model.state import mark

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.exposition import CONTENT_TYPE_LATEST
except ImportError as error:
    raise MissingExtra("metrics", "--metrics") from error

if TYPE_CHECKING:
    from kinestream.core.signals import Prediction
    from kinestream.dashboard.model.session_like import SessionLike

LATENCIES_S = (2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0)
MOST_VISITORS = 8
"""More at the same time are turned away."""
TURNED_AWAY_S = 0.5
"""How long the question of a visitor too many is waited for, who has his answer already."""
HEAD_BYTES, HEAD_S = 8192, 5.0
"""How long a request may be, in bytes and in coming."""


class Figures:
    """What is counted with every prediction, and read from the session when somebody asks.

    Not thread-safe: to be asked in the thread that the session runs in.
    """

    def __init__(self, session: SessionLike) -> None:
        self._session = session
        self.registry = registry = CollectorRegistry()
        by_label, by_stream = ("stream", "label"), ("stream",)
        self._predictions = Counter("kinestream_predictions", "Windows recognised", by_label, registry=registry)
        self._scored = Counter(
            "kinestream_scored", "Predictions inside one labelled activity", ("stream", "right"), registry=registry
        )
        self._late = Counter(
            "kinestream_deadline_missed", "Windows that took longer than the deadline", registry=registry
        )
        self._energy = Counter(
            "kinestream_energy_joules", f"Estimated: {session.table.energy_model}", registry=registry
        )
        self._latency = Histogram(
            "kinestream_latency_seconds", "From the window to its probabilities", buckets=LATENCIES_S, registry=registry
        )
        self._width = Gauge("kinestream_subnet_width", "Share of each layer's channels", by_stream, registry=registry)
        self._resolution = Gauge("kinestream_subnet_resolution", "Samples in a window", by_stream, registry=registry)
        self._confidence = Gauge("kinestream_confidence", "Of the newest prediction", by_stream, registry=registry)
        self._age = Gauge(
            "kinestream_age_seconds", "Of the newest sample when its prediction came out", by_stream, registry=registry
        )
        self._battery = Gauge("kinestream_battery_ratio", "Charge left; NaN where it is not known", registry=registry)
        self._battery.set(float("nan"))
        registry.register(self)  # type: ignore[arg-type]  # a collector is whatever has ``collect``

    def on_prediction(self, prediction: Prediction) -> None:
        stream, subnet = prediction.stream, prediction.decision.subnet
        self._predictions.labels(stream, prediction.label).inc()
        right = mark(prediction)
        if right is not None:
            self._scored.labels(stream, str(right).lower()).inc()
        deadline_ms = self._session.deadline_ms
        self._late.inc(deadline_ms is not None and prediction.latency_ms > deadline_ms)
        self._energy.inc(prediction.energy_mj / 1000.0)
        self._latency.observe(prediction.latency_ms / 1000.0)
        self._width.labels(stream).set(subnet.width)
        self._resolution.labels(stream).set(subnet.resolution)
        self._confidence.labels(stream).set(prediction.confidence)
        self._age.labels(stream).set(prediction.age_ms / 1000.0)
        if prediction.battery_frac is not None:
            self._battery.set(prediction.battery_frac)

    def collect(self) -> Iterator[Metric]:
        """What the session tells when it is asked."""
        session = self._session
        told = GaugeMetricFamily("kinestream_run", "What runs", labels=("source", "model", "policy"))
        told.add_metric([session.source_name, session.model_name, session.policy_text], 1)
        yield told
        counts = CounterMetricFamily("kinestream_events", "Samples, windows, and all that went wrong", labels=("kind",))
        for kind, count in session.counts().items():
            counts.add_metric([kind], count)
        yield counts
        if session.deadline_ms is not None:
            yield GaugeMetricFamily("kinestream_deadline_seconds", "For one window", session.deadline_ms / 1000.0)
        waiting, room = session.queued
        yield GaugeMetricFamily("kinestream_queue_chunks", "Chunks that wait for the pipeline", waiting)
        yield GaugeMetricFamily("kinestream_queue_capacity_chunks", "Chunks that may wait", room)
        yield GaugeMetricFamily(
            "kinestream_failures", "What has failed for good, the run apart", len(session.failures())
        )
        yield from self._links()

    def _links(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("kinestream_link_up", "The sensor streams", labels=("stream",))
        reconnects = CounterMetricFamily("kinestream_link_reconnects", "The sensor came back", labels=("stream",))
        battery = GaugeMetricFamily("kinestream_sensor_battery_ratio", "The sensor's own charge", labels=("stream",))
        for link in self._session.links():
            up.add_metric([link.name], link.state == "streaming")
            reconnects.add_metric([link.name], link.reconnects)
            if link.battery_frac is not None:
                battery.add_metric([link.name], link.battery_frac)
        yield from (family for family in (up, reconnects, battery) if family.samples)


def listen(address: str, *, insecure: bool = False) -> socket.socket:
    """A socket that listens on ``[HOST]:PORT``; without a host on this machine alone.

    Raises:
        ConfigError: the address is malformed or taken, or leads beyond this machine and ``insecure`` was not asked for.
    """
    host, colon, port_text = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not colon or not port_text.isdigit() or not 0 <= int(port_text) <= 65535:
        raise ConfigError(f"'{address}': expected [HOST]:PORT, e.g. :9100")
    if not insecure and not _is_loopback(host):
        raise ConfigError(f"'{address}' lets other machines read along, unencrypted; say --insecure to allow it")
    try:
        return socket.create_server((host, int(port_text)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port_text}: {error.strerror or error}; take another port"
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class MetricsServer:
    """Lives as long as a run: ``async with``. One answer a connection, and then it is closed.

    Args:
        session: its figures are told; subscribed to at once.
        listening: what ``listen`` gave; closed at the end.
    """

    def __init__(self, session: SessionLike, listening: socket.socket) -> None:
        self.figures = Figures(session)
        self._socket = listening
        self.port: int = listening.getsockname()[1]
        """Where it listens, also if any free port was asked for."""
        self._server: asyncio.Server | None = None
        self._visitors: set[asyncio.Task[None] | None] = set()
        session.subscribe(on_prediction=self.figures.on_prediction)

    async def __aenter__(self) -> MetricsServer:
        self._server = await asyncio.start_server(self._answer, sock=self._socket, limit=HEAD_BYTES)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for visitor in list(self._visitors):
            if visitor is not None:
                visitor.cancel()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._visitors.add(task)
        try:
            if len(self._visitors) > MOST_VISITORS:
                writer.write(_response("503 Service Unavailable", b"too many visitors\n"))
                # What is closed with a question unread is reset, and the visitor might never see the answer.
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TURNED_AWAY_S)
            else:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_S)
                writer.write(self._response(head))
            await asyncio.wait_for(writer.drain(), HEAD_S)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # a visitor who does not ask, or does not read the answer, gets none
        finally:
            self._visitors.discard(task)
            writer.close()

    def _response(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", b"GET only\n")
        if rest.split(b" ", 1)[0].partition(b"?")[0] not in (b"/metrics", b"/"):
            return _response("404 Not Found", b"see /metrics\n")
        told = generate_latest(self.figures.registry)
        return _response("200 OK", told, CONTENT_TYPE_LATEST, is_head=method == b"HEAD")


def _response(status: str, body: bytes, kind: str = "text/plain; charset=utf-8", *, is_head: bool = False) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (b"" if is_head else body)
