"""What a command says when an optional part is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kinestream.core.errors import MissingExtra

_MODULES = {"train": ("torch", "matplotlib")}
"""What each extra brings."""


@contextmanager
def extra_for(extra: str, command: str) -> Iterator[None]:
    """Around the imports of a command.

    Raises:
        MissingExtra: one of them lacks a module that the extra brings.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _MODULES[extra]:
            raise
        raise MissingExtra(extra, command) from error
