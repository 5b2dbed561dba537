"""Everything that the command line prints passes through here; and a person's Ctrl-C.

Labels, stream names, file names and messages come from strangers: ``show`` and ``safe_console`` write their control
characters as escapes, so that none steers the terminal or feigns another line.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, TextIO

from kinestream.core.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

CLEAR_LINE = "\r\x1b[K"
_status_shown = False
"""Whether the last line of standard error is a status line, which the next line replaces."""


def show(*lines: object, out: TextIO | None = None) -> None:
    """Print each line, on standard output by default."""
    global _status_shown
    stream: TextIO = out or sys.stdout
    clear = ""
    if _status_shown and stream is sys.stderr:
        clear, _status_shown = CLEAR_LINE, False
    stream.write(clear + "".join(f"{printable(line)}\n" for line in lines))
    stream.flush()


def say(line: object) -> None:
    """Print one line for the person at the terminal, on standard error."""
    show(f"kinestream: {line}", out=sys.stderr)


def show_status(line: str, *, bell: bool = False) -> None:
    """Show a line at the terminal that the next line, or the next status, replaces; cut to the terminal's width."""
    global _status_shown
    _status_shown = True
    text = printable(line)[: get_terminal_size().columns - 1]
    sys.stderr.write(f"{CLEAR_LINE}{text}" + ("\a" if bell else ""))
    sys.stderr.flush()


def keep_status() -> None:
    """Leave the status line where it is and continue below it."""
    global _status_shown
    if _status_shown:
        _status_shown = False
        show("", out=sys.stderr)


def safe_console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Return a console for Rich's tables and progress bars: it reads no markup, and escapes control characters."""
    from .safe_console import SafeConsole

    return SafeConsole(stderr=stderr, soft_wrap=soft_wrap)


class SayingHandler(logging.Handler):
    """Says every warning of the program and its libraries in one line."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            error = record.exc_info[1] if record.exc_info else None
            say(record.getMessage().split("\n")[0] + (f": {type(error).__name__}: {error}" if error else ""))
        except Exception:  # a broken message or a closed terminal must not end the run
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: standard error itself is gone."""


def progress(title: str) -> Callable[[int, int], None]:
    """A callback that shows how much is done, in one line that is overwritten; silent without a terminal."""

    def show_progress(done: int, total: int) -> None:
        if sys.stderr.isatty() and (done % 50 == 0 or done == total):
            show_status(f"{title}: {done / total:4.0%} ")
            if done == total:
                keep_status()

    return show_progress


def stop_on_signals(stop: Callable[[], Any]) -> None:
    """Let Ctrl-C and a polite kill end the run as if the source had ended."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:  # Windows has no such handlers in its event loop
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))


def restore_signals() -> None:
    """Undo ``stop_on_signals``: Ctrl-C interrupts again."""
    loop = asyncio.get_running_loop()
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        try:
            loop.remove_signal_handler(number)
        except NotImplementedError:
            signal.signal(number, handler)
