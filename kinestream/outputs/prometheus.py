"""Prometheus metrics of a running session: ``GET /metrics`` on a separate socket, in the session's event loop."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from kinestream.core.connections import Connections
from kinestream.core.errors import ConfigError, MissingExtra
from kinestream.core.recent import Recent
from kinestream.core.scoring import is_right

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.exposition import CONTENT_TYPE_LATEST
except ImportError as error:
    raise MissingExtra("metrics", "--metrics") from error

if TYPE_CHECKING:
    from kinestream.core.evidence import StreamFigures
    from kinestream.core.operating_table import OperatingTable
    from kinestream.core.signals import Prediction
    from kinestream.core.source import LinkStatus
    from kinestream.observe.findings import Notice

LATENCIES_S = (2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0)
MAX_CLIENTS = 8
"""Number of clients served at the same time; further ones are rejected."""
MAX_CONNECTIONS = 32
"""Number of connections at the same time, idle and rejected ones included."""
REJECTED_DRAIN_S = 0.5
"""Time to drain the request of a rejected client."""
MAX_LABELLED = 256
"""Streams with series of their own: the newest, four times as many as are served at once."""
REQUEST_BYTES, REQUEST_S = 8192, 5.0
"""Maximum size of a request's head, and maximum time until it has arrived."""


STREAM_GAUGES: tuple[tuple[str, str, Callable[[StreamFigures], float | None]], ...] = (
    ("rate_hertz", "Measured over the last seconds", lambda stream: stream.rate_hz),
    ("announced_rate_hertz", "The nominal rate", lambda stream: stream.announced_hz),
    ("jitter_seconds", "Spread of nine in ten intervals", lambda stream: _seconds(stream.jitter_ms)),
    ("age_seconds", "Mean age of the newest sample on arrival", lambda stream: _seconds(stream.age_ms)),
    ("coverage_ratio", "Measured share of the windows' samples", lambda stream: stream.coverage),
    ("interpolated_ratio", "Share of the time in holes between samples", lambda stream: stream.interpolated_share),
    ("burst_samples", "Samples that usually come at one instant", lambda stream: stream.burst_samples),
    ("lost_ratio", "Share of samples that are proven lost", lambda stream: stream.lost_share),
    ("silence_seconds", "Since the last sample", lambda stream: stream.silence_s),
)
"""Name, help and value of each gauge of a stream."""


def _seconds(value_ms: float | None) -> float | None:
    return None if value_ms is None else value_ms / 1000.0


class ObservedSession(Protocol):
    """The part of a session that the metrics read; ``kinestream.run.session.Session`` has it."""

    @property
    def source_name(self) -> str: ...

    @property
    def model_name(self) -> str: ...

    @property
    def policy_text(self) -> str: ...

    @property
    def table(self) -> OperatingTable: ...

    @property
    def deadline_ms(self) -> float | None: ...

    @property
    def queued(self) -> tuple[int, int]:
        """Number of chunks waiting for the pipeline, and the queue's capacity."""
        ...

    def links(self) -> Sequence[LinkStatus]: ...

    def figures(self) -> Sequence[StreamFigures]: ...

    def findings(self) -> Sequence[Notice]: ...

    def failures(self) -> list[str]: ...

    def counts(self) -> Mapping[str, int]: ...

    def subscribe(self, *, on_prediction: Callable[[Prediction], None]) -> None: ...


