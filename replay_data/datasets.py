"""Every dataset by its name, and where its files are looked for."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from kinestream.errors import ConfigError

from .hapt import open_hapt
from .recording import Dataset

OPENERS: dict[str, Callable[[Path], Dataset]] = {
    "hapt": open_hapt,
}


def default_data_dir() -> Path:
    """``$KINESTREAM_DATA``, else the folder where this platform keeps a user's data."""
    if own := os.environ.get("KINESTREAM_DATA"):
        return Path(own).expanduser()
    if xdg := os.environ.get("XDG_DATA_HOME"):
        return Path(xdg).expanduser() / "kinestream"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "kinestream"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "kinestream"
    return Path.home() / ".local" / "share" / "kinestream"


def open_dataset(name: str, data_dir: Path | None = None) -> Dataset:
    """The dataset of that name.

    Args:
        name: one of ``OPENERS``.
        data_dir: the folder that holds its archive or its extracted files, or a parent of that folder;
            default ``default_data_dir()``.

    Raises:
        ConfigError: there is no dataset of that name.
        DataMissing: it is not in the folder; names the command that fetches it.
        DataDamaged: its files are not what their format promises.
    """
    opener = OPENERS.get(name)
    if opener is None:
        near = difflib.get_close_matches(name, OPENERS, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise ConfigError(f"no dataset '{name}'; {hint}there are {', '.join(OPENERS)}")
    return opener(data_dir if data_dir is not None else default_data_dir())
