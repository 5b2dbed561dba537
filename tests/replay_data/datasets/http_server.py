"""A local HTTP server that can drop connections, change its file, and ignore ranges."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Served:
    """The server's file and faults, and the requests it received."""

    content: bytes
    tag: str = '"v1"'
    ranges: bool = True
    break_after: list[int] = field(default_factory=list)
    """Bytes that the first responses send before the connection closes."""
    status: list[int] = field(default_factory=list)
    """Status codes of the first responses, which send no content."""
    requested_ranges: list[str | None] = field(default_factory=list)
    """The Range header of each request."""
    url: str = ""


@contextmanager
def serve(served: Served) -> Iterator[Served]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested = self.headers.get("Range")
            served.requested_ranges.append(requested)
            if served.status:
                self.send_error(served.status.pop(0))
                return
            start = 0
            if requested and served.ranges and self.headers.get("If-Range") in (None, served.tag):
                start = int(requested.removeprefix("bytes=").rstrip("-"))
            if start >= len(served.content) > 0:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(served.content)}")
                self.end_headers()
                return
            body = served.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(served.content) - 1}/{len(served.content)}")
            if served.tag:
                self.send_header("ETag", served.tag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: served.break_after.pop(0)] if served.break_after else body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}/data.zip"
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