class SessionMetrics:
    """Metrics updated with every prediction, plus those read from the session at each scrape.

    Not thread-safe: use it in the thread that runs the session.
    """

    def __init__(self, session: ObservedSession) -> None:
        self._session = session
        self._labels = Recent[str, set[str]](MAX_LABELLED)  # the labels of each stream that have a series
        self.registry = registry = CollectorRegistry()
        by_label, by_stream = ("stream", "label"), ("stream",)
        self._predictions = Counter("kinestream_predictions", "Windows recognised", by_label, registry=registry)
        self._concluded = Counter(
            "kinestream_concluded", "Windows by the label that is shown", by_label, registry=registry
        )
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
            "kinestream_age_seconds", "Age of the newest sample at the prediction", by_stream, registry=registry
        )
        self._battery = Gauge("kinestream_battery_ratio", "Charge left; NaN if unknown", registry=registry)
        self._battery.set(float("nan"))
        registry.register(self)  # type: ignore[arg-type]  # the registry needs nothing but ``collect``

    def on_prediction(self, prediction: Prediction) -> None:
        """Count a prediction."""
        stream, subnet = prediction.stream, prediction.decision.subnet
        self._label(prediction)
        self._predictions.labels(stream, prediction.label).inc()
        self._concluded.labels(stream, (prediction.conclusion or prediction).label).inc()
        right = is_right(prediction)
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

    def _label(self, prediction: Prediction) -> None:
        """Note the series of a stream; those of the stream that is silent for longest go, so that they are bounded."""
        stream = prediction.stream
        labels = self._labels.get(stream)
        if labels is None:
            if len(self._labels) >= MAX_LABELLED:
                self._forget(*self._labels.popitem(last=False))
            labels = self._labels[stream] = set()
        labels.update((prediction.label, (prediction.conclusion or prediction).label))

    def _forget(self, stream: str, labels: set[str]) -> None:
        series = [(family, (stream, label)) for family in (self._predictions, self._concluded) for label in labels]
        series += [(self._scored, (stream, right)) for right in ("true", "false")]
        series += [(family, (stream,)) for family in (self._width, self._resolution, self._confidence, self._age)]
        for family, names in series:
            with suppress(KeyError):
                family.remove(*names)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics read from the session at each scrape."""
        session = self._session
        run = GaugeMetricFamily("kinestream_run", "What runs", labels=("source", "model", "policy"))
        run.add_metric([session.source_name, session.model_name, session.policy_text], 1)
        yield run
        counts = CounterMetricFamily(
            "kinestream_events", "Samples, windows, and everything that went wrong", labels=("kind",)
        )
        for kind, count in session.counts().items():
            counts.add_metric([kind], count)
        yield counts
        if session.deadline_ms is not None:
            yield GaugeMetricFamily("kinestream_deadline_seconds", "For one window", session.deadline_ms / 1000.0)
        waiting, capacity = session.queued
        yield GaugeMetricFamily("kinestream_queue_chunks", "Chunks that wait for the pipeline", waiting)
        yield GaugeMetricFamily("kinestream_queue_capacity_chunks", "Chunks that may wait", capacity)
        yield GaugeMetricFamily(
            "kinestream_failures", "Permanent failures beside the running session", len(session.failures())
        )
        yield from self._findings()
        yield from self._links()
        yield from self._streams()

    def _findings(self) -> Iterator[Metric]:
        labels = ("stream", "check", "level")
        family = GaugeMetricFamily("kinestream_finding", "What is wrong with a stream now", labels=labels)
        for notice in self._session.findings():
            family.add_metric([notice.stream, notice.finding.about, notice.finding.level], 1)
        yield family

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

    def _streams(self) -> Iterator[Metric]:
        figures = self._session.figures()
        for name, help_text, values in STREAM_GAUGES:
            family = GaugeMetricFamily(f"kinestream_stream_{name}", help_text, labels=("stream",))
            for stream in figures:
                value = values(stream)
                if value is not None:
                    family.add_metric([stream.stream], value)
            if family.samples:
                yield family


def listen(address: str, *, insecure: bool = False) -> socket.socket:
    """Return a socket that listens on ``[HOST]:PORT``; without a host, on this machine only.

    Raises:
        ConfigError: the address is malformed or in use, or other machines can reach it and ``insecure`` is False.

    >>> with listen(":0") as listener:
    ...     listener.getsockname()[0]
    '127.0.0.1'
    """
    host, colon, port_text = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not colon or not port_text.isdigit() or not 0 <= int(port_text) <= 65535:
        raise ConfigError(f"'{address}': expected [HOST]:PORT, e.g. :9100")
    if not insecure and not _is_loopback(host):
        raise ConfigError(
            f"'{address}' serves unencrypted metrics to other machines; use 127.0.0.1, or allow it with --insecure"
        )
    try:
        return socket.create_server((host, int(port_text)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port_text}: {error.strerror or error}; use another port") from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class MetricsServer:
    """HTTP server of a session's metrics, for the length of the run; an async context manager.

    It sends one response per connection, then closes the connection.

    Args:
        session: the session to measure; subscribed to immediately.
        listening: the socket from ``listen``; closed at the end.
    """

    def __init__(self, session: ObservedSession, listening: socket.socket) -> None:
        self.metrics = SessionMetrics(session)
        self._socket = listening
        self.port: int = listening.getsockname()[1]
        """The port in use, also where port 0 was requested."""
        self._connections: Connections | None = None
        self._clients: set[asyncio.Task[None] | None] = set()
        session.subscribe(on_prediction=self.metrics.on_prediction)

    async def __aenter__(self) -> MetricsServer:
        self._connections = Connections(self._socket, self._protocol, MAX_CONNECTIONS, REQUEST_S)
        return self

    def _protocol(self) -> asyncio.Protocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(REQUEST_BYTES), self._serve_client)

    async def __aexit__(self, *_: object) -> None:
        if self._connections is not None:
            await self._connections.close()
        self._socket.close()
        for client in list(self._clients):
            if client is not None:
                client.cancel()

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._clients.add(task)
        try:
            if len(self._clients) > MAX_CLIENTS:
                writer.write(_response("503 Service Unavailable", b"too many clients\n"))
                # Closing with the request unread resets the connection, and the client might never see the response.
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REJECTED_DRAIN_S)
            else:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_S)
                writer.write(self._response(head))
            await asyncio.wait_for(writer.drain(), REQUEST_S)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # the client sent no complete request, or does not read the response
        finally:
            self._clients.discard(task)
            writer.close()

    def _response(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", b"GET only\n")
        if rest.split(b" ", 1)[0].partition(b"?")[0] not in (b"/metrics", b"/"):
            return _response("404 Not Found", b"see /metrics\n")
        body = generate_latest(self.metrics.registry)
        return _response("200 OK", body, CONTENT_TYPE_LATEST, is_head=method == b"HEAD")


def _response(status: str, body: bytes, kind: str = "text/plain; charset=utf-8", *, is_head: bool = False) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (b"" if is_head else body)
