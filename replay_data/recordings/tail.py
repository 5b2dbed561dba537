"""The newest minute of a recording: frames appended to a file, each complete or recognisably broken.

A frame is ``KSF1``, the table's number, the length and the CRC-32 of a serialised Arrow record batch, and that batch.
The first frame holds the description of the segment instead, as JSON. However the program ends, the frames before the
last write are complete; damage costs only the frames it hits.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from kinestream.core.errors import ConfigError
from kinestream.core.private_file import private_opener

from .layout import KINDS
from .schema import SCHEMAS

_MARK = b"KSF1"
_DESCRIPTION = len(KINDS)
"""The number of the description, after those of the tables."""
_HEAD = struct.Struct("<4sBxxxII")
"""Mark, number of the table, payload bytes, CRC-32 of the table's number and the payload."""
MAX_FRAME_BYTES = 1 << 28
"""Limit of a frame's length: a longer one is damage, as a write holds a fraction of a second."""


class TailWriter:
    """Appends to one tail file and locks it against other programs.

    Raises:
        OSError: the file cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open(path, "xb", buffering=0, opener=private_opener)  # noqa: SIM115 - closed in close()
        with contextlib.suppress(OSError):  # some network folders have no locks; mode "x" still ensures a new file
            _lock(self._file.fileno())
        self.size = 0
        """Bytes written so far."""

    def append(self, batches: dict[str, pa.RecordBatch]) -> None:
        """Write one frame per table in one go; once this returns, the frames outlive the process.

        Raises:
            OSError: the disk took nothing or only part of the frames.
        """
        self._write(
            b"".join(_frame(KINDS.index(kind), batch.serialize().to_pybytes()) for kind, batch in batches.items())
        )

    def describe(self, description: str) -> None:
        """Write the description of the segment.

        Raises:
            OSError: as for ``append``.
        """
        self._write(_frame(_DESCRIPTION, description.encode("utf-8")))

    def _write(self, content: bytes) -> None:
        written = 0
        while written < len(content):
            written += self._file.write(content[written:]) or 0
        self.size += written

    def sync(self) -> None:
        """Make the appended frames survive a power cut.

        Raises:
            OSError: the disk failed, or the file was removed or replaced.
        """
        os.fsync(self._file.fileno())
        # Writing to a deleted file succeeds, but the data would be lost.
        on_disk, opened = os.stat(self._path), os.fstat(self._file.fileno())
        if (on_disk.st_ino, on_disk.st_dev) != (opened.st_ino, opened.st_dev):
            raise FileNotFoundError(f"{self._path} was replaced by another file")

    def close(self) -> None:
        """Close the file and release its lock."""
        self._file.close()


def _frame(number: int, payload: bytes) -> bytes:
    return _HEAD.pack(_MARK, number, len(payload), _crc(number, payload)) + payload


def _crc(number: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(bytes([number])))


@dataclass(slots=True)
class Tail:
    """The readable content of a tail file."""

    batches: dict[str, list[pa.RecordBatch]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    description: str = ""
    """The description of the segment; empty where none was read, as in tails of release 0.1.0."""
    frames: int = 0
    bytes_kept: int = 0
    bytes_lost: int = 0
    """Bytes between and after the complete frames."""
    holes: int = 0
    """Number of stretches of lost bytes; the last can be an interrupted write."""

    def table(self, kind: str) -> pa.Table:
        """All rows of one table in the tail."""
        return pa.Table.from_batches(self.batches[kind], SCHEMAS[kind])

    def accept(self, number: int, payload: bytes) -> bool:
        """Take the content of one frame; return False if it is not what its number says."""
        try:
            if number == _DESCRIPTION:
                self.description = payload.decode("utf-8")
                return True
            kind = KINDS[number]
            batch = pa.ipc.read_record_batch(pa.py_buffer(payload), SCHEMAS[kind])
            batch.validate(full=True)
        except (OSError, pa.ArrowException, UnicodeDecodeError):
            return False
        self.batches[kind].append(batch)
        return True


def read_tail(path: Path) -> Tail:
    """Every complete frame of a tail file, in order.

    Raises:
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    tail = Tail()
    at = 0
    while at < len(content):
        frame = _frame_at(content, at)
        if frame is None or not tail.accept(*frame):
            next_at = content.find(_MARK, at + 1)
            while next_at >= 0 and _frame_at(content, next_at) is None:
                next_at = content.find(_MARK, next_at + 1)
            stop = next_at if next_at >= 0 else len(content)
            tail.holes += 1
            tail.bytes_lost += stop - at
            at = stop
            continue
        tail.frames += 1
        size = _HEAD.size + len(frame[1])
        tail.bytes_kept += size
        at += size
    return tail


def _frame_at(content: bytes, at: int) -> tuple[int, bytes] | None:
    if len(content) - at < _HEAD.size:
        return None
    mark, number, length, crc = _HEAD.unpack_from(content, at)
    start = at + _HEAD.size
    if mark != _MARK or number > _DESCRIPTION or length > MAX_FRAME_BYTES or start + length > len(content):
        return None
    payload = content[start : start + length]
    return (number, payload) if _crc(number, payload) == crc else None


def refuse_if_held(path: Path) -> None:
    """Raise ``ConfigError`` if a running program holds this tail, where the system has file locks."""
    with open(path, "rb") as file, contextlib.suppress(OSError):
        try:
            _lock(file.fileno())
        except BlockingIOError:
            raise ConfigError(f"{path.parent} is being recorded right now; end that run first") from None


def _lock(descriptor: int) -> None:
    if os.name == "nt":
        return  # Windows does not delete open files, which protects the tail as well
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
