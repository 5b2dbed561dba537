"""Small files that survive a killed process: a number, an identity, and a lock that ends with its process."""

from __future__ import annotations

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

    A number survives the process as soon as it is set; a power cut may restore an older one.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "mark"
    >>> mark = Mark(path)
    >>> mark.set(7)
    >>> mark.close()
    >>> Mark(path).value
    7
    """

    def __init__(self, path: Path) -> None:
        new = not path.exists()
        self._file = open(path, "w+b" if new else "r+b", buffering=0, opener=private_opener)  # noqa: SIM115
        if new:
            self._file.write(bytes(2 * _SLOT_STEP))  # reserves the space, in case the disk fills up later
        self._turn, self.value = max(map(self._slot, (0, 1)))

    def set(self, value: int) -> None:
        """Write a new number.

        Raises:
            OSError: the file cannot be written.
        """
        self._turn += 1
        numbers = struct.pack("<QQ", self._turn, value)
        self._file.seek(self._turn % 2 * _SLOT_STEP)
        self._file.write(numbers + struct.pack("<I", crc32(numbers)))
        self.value = value

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _slot(self, which: int) -> tuple[int, int]:
        self._file.seek(which * _SLOT_STEP)
        data = self._file.read(_SLOT.size)
        if len(data) < _SLOT.size:
            return 0, 0
        turn, value, check = _SLOT.unpack(data)
        return (turn, value) if crc32(data[:16]) == check else (0, 0)


def identity(path: Path) -> bytes:
    """Return the 16 random bytes in a file; create the file if it does not exist.

    Raises:
        ConfigError: the file has other content.
        OSError: the file cannot be read or written.
    """
    if not path.exists():
        write_atomically(path, secrets.token_hex(16), durable=True, private=True)
    text = path.read_text(encoding="ascii", errors="replace").strip()
    try:
        number = bytes.fromhex(text)
    except ValueError:
        number = b""
    if len(number) != 16:
        raise ConfigError(f"{path} contains {text[:40]!r}; expected 32 hexadecimal digits; choose another folder")
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
