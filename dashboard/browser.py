"""A web server that shows the dashboard to browsers on this machine only."""

from __future__ import annotations

from aiohttp import web
from textual_serve.server import Server

MAX_VISITORS = 4
"""Each visitor gets a process with a separate run."""
_POLICY = "style-src 'self' 'unsafe-inline'; font-src 'self' data:"
"""Stops textual-serve's page from fetching a web font: opening the dashboard contacts no server."""


class BrowserServer(Server):
    """``textual_serve``'s server on 127.0.0.1, which accepts only its own pages.

    Any open web page can connect to a port of the user's machine. The browser names the page's origin, so foreign
    pages are rejected, and so are requests that address this machine by another name.

    Args:
        command: started once per visitor.
        port: the port to listen on.
    """

    def __init__(self, command: str, port: int) -> None:
        super().__init__(command, host="127.0.0.1", port=port, title="kinestream")
        self._visitors = 0

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.on_response_prepare.append(_without_web_fonts)
        return app

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        if request.headers.get("Origin") != self.public_url:
            raise web.HTTPForbidden(text="open the dashboard at " + self.public_url)
        if self._visitors >= MAX_VISITORS:
            raise web.HTTPServiceUnavailable(text=f"all {MAX_VISITORS} runs are in use; close one and reload")
        self._visitors += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._visitors -= 1


async def _without_web_fonts(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = _POLICY
