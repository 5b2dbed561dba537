"""Messages kept on disk until they were delivered: append-only segments of checked records, bounded in size.

What is on disk::

    FOLDER/lock                        held by the one process that writes
    FOLDER/id                          16 random bytes in hex: which journal this is
    FOLDER/delivered                   how far the receiver has confirmed (``durable.Mark``)
    FOLDER/00000000000000000001.seg    records from this number on

A record is ``length u32, crc u32, number u64, frames u32``, the size of each frame as ``u32``, then the frames,
little-endian; ``length`` is the whole record's, the CRC-32 covers all that follows it. Numbers rise; they leap at every
opening, so that a number which a power cut took from the disk, but not from the receiver's memory, is never given to
another message.

**Durability.** A record is handed to the operating system by one write before ``append`` returns, so a killed process
loses nothing. ``unsynced`` gives what forces it to the disk; the relay calls that every second, so a power cut loses
the last second.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self
from zlib import crc32

from kinestream.core.errors import ConfigError

from .durable import Mark, identity, lock

MAX_BYTES = 1 << 30
"""By default: four days of one sensor with six channels at 50 Hz, labelled, in packets of ten samples."""

SEGMENT_BYTES = 4 << 20
LEAP = 1 << 20
MAX_FRAMES = 8

_HEAD = struct.Struct("<IIQI")
_BLOCK_BYTES = 1 << 18
_SUFFIX = ".seg"


@dataclass(frozen=True, slots=True)
class Record:
    """One kept message."""

    number: int
    frames: tuple[bytes, ...]


@dataclass(slots=True, eq=False)
class _Segment:
    path: Path
    first: int
    size: int


class Journal:
    """A bounded queue on disk with one writer; ``with`` closes it.

    Args:
        folder: made if it is not there.
        max_bytes: what the segments may take together; beyond, ``append`` throws the oldest one away.
        segment_bytes: how long a segment grows; at most an eighth of ``max_bytes``.
    Raises:
        ConfigError: the folder is in use by another process, or cannot be written.
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.damaged_bytes = 0
        """What could not be read, as a crash or the disk left it; since this opening."""
        self._segment_bytes = min(segment_bytes, max_bytes // 8)
        self._file: BinaryIO | None = None
        self._dirty = False
        self._rolled: list[int] = []  # file numbers of full segments that are yet to be forced to the disk
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock(folder / "lock")
            self.id = identity(folder / "id")
            self._mark = Mark(folder / "delivered")
            paths = sorted(folder.glob("[0-9]" * 20 + _SUFFIX))
            self._segments = deque(_Segment(path, int(path.stem), path.stat().st_size) for path in paths)
        except OSError as error:
            raise ConfigError(f"cannot keep a journal in {folder}: {error.strerror}; name another folder") from None
        last = max(self._last_number(), self.delivered)
        self.newest = last
        """The highest number given so far."""
        self.next = last + LEAP if last else 1
        """The number of the next message."""
        self._remove_delivered()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def delivered(self) -> int:
        """Every message up to this number has been delivered."""
        return self._mark.value

    @property
    def size_bytes(self) -> int:
        return sum(segment.size for segment in self._segments)

    def has_room(self, frames: Sequence[bytes]) -> bool:
        """Whether the message can be kept without throwing another away."""
        return self.size_bytes + _size(frames) <= self.max_bytes

    def append(self, frames: Sequence[bytes]) -> list[Record]:
        """Keep a message under the number ``next``.

        Returns:
            What was thrown away to make room and had not been delivered.
        Raises:
            OSError: the disk takes no more, even after the oldest segment was removed; the message is not kept.
        """
        data = _pack(self.next, frames)
        lost: list[Record] = []
        while self._segments and self.size_bytes + len(data) > self.max_bytes:
            lost += self._throw_oldest_away()
        try:
            self._write(data)
        except OSError:
            self._roll()  # what stands there may be half a record, which ends a segment for whoever reads it
            if not self._segments:
                raise
            lost += self._throw_oldest_away()
            self._write(data)
        self.newest = self.next
        self.next += 1
        return lost

    def deliver(self, number: int) -> None:
        """Note that every message up to this number has been delivered, and remove segments that hold no other."""
        if number > self.delivered:
            self._mark.set(number)
            self._remove_delivered()

    def after(self, number: int) -> Iterator[Record | None]:
        """The messages after a number, in order; None wherever there is no more for now. Never ends.

        What cannot be read, or is thrown away meanwhile, is passed over.
        """
        finished = -1  # the first number of the last segment that was read to its end
        while True:
            segment = next((segment for segment in self._segments if segment.first > finished), None)
            if segment is None:
                yield None
                continue
            offset: int | None = 0
            while offset is not None:
                is_tail = segment is self._segments[-1] if self._segments else False
                records, offset = _read(segment.path, start := offset)
                for record in records:
                    if record.number > number:
                        number = record.number
                        yield record
                if records:
                    continue
                if is_tail and offset is not None:
                    yield None
                    continue
                if segment in self._segments:
                    self.damaged_bytes += segment.size - start
                break
            finished = segment.first

    def unsynced(self) -> Callable[[], None] | None:
        """What forces all that was appended so far to the disk, to be called in any thread; None: it is there."""
        numbers, self._rolled = self._rolled, []
        if self._dirty and self._file is not None:
            numbers.append(os.dup(self._file.fileno()))
        self._dirty = False
        return partial(_sync, self.folder, numbers) if numbers else None

    def close(self) -> None:
        sync = self.unsynced()
        if sync:
            sync()
        self._roll()
        self._mark.close()
        self._lock.close()

    def _write(self, data: bytes) -> None:
        if self._file is None or self._segments[-1].size + len(data) > max(self._segment_bytes, len(data)):
            self._roll()
            path = self.folder / f"{self.next:020}{_SUFFIX}"
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - kept until the segment is full
            self._segments.append(_Segment(path, self.next, 0))
        written = self._file.write(data)
        self._segments[-1].size += written
        self._dirty = True
        if written < len(data):
            raise OSError(errno.ENOSPC, "the disk is full")

    def _roll(self) -> None:
        """End the segment that is being written."""
        if self._file is not None:
            if self._dirty:
                self._rolled.append(os.dup(self._file.fileno()))
            self._file.close()
            self._file = None
            self._dirty = False

    def _throw_oldest_away(self) -> list[Record]:
        if len(self._segments) == 1:
            self._roll()
        segment = self._segments.popleft()
        lost = [record for record in _whole(segment.path) if record.number > self.delivered]
        segment.path.unlink(missing_ok=True)
        return lost

    def _remove_delivered(self) -> None:
        while len(self._segments) > 1 and self._segments[1].first <= self.delivered + 1:
            self._segments.popleft().path.unlink(missing_ok=True)

    def _last_number(self) -> int:
        """The highest number on disk, as far as it can be read."""
        for segment in reversed(self._segments):
            last = max((record.number for record in _whole(segment.path)), default=0)
            if last:
                return last
        return 0


def _size(frames: Sequence[bytes]) -> int:
    return _HEAD.size + 4 * len(frames) + sum(map(len, frames))


def _pack(number: int, frames: Sequence[bytes]) -> bytes:
    body = struct.pack(f"<QI{len(frames)}I", number, len(frames), *map(len, frames)) + b"".join(frames)
    return struct.pack("<II", len(body) + 8, crc32(body)) + body


def _whole(path: Path) -> Iterator[Record]:
    offset: int | None = 0
    while offset is not None:
        records, offset = _read(path, offset)
        yield from records
        if not records:
            return


def _read(path: Path, offset: int) -> tuple[list[Record], int | None]:
    """The next records of a segment and where to go on; None: nothing that follows can be read."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(_BLOCK_BYTES)
            if len(data) >= 4 and (length := int.from_bytes(data[:4], "little")) > len(data):
                data += file.read(length - len(data))
    except OSError:  # thrown away meanwhile
        return [], None
    records: list[Record] = []
    at = 0
    while at + _HEAD.size <= len(data):
        length, check, number, count = _HEAD.unpack_from(data, at)
        if at + length > len(data) and records:
            break  # the next block has it
        body = data[at + 8 : at + length]
        if length < _HEAD.size or count > MAX_FRAMES or crc32(body) != check:
            return records, None if not records else offset + at
        sizes = struct.unpack_from(f"<{count}I", body, 12)
        start = 12 + 4 * count
        frames = []
        for size in sizes:
            frames.append(body[start : start + size])
            start += size
        records.append(Record(number, tuple(frames)))
        at += length
    return records, offset + at


def _sync(folder: Path, numbers: list[int]) -> None:
    if sys.platform != "win32":  # so that the names of new segments are on the disk, too
        numbers = [*numbers, os.open(folder, os.O_RDONLY)]
    for number in numbers:
        try:
            os.fsync(number)
        finally:
            os.close(number)
