"""Reads single keys from the terminal while an event loop runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable

POLL_S = 0.05
"""Polling interval on Windows, where a key press cannot wake the event loop."""


@contextlib.asynccontextmanager
async def keys(on_key: Callable[[str], None]) -> AsyncIterator[bool]:
    """Call back with every key pressed; yields whether there is a keyboard, that is, a terminal.

    Ctrl-C still interrupts. On exit the terminal has its former settings.
    """
    if not sys.stdin.isatty():
        yield False
    elif sys.platform == "win32":
        poller = asyncio.create_task(_poll(on_key))
        try:
            yield True
        finally:
            poller.cancel()
    else:
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        loop = asyncio.get_running_loop()

        def read() -> None:
            pressed = os.read(descriptor, 64).decode(errors="ignore")
            if not pressed:  # the terminal is gone and would stay readable forever
                loop.remove_reader(descriptor)
            for key in pressed:
                on_key(key)

        tty.setcbreak(descriptor)
        loop.add_reader(descriptor, read)
        try:
            yield True
        finally:
            loop.remove_reader(descriptor)
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


async def _poll(on_key: Callable[[str], None]) -> None:
    import msvcrt

    while True:
        while msvcrt.kbhit():  # type: ignore[attr-defined]  # Windows only
            on_key(msvcrt.getwch())  # type: ignore[attr-defined]
        await asyncio.sleep(POLL_S)
