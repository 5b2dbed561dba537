"""Everything that the command line prints passes through here; and a person's Ctrl-C.

Labels, stream names, file names and messages come from strangers: ``show`` and ``console`` write their control
characters as escapes, so that none steers the terminal or feigns another line.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import Any, TextIO

from kinestream.core.printable import printable


def show(*lines: object, out: TextIO | None = None) -> None:
    """Print each line, on standard output by default."""
    stream: TextIO = out or sys.stdout
    stream.write("".join(f"{printable(line)}\n" for line in lines))
    stream.flush()


def say(line: object) -> None:
    """Print one line for the person at the terminal, on standard error."""
    show(f"kinestream: {line}", out=sys.stderr)


def progress(title: str) -> Callable[[int, int], None]:
    """A callback that shows how much is done, in one line that is overwritten; silent without a terminal."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty() and (done % 50 == 0 or done == total):
            print(f"\r{title}: {done / total:4.0%} ", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show


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
