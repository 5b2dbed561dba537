"""Turns a missing optional package into an error that names its extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kinestream.core.errors import MissingExtra

_MODULES = {"train": ("torch", "matplotlib")}
"""The modules that each extra installs."""


@contextmanager
def extra_for(extra: str, command: str) -> Iterator[None]:
    """A context for the imports of a command.

    Raises:
        MissingExtra: an import needs a module of the extra, and it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _MODULES[extra]:
            raise
        raise MissingExtra(extra, command) from error
