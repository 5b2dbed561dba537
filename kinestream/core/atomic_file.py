"""Files that appear under their name complete or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .private_file import private_opener

PART_SUFFIX = ".part"
"""A file that a killed process was writing is hidden and ends so: ``.NAME.RANDOM.part``."""


@contextmanager
def atomic_file(path: Path, *, durable: bool = False, private: bool = False) -> Iterator[BinaryIO]:
    """Open a file that replaces ``path`` when the block ends, and is removed when the block raises.

    Readers see the old file or the new one, never a part of it; concurrent writers do not mix, the last one wins.

    Args:
        durable: force the content to disk before the rename, so that a power cut leaves the old or the new file. The
            rename itself may be lost until ``sync_folder`` has run.
        private: only this user can read the file.
    Raises:
        OSError: the folder cannot be written, or the disk is full; ``path`` is unchanged.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp(), "notes.txt")
    >>> with atomic_file(path) as file:
    ...     _ = file.write(b"complete")
    ...     path.exists()
    False
    >>> path.read_bytes()
    b'complete'
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART_SUFFIX}")
    try:
        with open(part, "xb", opener=private_opener if private else None) as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: bytes | str, *, durable: bool = False, private: bool = False) -> None:
    """Write ``content``, text as UTF-8, to ``path`` as ``atomic_file`` does.

    Raises:
        OSError: as for ``atomic_file``.
    """
    with atomic_file(path, durable=durable, private=private) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


def sync_folder(folder: Path) -> None:
    """Force the renames in a folder to disk, where the system supports it.

    Raises:
        OSError: the disk failed.
    """
    if os.name == "nt":  # Windows cannot open a folder as a file; NTFS journals renames itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
