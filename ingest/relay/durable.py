"""Small files that survive a killed process: a number, an identity, and a lock that ends with its process."""

from __future__ import annotations

import errno
import os
import secrets
import struct
import sys
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from kinestream.core.atomic_file import write_atomically
from kinestream.core.errors import ConfigError
from kinestream.core.private_file import private_opener
from kinestream.core.user_folders import user_folder

_SLOT = struct.Struct("<QQI")
_SLOT_STEP = 512
"""One disk sector per slot, so that a torn write damages only one of them."""


def state_folder() -> Path:
    """Return ``$KINESTREAM_STATE``, else ``kinestream`` in the user's folder for state."""
    return user_folder("KINESTREAM_STATE", unix=("XDG_STATE_HOME", ".local/state"), windows="LOCALAPPDATA")


class Mark:
    """A number in a file with two slots, written alternately, so that a crash leaves the old or the new number.

    A number survives the process as soon as it is set; a power cut may restore an older one. The file is made with the
    first number.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "mark"
    >>> mark = Mark(path)
    >>> mark.set(7)
    >>> mark.close()
    >>> Mark(path).value
    7
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._turn = self.value = 0
        if path.exists():
            data = path.read_bytes()
            self._turn, self.value = max(_slot(data[at : at + _SLOT.size]) for at in (0, _SLOT_STEP))

    def set(self, value: int) -> None:
        """Write a new number.

        Raises:
            OSError: the file cannot be written; the old number stays.
        """
        if self._descriptor is None:
            self._descriptor = private_opener(str(self._path), os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0))
        turn = self._turn + 1  # not kept if the write fails: the good slot is never the one written next
        numbers = struct.pack("<QQ", turn, value)
        os.lseek(self._descriptor, turn % 2 * _SLOT_STEP, os.SEEK_SET)
        write_all(self._descriptor, numbers + struct.pack("<I", crc32(numbers)))
        self._turn, self.value = turn, value

    def unsynced(self) -> int | None:
        """Return a descriptor of the file, which the caller closes; None if no number was set."""
        return None if self._descriptor is None else os.dup(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _slot(data: bytes) -> tuple[int, int]:
    if len(data) < _SLOT.size:
        return 0, 0
    turn, value, check = _SLOT.unpack(data)
    return (turn, value) if crc32(data[:16]) == check else (0, 0)


def write_all(descriptor: int, data: bytes) -> None:
    """Write the bytes.

    Raises:
        OSError: not all could be written.
    """
    if os.write(descriptor, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def identity(path: Path) -> bytes:
    """Return the 16 random bytes in a file; create the file if it does not exist.

    Raises:
        ConfigError: the file has other content.
        OSError: the file cannot be read or written.
    """
    if not path.exists():
        return new_identity(path)
    text = path.read_text(encoding="ascii", errors="replace").strip()
    try:
        number = bytes.fromhex(text)
    except ValueError:
        number = b""
    if len(number) != 16:
        raise ConfigError(f"{path} contains {text[:40]!r}; expected 32 hexadecimal digits; choose another folder")
    return number


def new_identity(path: Path) -> bytes:
    """Replace the 16 random bytes in a file and return them.

    Raises:
        OSError: the file cannot be written.
    """
    number = secrets.token_bytes(16)
    write_atomically(path, number.hex(), durable=True, private=True)
    return number


def lock(path: Path) -> BinaryIO:
    """Return a locked file; the lock ends when the file is closed or this process ends, for any reason.

    Raises:
        ConfigError: another process holds the lock.
        OSError: the file cannot be opened.
    """
    file = open(path, "a+b", opener=private_opener)  # noqa: SIM115 - the caller closes it
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ConfigError(f"{path.parent} is in use by another process; stop it, or choose another folder") from None
    return file
