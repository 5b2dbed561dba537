"""The newest minute of a recording: frames appended to a file, each whole or recognisably not.

A frame is ``KSF1``, the table's number, the length and the CRC-32 of a serialised Arrow record batch, and that batch.
Whatever ends the program, the frames before the last write are whole; damage in the middle costs the frames it hit.
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

from .layout import KINDS
from .tables import SCHEMAS

_MARK = b"KSF1"
_HEAD = struct.Struct("<4sBxxxII")
"""Mark, number of the table, payload bytes, CRC-32 of the table's number and the payload."""
MAX_FRAME_BYTES = 1 << 28
"""A longer frame is damage: a write holds a fraction of a second."""


class TailWriter:
    """Appends to one tail file, which nobody else may hold.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115 - closed in close()
        with contextlib.suppress(OSError):  # some network folders know no locks; the name is this writer's alone anyway
            _lock(self._file.fileno())
        self.size = 0
        """Bytes written so far."""

    def append(self, batches: dict[str, pa.RecordBatch]) -> None:
        """Write one frame for each table, in one go; it survives this process from here on.

        Raises:
            OSError: the disk took none or only part of it.
        """
        content = b"".join(_frame(kind, batch) for kind, batch in batches.items())
        written = 0
        while written < len(content):
            written += self._file.write(content[written:]) or 0
        self.size += written

    def sync(self) -> None:
        """Make what was appended outlast a power cut.

        Raises:
            OSError: the disk failed, or the file is not where it was any more.
        """
        os.fsync(self._file.fileno())
        # A deleted file can be written to for ever; nobody would find it.
        there, held = os.stat(self._path), os.fstat(self._file.fileno())
        if (there.st_ino, there.st_dev) != (held.st_ino, held.st_dev):
            raise FileNotFoundError(f"{self._path} was replaced by another file")

    def close(self) -> None:
        self._file.close()


def _frame(kind: str, batch: pa.RecordBatch) -> bytes:
    payload = batch.serialize().to_pybytes()
    number = KINDS.index(kind)
    return _HEAD.pack(_MARK, number, len(payload), _crc(number, payload)) + payload


def _crc(number: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(bytes([number])))


@dataclass(slots=True)
class Tail:
    """What could be read of a tail file."""

    batches: dict[str, list[pa.RecordBatch]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    frames: int = 0
    bytes_kept: int = 0
    bytes_lost: int = 0
    """What lay between and after the whole frames."""
    holes: int = 0
    """How many stretches that was; the last may be a write that was cut off."""

    def table(self, kind: str) -> pa.Table:
        return pa.Table.from_batches(self.batches[kind], SCHEMAS[kind])


def read_tail(path: Path) -> Tail:
    """Every whole frame of a tail file, in order.

    Raises:
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    tail = Tail()
    at = 0
    while at < len(content):
        found = _frame_at(content, at)
        if found is None:
            next_at = content.find(_MARK, at + 1)
            while next_at >= 0 and _frame_at(content, next_at) is None:
                next_at = content.find(_MARK, next_at + 1)
            stop = next_at if next_at >= 0 else len(content)
            tail.holes += 1
            tail.bytes_lost += stop - at
            at = stop
            continue
        kind, payload = found
        tail.batches[kind].append(pa.ipc.read_record_batch(pa.py_buffer(payload), SCHEMAS[kind]))
        tail.frames += 1
        size = _HEAD.size + len(payload)
        tail.bytes_kept += size
        at += size
    return tail


def _frame_at(content: bytes, at: int) -> tuple[str, bytes] | None:
    if len(content) - at < _HEAD.size:
        return None
    mark, number, length, crc = _HEAD.unpack_from(content, at)
    start = at + _HEAD.size
    if mark != _MARK or number >= len(KINDS) or length > MAX_FRAME_BYTES or start + length > len(content):
        return None
    payload = content[start : start + length]
    return (KINDS[number], payload) if _crc(number, payload) == crc else None


def refuse_if_held(path: Path) -> None:
    """Raise ``ConfigError`` if a running program is writing to this tail, where the system can tell."""
    with open(path, "rb") as file, contextlib.suppress(OSError):
        try:
            _lock(file.fileno())
        except BlockingIOError:
            raise ConfigError(f"{path.parent} is being recorded right now; end that run first") from None


def _lock(descriptor: int) -> None:
    if os.name == "nt":
        return  # an open file cannot be deleted there, which serves as well
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
