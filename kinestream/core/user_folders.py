"""The folders in which kinestream stores data for its user: named by a variable, else by the platform's convention."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def user_folder(own: str, *, unix: tuple[str, str], windows: str = "", name: str = "kinestream") -> Path:
    """Return the folder in the environment variable ``own``; else ``name`` in the user's folder of this kind.

    Args:
        unix: the variable for the user's folder of this kind, such as ``XDG_CACHE_HOME``, and its default in the home
            folder, such as ``.cache``.
        windows: the variable that replaces it on Windows, such as ``LOCALAPPDATA``.

    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, KINESTREAM_CACHE="/tmp/cache"):
    ...     user_folder("KINESTREAM_CACHE", unix=("XDG_CACHE_HOME", ".cache")).as_posix()
    '/tmp/cache'
    """
    if path := os.environ.get(own):
        return Path(path)
    variable, default = unix
    base = os.environ.get(windows if windows and sys.platform == "win32" else variable)
    return (Path(base) if base else Path.home() / default) / name
