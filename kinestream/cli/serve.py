"""``kinestream serve``: the dashboard in a browser."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kinestream.core.errors import ConfigError, MissingExtra

from .terminal import say, show

COMMANDS = ("demo", "replay", "run")
"""The commands that have a dashboard."""


def add_parser(commands: Any) -> None:
    serve = commands.add_parser(
        "serve",
        help="the dashboard in a browser",
        description="Show a command's dashboard in your browser. The printed address holds a secret: who knows it\n"
        "steers the runs. Each visitor starts a separate run.",
        epilog="examples:\n  kinestream serve demo\n  kinestream serve --port 8001 run ble://polar --deadline 2",
    )
    serve.add_argument("--port", type=int, default=8000, help="port on this machine (default 8000)")
    serve.add_argument("--no-browser", action="store_true", help="only print the address")
    serve.add_argument("command", choices=COMMANDS, help="command to show")
    serve.add_argument("arguments", nargs=argparse.REMAINDER, help="the command's arguments, as without serve")
    serve.set_defaults(run=_serve)


def _serve(args: argparse.Namespace) -> int:
    if not 1 <= args.port <= 65535:
        raise ConfigError(f"--port {args.port} is not a port: choose one from 1 to 65535")
    if "--json" in args.arguments:
        raise ConfigError("--json prints lines instead of a dashboard; omit it with serve")
    try:
        from kinestream.dashboard.browser import BrowserServer, listen
        from kinestream.dashboard.open_browser import has_browser, open_browser
    except ImportError as error:
        raise MissingExtra("serve", "kinestream serve") from error
    dashboard = ["--dashboard"] if args.command != "demo" and "--dashboard" not in args.arguments else []
    command = [sys.executable, "-m", "kinestream", args.command, *args.arguments, *dashboard]
    try:
        sockets = listen(args.port)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on port {args.port}: {error.strerror or error}; choose another with --port"
        ) from None
    with TemporaryDirectory(prefix="kinestream-", ignore_cleanup_errors=True) as folder:

        def ready(address: str) -> None:
            show(address)
            say("who knows this address steers the runs; Ctrl-C ends them")
            if has_browser() and not args.no_browser:
                open_browser(address, Path(folder))

        BrowserServer(shlex.join(command), sockets, ready).serve()
    return 0


def in_browser() -> bool:
    """Return whether this process was started for a visitor of ``serve``."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")
