"""``serve``: the dashboard in a browser."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from typing import Any

from kinestream.core.errors import ConfigError, MissingExtra

SERVED = ("demo", "replay", "run")
"""The commands that have a dashboard."""


def add_parser(commands: Any) -> None:
    serve = commands.add_parser(
        "serve",
        help="the dashboard in a browser",
        description="Show a command's dashboard to a browser on this machine. Every visitor starts a run of their own.",
        epilog="examples:\n  kinestream serve demo\n  kinestream serve --port 8001 run ble://polar --deadline 2",
    )
    serve.add_argument("--port", type=int, default=8000, help="where to listen on 127.0.0.1 (default 8000)")
    serve.add_argument("command", choices=SERVED, help="what to show")
    serve.add_argument("arguments", nargs=argparse.REMAINDER, help="of the command, as without serve")
    serve.set_defaults(run=_serve)


def _serve(args: argparse.Namespace) -> int:
    if not 1 <= args.port <= 65535:
        raise ConfigError(f"--port {args.port}: expected 1 to 65535")
    if "--json" in args.arguments:
        raise ConfigError("--json prints lines; leave it out to see the dashboard")
    try:
        from kinestream.dashboard.browser import BrowserServer
    except ImportError as error:
        raise MissingExtra("serve", "kinestream serve") from error
    dashboard = ["--dashboard"] if args.command != "demo" and "--dashboard" not in args.arguments else []
    command = [sys.executable, "-m", "kinestream", args.command, *args.arguments, *dashboard]
    try:
        BrowserServer(shlex.join(command), args.port).serve()
    except OSError as error:
        raise ConfigError(f"cannot listen on port {args.port}: {error.strerror or error}; take another one") from None
    return 0


def in_browser() -> bool:
    """Whether this process was started for a visitor of ``serve``."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")
