"""The command line."""

from __future__ import annotations

# Not signal, which takes milliseconds to import: until the handler is set, Ctrl-C prints a traceback.
import _signal  # pyright: ignore[reportMissingImports]
import os
import sys

_interrupted = False


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: None: this is the program, with the arguments of the process.

    Returns:
        0: done. 1: failed. 2: wrong use. 130: stopped by Ctrl-C. The reason is one line on standard error.
    """
    if arguments is not None:
        from .guarded import run_guarded

        return run_guarded(arguments)
    # Nothing catches a KeyboardInterrupt while modules load and while the process ends.
    interruptible = _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler
    if interruptible:
        _signal.signal(_signal.SIGINT, _end_at_once)
    from .guarded import run_guarded, watch_threads

    watch_threads()
    try:
        if interruptible:
            _signal.signal(_signal.SIGINT, _interrupt)
        return run_guarded(sys.argv[1:])
    finally:
        if interruptible:
            _signal.signal(_signal.SIGINT, _end_at_once)


def was_interrupted() -> bool:
    """Return whether Ctrl-C was pressed before an event loop ran."""
    return _interrupted


def _interrupt(_: int, __: object) -> None:
    global _interrupted
    _interrupted = True
    raise KeyboardInterrupt


def _end_at_once(_: int, __: object) -> None:
    os.write(2, b"kinestream: stopped\n")
    os._exit(130)
