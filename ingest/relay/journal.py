"""Journal of undelivered messages on disk: append-only segments of checksummed records, with a maximum size.

Files::

    FOLDER/lock                        held by the writing process
    FOLDER/id                          16 random bytes in hex, the journal's identity
    FOLDER/delivered                   number of the last acknowledged message (``durable.Mark``)
    FOLDER/00000000000000000001.seg    records from this number on

``records`` describes the format of a record. Numbers increase, and leap at every opening: a power cut may erase a
number from the disk that the receiver still remembers, and that number must never identify another message.

**Durability.** ``append`` passes a record to the operating system in one write before it returns, so a killed process
loses nothing. The function from ``unsynced`` forces records to the disk; the relay calls it every second, so a power
cut loses the last second.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

from kinestream.core.atomic_file import sync_folder
from kinestream.core.errors import ConfigError
from kinestream.core.private_file import private_opener

from .durable import Mark, identity, lock
from .records import Record, pack_record, read_records, read_segment, record_size

MAX_BYTES = 1 << 30
"""Default size: four days of a sensor with six channels at 50 Hz, labelled, in packets of ten samples."""

SEGMENT_BYTES = 4 << 20
LEAP = 1 << 20
"""Jump in the numbers at every opening."""
_SUFFIX = ".seg"


@dataclass(slots=True, eq=False)
class _Segment:
    path: Path
    first: int
    size: int


class Journal:
    """Bounded queue on disk with a single writer; a context manager.

    Args:
        folder: created if it does not exist.
        max_bytes: maximum size of all segments together; when it is reached, ``append`` drops the oldest segment.
        segment_bytes: maximum size of a segment; at most an eighth of ``max_bytes``.
    Raises:
        ConfigError: the folder is in use by another process, or cannot be written.

    >>> import tempfile
    >>> with Journal(Path(tempfile.mkdtemp())) as journal:
    ...     dropped = journal.append([b"topic", b"header", b"payload"])
    ...     next(journal.after(journal.delivered))
    Record(number=1, frames=(b'topic', b'header', b'payload'))
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.damaged_bytes = 0
        """Number of unreadable bytes, left by a crash or a bad disk; since this opening."""
        self._segment_bytes = min(segment_bytes, max_bytes // 8)
        self._file: BinaryIO | None = None
        self._dirty = False
        self._rolled: list[int] = []  # file descriptors of full segments not yet forced to the disk
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock(folder / "lock")
            self.id = identity(folder / "id")
            self._mark = Mark(folder / "delivered")
            paths = sorted(folder.glob("[0-9]" * 20 + _SUFFIX))
            self._segments = deque(_Segment(path, int(path.stem), path.stat().st_size) for path in paths)
        except OSError as error:
            raise ConfigError(f"cannot keep a journal in {folder}: {error.strerror}; choose another folder") from None
        last = max(self._last_number(), self.delivered)
        self.newest = last
        """The highest number used so far."""
        self.next = last + LEAP if last else 1
        """The number of the next message."""
        self._remove_delivered()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def delivered(self) -> int:
        """The number up to which every message has been delivered."""
        return self._mark.value

    @property
    def size_bytes(self) -> int:
        """The size of all segments together."""
        return sum(segment.size for segment in self._segments)

    def has_room(self, frames: Sequence[bytes]) -> bool:
        """Return whether the message fits without dropping another."""
        return self.size_bytes + record_size(frames) <= self.max_bytes

    def append(self, frames: Sequence[bytes]) -> list[Record]:
        """Append a message under the number ``next``.

        Returns:
            The undelivered messages that were dropped to make room.
        Raises:
            OSError: the disk is full, even after the oldest segment was removed; the message is not in the journal.
        """
        data = pack_record(self.next, frames)
        lost: list[Record] = []
        while self._segments and self.size_bytes + len(data) > self.max_bytes:
            lost += self._drop_oldest()
        try:
            self._write(data)
        except OSError:
            self._roll()  # the segment may end with half a record, where every reader stops
            if not self._segments:
                raise
            lost += self._drop_oldest()
            self._write(data)
        self.newest = self.next
        self.next += 1
        return lost

    def deliver(self, number: int) -> None:
        """Record that every message up to this number has been delivered, and delete fully delivered segments."""
        if number > self.delivered:
            self._mark.set(number)
            self._remove_delivered()

    def after(self, number: int) -> Iterator[Record | None]:
        """Yield the messages after a number, in order, and None whenever there are no more for now; never ends.

        Unreadable records, and records dropped in the meantime, are skipped.
        """
        finished = -1  # the first number of the last segment read to its end
        while True:
            segment = next((segment for segment in self._segments if segment.first > finished), None)
            if segment is None:
                yield None
                continue
            offset: int | None = 0
            while offset is not None:
                is_tail = segment is self._segments[-1] if self._segments else False
                records, offset = read_records(segment.path, start := offset)
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
        """Return a function, callable in any thread, that forces all appended records to the disk.

        None if all records are already on the disk.
        """
        numbers, self._rolled = self._rolled, []
        if self._dirty and self._file is not None:
            numbers.append(os.dup(self._file.fileno()))
        self._dirty = False
        return partial(_sync, self.folder, numbers) if numbers else None

    def close(self) -> None:
        """Force all records to the disk, and release the folder."""
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
            self._file = open(path, "ab", buffering=0, opener=private_opener)  # noqa: SIM115 - kept until the segment is full
            self._segments.append(_Segment(path, self.next, 0))
        written = self._file.write(data)
        self._segments[-1].size += written
        self._dirty = True
        if written < len(data):
            raise OSError(errno.ENOSPC, "the disk is full")

    def _roll(self) -> None:
        """End the current segment."""
        if self._file is not None:
            if self._dirty:
                self._rolled.append(os.dup(self._file.fileno()))
            self._file.close()
            self._file = None
            self._dirty = False

    def _drop_oldest(self) -> list[Record]:
        if len(self._segments) == 1:
            self._roll()
        segment = self._segments.popleft()
        lost = [record for record in read_segment(segment.path) if record.number > self.delivered]
        segment.path.unlink(missing_ok=True)
        return lost

    def _remove_delivered(self) -> None:
        while len(self._segments) > 1 and self._segments[1].first <= self.delivered + 1:
            self._segments.popleft().path.unlink(missing_ok=True)

    def _last_number(self) -> int:
        """Return the highest readable number on disk."""
        for segment in reversed(self._segments):
            last = max((record.number for record in read_segment(segment.path)), default=0)
            if last:
                return last
        return 0


def _sync(folder: Path, descriptors: list[int]) -> None:
    for descriptor in descriptors:
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    sync_folder(folder)  # also forces the names of new segments to the disk
