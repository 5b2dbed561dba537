"""Runs a command so that every failure becomes one line and an exit status; the traceback is for ``-v``."""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from contextlib import suppress
from typing import TextIO

from kinestream.core.errors import KinestreamError

from . import was_interrupted
from .terminal import SayingHandler, say, show

STOPPED = 130
"""Exit status after Ctrl-C, as shells report it."""

MAX_MESSAGE = 2000
"""Characters of an error that are shown: a message can quote what a file holds."""


def run_guarded(arguments: list[str]) -> int:
    """Run one command; see ``main``."""
    # -v works before and after the command's name.
    verbose = any(argument in ("-v", "--verbose") for argument in arguments)
    arguments = [argument for argument in arguments if argument not in ("-v", "--verbose")]
    handler = SayingHandler(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _stopped()
    except BrokenPipeError:
        return 0  # the reader of our output (`| head`) is gone
    except Exception as error:
        if was_interrupted():  # some compiled modules turn a KeyboardInterrupt into an ImportError
            return _stopped()
        with suppress(OSError):  # standard error can be full or gone as well
            if verbose:
                show(*"".join(traceback.format_exception(error)).rstrip("\n").split("\n"), out=sys.stderr)
            else:
                say(describe(error))
        return error.exit_status if isinstance(error, KinestreamError) else 1
    finally:
        logging.getLogger().removeHandler(handler)
        _discard_the_rest(sys.stdout)


def _stopped() -> int:
    with suppress(OSError):
        say("stopped")
    return STOPPED


def _run(arguments: list[str]) -> int:
    from .commands import run_command

    try:
        return run_command(arguments)
    except SystemExit as end:  # argparse has printed its message
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def describe(error: BaseException) -> str:
    """Return an error in one line: what it is about and, if it was unexpected, how to report it.

    >>> describe(KinestreamError("no such model"))
    'no such model'
    >>> describe(FileNotFoundError(2, "No such file or directory", "walk.csv"))
    'walk.csv: No such file or directory'
    """
    if isinstance(error, KinestreamError):
        text = str(error)
        return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}... ({len(text)} characters)"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'cannot write the output'}: {error.strerror}"
    if isinstance(error, MemoryError):
        return "this needs more memory than there is; ask for less, or end other programs"
    reason = str(error).split("\n")[0][:300]
    return (
        f"an error in kinestream itself: {type(error).__name__}{': ' * bool(reason)}{reason}; "
        "add -v for the traceback, and report it"
    )


def watch_threads() -> None:
    """Let what fails in a thread, or while objects are removed, become one line too."""

    def say_thread(failure: threading.ExceptHookArgs) -> None:
        if failure.exc_value is not None:
            say(describe(failure.exc_value))

    def say_unraisable(failure: sys.UnraisableHookArgs) -> None:
        if failure.exc_value is not None and not isinstance(failure.exc_value, BrokenPipeError):
            say(describe(failure.exc_value))

    threading.excepthook = say_thread
    sys.unraisablehook = say_unraisable


def _discard_the_rest(stream: TextIO) -> None:
    """Write what is left, or discard it: Python would complain about it once more when the process ends."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
