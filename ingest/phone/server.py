"""HTTP server for the pushes of the Sensor Logger app, hardened against untrusted clients."""

from __future__ import annotations

import asyncio
import hmac
import html
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from kinestream.core.connections import Connections
from kinestream.core.errors import ConfigError, DecodeError

from .json_text import MAX_EXAMPLE
from .sensor_logger import MAX_BODY_BYTES, Message, decode

MESSAGES_PER_S = 100.0
"""Maximum sustained rate of messages, twenty times the app's fastest; beyond a burst, more are refused."""
BURST = 1000
BYTES_PER_S, BURST_BYTES = 4e6, 64e6
"""The same for bytes: a phone at its fastest sends 0.2 MB a second; a burst is what it saved without a network."""
MAX_IN_FLIGHT_BYTES = 16 * 2**20
"""Bytes of messages that are read at the same time."""
MAX_CONNECTIONS = 64
"""Connections at the same time; each phone needs one or two."""
BODY_TIMEOUT_S = 30.0
_SILENT = logging.getLogger(f"{__name__}.http")
_SILENT.setLevel(logging.CRITICAL + 1)  # requests of strangers are counted, not logged


class TooManyDevices(Exception):
    """The message comes from a new device, and the maximum number of devices is reached."""


class Receiver(Protocol):
    """Callback for messages."""

    def __call__(self, message: Message, agent: str, received_s: float) -> None:
        """Handle a message.

        Raises:
            DecodeError: the message contradicts earlier ones.
            TooManyDevices: there is no room for its device.
        """
        ...


