"""The library pylsl, which is optional and differs between versions."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from kinestream.core.errors import MissingExtra


def load() -> Any:
    """Import and return pylsl.

    Raises:
        MissingExtra: pylsl or liblsl is not installed.
    """
    try:
        return import_module("pylsl")
    except (ImportError, RuntimeError, OSError) as error:  # without liblsl, pylsl raises RuntimeError
        raise MissingExtra("lsl", "lsl://") from error


def gone_errors(lsl: Any) -> tuple[type[Exception], ...]:
    """Return the exceptions for a stream that has gone: in pylsl's first module up to 1.17, later in ``util``."""
    places = [lsl, import_module("pylsl.util")] if not hasattr(lsl, "LostError") else [lsl]
    names = ("LostError", "TimeoutError")
    found = {getattr(place, name) for place in places for name in names if hasattr(place, name)}
    return (*found, TimeoutError)
