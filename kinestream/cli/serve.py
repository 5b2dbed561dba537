"""``kinestream serve``: the dashboard in a browser."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from typing import Any

from kinestream.core.errors import ConfigError, MissingExtra

COMMANDS = ("demo", "replay", "run")
"""The commands that have a dashboard."""


def add_parser(commands: Any) -> None:
    serve = commands.add_parser(
        "serve",
        help="the dashboard in a browser",
        description="Show a command's dashboard in browsers on this machine. Each visitor starts a separate run.",
        epilog="examples:\n  kinestream serve demo\n  kinestream serve --port 8001 run ble://polar --deadline 2",
    )
    serve.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1 (default 8000)")
    serve.add_argument("command", choices=COMMANDS, help="command to show")
    serve.add_argument("arguments", nargs=argparse.REMAINDER, help="the command's arguments, as without serve")
    serve.set_defaults(run=_serve)


def _serve(args: argparse.Namespace) -> int:
    if not 1 <= args.port <= 65535:
        raise ConfigError(f"--port {args.port} is not a port: choose one from 1 to 65535")
    if "--json" in args.arguments:
        raise ConfigError("--json prints lines instead of a dashboard; omit it with serve")
    try:
        from kinestream.dashboard.browser import BrowserServer
    except ImportError as error:
        raise MissingExtra("serve", "kinestream serve") from error
    dashboard = ["--dashboard"] if args.command != "demo" and "--dashboard" not in args.arguments else []
    command = [sys.executable, "-m", "kinestream", args.command, *args.arguments, *dashboard]
    try:
        BrowserServer(shlex.join(command), args.port).serve()
    except OSError as error:
        raise ConfigError(
            f"cannot listen on port {args.port}: {error.strerror or error}; choose another with --port"
        ) from None
    return 0


def in_browser() -> bool:
    """Return whether this process was started for a visitor of ``serve``."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")
