"""Small things on disk that survive being killed: a number, an identity, and a lock that its holder cannot forget."""

from __future__ import annotations

import os
import secrets
import struct
import sys
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from kinestream.core.atomic_file import write_atomically
from kinestream.core.errors import ConfigError

_SLOT = struct.Struct("<QQI")
_SLOT_STEP = 512
"""A sector each, so that a torn write damages one slot only."""


def state_folder() -> Path:
    """``$KINESTREAM_STATE``, else ``kinestream`` in the user's folder for state."""
    own = os.environ.get("KINESTREAM_STATE")
    if own:
        return Path(own)
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "kinestream"


class Mark:
    """A number in a file, in two slots written by turns: whatever happens, the old or the new one is there.

    A set number survives the process at once; a power cut may take it back to an older one.
    """

    def __init__(self, path: Path) -> None:
        new = not path.exists()
        self._file = open(path, "w+b" if new else "r+b", buffering=0)  # noqa: SIM115 - kept until close
        if new:
            self._file.write(bytes(2 * _SLOT_STEP))  # so that a disk that fills up later does not matter
        self._turn, self.value = max(map(self._slot, (0, 1)))

    def set(self, value: int) -> None:
        self._turn += 1
        numbers = struct.pack("<QQ", self._turn, value)
        self._file.seek(self._turn % 2 * _SLOT_STEP)
        self._file.write(numbers + struct.pack("<I", crc32(numbers)))
        self.value = value

    def close(self) -> None:
        self._file.close()

    def _slot(self, which: int) -> tuple[int, int]:
        self._file.seek(which * _SLOT_STEP)
        data = self._file.read(_SLOT.size)
        if len(data) < _SLOT.size:
            return 0, 0
        turn, value, check = _SLOT.unpack(data)
        return (turn, value) if crc32(data[:16]) == check else (0, 0)


def identity(path: Path) -> bytes:
    """The 16 random bytes in a file, drawn and written when it is not there.

    Raises:
        ConfigError: the file holds something else.
        OSError: it cannot be read or written.
    """
    if not path.exists():
        write_atomically(path, secrets.token_hex(16), durable=True)
    text = path.read_text(encoding="ascii", errors="replace").strip()
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 16:
        raise ConfigError(f"{path} holds {text[:40]!r}; expected 32 hexadecimal digits; name another folder")
    return found


def lock(path: Path) -> BinaryIO:
    """A file that no other process can lock until it is closed or this process is gone, however it goes.

    Raises:
        ConfigError: another process holds it.
        OSError: it cannot be opened.
    """
    file = open(path, "a+b")  # noqa: SIM115 - the caller closes it
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ConfigError(f"{path.parent} is in use by another process; end it, or name another folder") from None
    return file
