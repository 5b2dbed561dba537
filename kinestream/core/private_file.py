"""Files and folders that only this user can read: recordings, journals, keys and addresses with a secret."""

from __future__ import annotations

import os
from pathlib import Path


def private_opener(path: str, flags: int) -> int:
    """Open a file for ``open(path, mode, opener=private_opener)``; a new one has mode 0600 from the start.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp(), "secret.txt")
    >>> with open(path, "x", opener=private_opener) as file:
    ...     _ = file.write("secret")
    >>> os.name == "nt" or oct(path.stat().st_mode & 0o777)
    '0o600'
    """
    return os.open(path, flags, 0o600)


def private_folder(path: Path) -> None:
    """Make a folder of mode 0700, and the folders above it as usual.

    Raises:
        FileExistsError: the folder exists already.
        OSError: it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700)
