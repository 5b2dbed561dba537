"""A web server that shows the dashboard only to the person who started it, not to other users of the machine.

Every user of a machine can connect to its local ports, and every open web page can try. The address therefore holds a
secret, new at each start. Requests must also name this machine as their host, and a connection that steers a run must
come from a page of this server; a tunnel with another local port does both.
"""

from __future__ import annotations

import errno
import hmac
import ipaddress
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp_jinja2
import jinja2
from aiohttp import web
from textual_serve.server import Server, to_int

MAX_VISITORS = 4
"""Each visitor gets a process with a separate run."""
SHUTDOWN_S = 3.0
"""How long open pages may take to end their runs once the server ends."""
_HEADERS = {
    # The fonts: textual-serve's page would fetch one from the web. The frame: no other page may hold this one.
    "Content-Security-Policy": "style-src 'self' 'unsafe-inline'; font-src 'self' data:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address is the secret
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_DOWNLOAD = "download"


class BrowserServer(Server):
    """``textual_serve``'s server at this machine's own addresses, behind a secret path.

    Args:
        command: started once per visitor.
        sockets: listen for visitors; see ``listen``.
        on_ready: called with the address once the server accepts connections.
    """

    def __init__(self, command: str, sockets: list[socket.socket], on_ready: Callable[[str], None]) -> None:
        super().__init__(command, host="127.0.0.1", port=sockets[0].getsockname()[1], title="kinestream")
        self._sockets = sockets
        self._secret = secrets.token_urlsafe(24)
        self._on_ready = on_ready
        self._visitors = 0

    @property
    def address(self) -> str:
        """The address of the page; who knows it steers the runs."""
        return f"{self.public_url}/{self._secret}/"

    def serve(self, debug: bool = False) -> None:
        """Serve until Ctrl-C or a polite kill."""
        logging.getLogger("textual-serve").setLevel(logging.CRITICAL + 1)  # what goes wrong shows in the page
        web.run_app(self._make_app(), sock=self._sockets, access_log=None, shutdown_timeout=SHUTDOWN_S, print=None)

    async def on_startup(self, app: web.Application) -> None:
        self._on_ready(self.address)

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._admit])
        aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(self.templates_path))
        root = f"/{self._secret}"
        app.add_routes(
            [
                web.get(f"{root}/", self.handle_index),
                web.get(f"{root}/ws", self.handle_websocket),
                web.static(f"{root}/static", self.statics_path),
                # textual-serve's page asks for downloads here; each has a random key that is good for one download.
                web.get(f"/{_DOWNLOAD}/{{key}}", self.handle_download),
            ]
        )
        app.on_response_prepare.append(_add_headers)
        app.on_startup.append(self.on_startup)
        return app

    @web.middleware
    async def _admit(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not names_this_machine(request.host):
            raise web.HTTPForbidden(text="open the dashboard by the name of this machine: localhost or 127.0.0.1")
        first = request.path.split("/")[1]
        if first != _DOWNLOAD and not hmac.compare_digest(first.encode(), self._secret.encode()):
            raise web.HTTPForbidden(text="open the whole address that kinestream serve printed; it holds a secret")
        return await handler(request)

    async def handle_index(self, request: web.Request) -> web.Response:
        here = f"{request.host}/{self._secret}"  # as the browser sees it: a tunnel has another port
        context = {
            "font_size": to_int(request.query.get("fontsize", "16"), 16),
            "app_websocket_url": f"ws://{here}/ws",
            "config": {"static": {"url": f"http://{here}/static/"}},
            "application": {"name": self.title},
        }
        return aiohttp_jinja2.render_template("app_index.html", request, context)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        if request.headers.get("Origin") != f"http://{request.host}":
            raise web.HTTPForbidden(text="only the dashboard's own page may connect")
        if self._visitors >= MAX_VISITORS:
            raise web.HTTPServiceUnavailable(text=f"all {MAX_VISITORS} runs are in use; close one and reload")
        self._visitors += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._visitors -= 1


def names_this_machine(host: str) -> bool:
    """Return whether a request's host is ``localhost`` or a loopback address, at any port.

    >>> names_this_machine("localhost:9000"), names_this_machine("[::1]:8000"), names_this_machine("example.org")
    (True, True, False)
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def listen(port: int) -> list[socket.socket]:
    """Return sockets at a port of 127.0.0.1 and, where there is IPv6, of ::1.

    Both or none: a browser may resolve ``localhost`` to either, and would show the secret to the owner of the other.

    Raises:
        OSError: the port is in use or not allowed.
    """
    sockets = [socket.create_server(("127.0.0.1", port))]
    try:
        sockets.append(socket.create_server(("::1", port), family=socket.AF_INET6))
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            sockets[0].close()
            raise
    return sockets


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