class PushServer:
    """HTTP server that listens from its construction and responds after ``start``.

    Args:
        host, port: the address to listen on; port 0 is any free port.
        token: the secret in every request, at the end of its path or in the header ``Authorization``.
        now: the host's clock, for arrival times.
    Raises:
        ConfigError: the address is not available.

    >>> server = PushServer("127.0.0.1", 0, "k3x9abcd")
    >>> server.port > 0, server.reached
    (True, False)
    >>> server.close_listener()
    """

    def __init__(self, host: str, port: int, token: str, now: Callable[[], float] = time.monotonic) -> None:
        self._token = token.encode()
        self._now = now
        self._allowance, self._allowed_s = float(BURST), now()
        self._in_flight = 0  # bytes of bodies that are being read
        self._byte_allowance = float(BURST_BYTES)
        self._runner: web.AppRunner | None = None
        self._connections: Connections | None = None
        self._receive: Receiver | None = None
        self.counts: Counter[str] = Counter()
        """Refused requests: ``unauthorised``, ``malformed``, ``too_large``, ``too_slow``, ``too_fast``,
        ``too_many_at_once``, ``too_many_devices``; also ``test_messages``."""
        self.reached = False
        """Whether any request has arrived."""
        self.refused = 0
        """Refused requests of all kinds."""
        self.example, self.reason = b"", ""
        """The start of the newest refused message, empty if it was not read, and why it was refused."""
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]

    async def start(self, receive: Receiver) -> None:
        """Start responding to requests; ``receive`` gets the messages."""
        self._receive = receive
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = self._runner = web.AppRunner(app, access_log=None, logger=_SILENT)
        await runner.setup()
        assert runner.server is not None
        self._connections = Connections(self._socket, runner.server, MAX_CONNECTIONS)

    async def close(self) -> None:
        """Stop listening; may be called twice."""
        if self._connections is not None:
            connections, self._connections = self._connections, None
            await connections.close()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()
        self.close_listener()

    def close_listener(self) -> None:
        """Stop listening before ``start``."""
        self._socket.close()

    async def _handle(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if path == "favicon.ico":  # every browser requests it
            return web.Response(status=404)
        self.reached = True
        if not self._is_authorised(path, request.headers.get("Authorization", "")):
            return self._refuse(401, "unauthorised", "wrong token; enter the whole address that kinestream shows")
        if request.method in ("GET", "HEAD"):
            return _page(f"http://{request.host}/{self._token.decode()}")
        if request.method != "POST":
            return self._refuse(405, "malformed", f"{request.method} is not supported; expected POST")
        size = MAX_BODY_BYTES if request.content_length is None else request.content_length
        if size > MAX_BODY_BYTES:
            return self._refuse(413, "too_large", f"{size} bytes; expected at most {MAX_BODY_BYTES}: send more often")
        if not self._may_proceed(size):
            limit = f"{MESSAGES_PER_S:g} messages and {BYTES_PER_S / 1e6:g} MB a second"
            return self._refuse(429, "too_fast", f"too fast; expected at most {limit}: send less, or wait")
        if self._in_flight + size > MAX_IN_FLIGHT_BYTES:
            limit = f"{MAX_IN_FLIGHT_BYTES / 1e6:g} MB are being read already"
            return self._refuse(503, "too_many_at_once", f"{limit}; send one message after the other")
        self._in_flight += size
        try:
            body = await asyncio.wait_for(request.read(), BODY_TIMEOUT_S)
        except web.HTTPRequestEntityTooLarge:
            return self._refuse(413, "too_large", f"too large; expected at most {MAX_BODY_BYTES} bytes")
        except TimeoutError:
            return self._refuse(408, "too_slow", f"the message is incomplete after {BODY_TIMEOUT_S:g} s")
        except (web.RequestPayloadError, web.HTTPException):
            return self._refuse(400, "malformed", "the body is damaged")
        finally:
            self._in_flight -= size
        return self._take(body, request.headers.get("User-Agent", ""))

    def _take(self, body: bytes, agent: str) -> web.Response:
        assert self._receive is not None
        try:
            message = decode(body)
            if message is None:
                self.counts["test_messages"] += 1
            else:
                self._receive(message, agent, self._now())
        except DecodeError as error:
            return self._refuse(400, "malformed", str(error), body[:MAX_EXAMPLE], error.reason)
        except TooManyDevices as error:
            return self._refuse(503, "too_many_devices", str(error))
        return web.Response(text="kinestream received the message\n")

    def _refuse(self, status: int, kind: str, reason: str, example: bytes = b"", short: str = "") -> web.Response:
        self.counts[kind] += 1
        self.refused += 1
        self.example, self.reason = example, short or reason
        return web.Response(status=status, text=reason + "\n")

    def _is_authorised(self, path: str, header: str) -> bool:
        """Return whether the request contains the token; compares in constant time, which reveals nothing about it."""
        path, header = path.strip("/"), header.strip()
        candidates = (path, path.rpartition("/")[2], header, header.rpartition(" ")[2])
        return any(hmac.compare_digest(text.encode("utf-8", "replace"), self._token) for text in candidates)

    def _may_proceed(self, size: int) -> bool:
        """Return whether the rates of messages and of bytes are within their limits (token buckets)."""
        now = self._now()
        passed_s, self._allowed_s = now - self._allowed_s, now
        self._allowance = min(self._allowance + passed_s * MESSAGES_PER_S, BURST)
        self._byte_allowance = min(self._byte_allowance + passed_s * BYTES_PER_S, BURST_BYTES)
        if self._allowance < 1 or self._byte_allowance < size:
            return False
        self._allowance -= 1
        self._byte_allowance -= size
        return True


def _listen(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot listen at {host}:{port}: {error}; use phone://?port={port + 1 if port else 8000} or host=..."
        ) from None
    listener.setblocking(False)
    return listener


_PAGE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>kinestream</title><body style="font:1.1em/1.5 sans-serif;margin:1.5em">
<h1>This phone reaches kinestream</h1>
<p>In Sensor Logger: Settings, Data Streaming, Enable HTTP Push, with this Push URL:</p>
<p><input readonly style="width:100%;font:1em monospace;padding:.5em" onclick="this.select()" value="{url}"></p>
<p>Then switch on Accelerometer, Gravity and Gyroscope, and tap Start Recording.</p>
"""


def _page(url: str) -> web.Response:
    return web.Response(text=_PAGE.format(url=html.escape(url)), content_type="text/html")
