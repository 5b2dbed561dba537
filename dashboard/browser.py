"""Shows the dashboard to browsers on this machine, and to nobody else."""

from __future__ import annotations

from aiohttp import web
from textual_serve.server import Server

MOST_VISITORS = 4
"""Each one is a process with a run of its own."""
_POLICY = "style-src 'self' 'unsafe-inline'; font-src 'self' data:"
"""Keeps the page of textual-serve from fetching a font from the web: looking at the dashboard calls nobody."""


class BrowserServer(Server):
    """``textual_serve``'s server on 127.0.0.1, for pages of its own only.

    Any page a person has open may connect to a port of their machine. Its browser says from where it came, so
    such a page is turned away, and with it whoever gives this machine another name.

    Args:
        command: started once for every visitor.
        port: where to listen.
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
        if self._visitors >= MOST_VISITORS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_VISITORS} runs are shown already; close one")
        self._visitors += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._visitors -= 1


async def _without_web_fonts(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = _POLICY
