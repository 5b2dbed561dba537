"""Journal of undelivered messages on disk: append-only segments of checksummed records, with a maximum size.

Files::

    FOLDER/lock                                 held by the writing process
    FOLDER/id                                   16 random bytes in hex, the journal's identity
    FOLDER/delivered                            number of the last acknowledged message (``durable.Mark``)
    FOLDER/NUMBER-SAMPLES-KEY.seg               records from this number on, after so many samples
    FOLDER/NUMBER-SAMPLES-KEY.old, NUMBER.seg   the same, written by release 0.1.0

``records`` describes the format of a record. Numbers increase by one. The **key** is the identity under which a relay
sends a segment: half of it is the journal's, the other half is drawn at every opening. So a number that a power cut
erased, or that a copy of the folder uses too, never identifies two messages.

**Durability.** ``append`` passes a record to the operating system in one write before it returns, so a killed process
loses nothing. The function from ``unsynced`` forces records to the disk; the relay calls it every second, so a power
cut loses the last second.

**Losses.** Each message that goes without having been delivered is counted in ``dropped`` or ``damaged``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from kinestream.core.atomic_file import sync_folder
from kinestream.core.errors import ConfigError
from kinestream.core.private_file import private_opener

from .durable import Mark, identity, lock, new_identity, write_all
from .records import Damage, Place, Record, end_of, pack_record, read_records, record_size
from .wire import samples_in

MAX_BYTES = 1 << 30
"""Default size: four days of a sensor with six channels at 50 Hz, labelled, in packets of ten samples."""

SEGMENT_BYTES = 4 << 20
HALF = 8
"""Bytes of a key that are the journal's own."""

_NAME = re.compile(r"(\d{20})(?:-(\d{20})-([0-9a-f]{32}))?\.(seg|old)")


@dataclass(slots=True, eq=False)
class _Segment:
    place: Place
    before: int
    """Samples in all earlier records."""
    size: int
    end: tuple[int, int] | None = None
    """The number and the samples that follow it; None of the newest."""


@dataclass(slots=True)
class Lost:
    """Messages that went without being delivered, and their samples."""

    messages: int = 0
    samples: int = 0
    size_bytes: int = 0

    def add(self, messages: int, samples: int, size_bytes: int) -> None:
        self.messages += messages
        self.samples += samples
        self.size_bytes += size_bytes


class Journal:
    """Bounded queue on disk with a single writer; a context manager.

    Args:
        folder: created if it does not exist.
        max_bytes: maximum size of all segments together; when it is reached, ``append`` drops the oldest segment that
            was not sent yet.
        segment_bytes: maximum size of a segment; at most an eighth of ``max_bytes``.
    Raises:
        ConfigError: the folder is in use by another process, or cannot be read and written.

    >>> import tempfile
    >>> with Journal(Path(tempfile.mkdtemp())) as journal:
    ...     journal.append([b"topic", b"header", b"payload"])
    ...     record = next(journal.after(journal.delivered))
    ...     record.number, record.frames
    (1, (b'topic', b'header', b'payload'))
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.dropped = Lost()
        """Dropped because the journal was full; since this opening."""
        self.write_failures = 0
        """Number of times that progress could not be written, or a segment not be removed or forced to the disk."""
        self.sent: dict[bytes, int] = {}
        """The highest number that may have been sent under each key."""
        self._damage: dict[int, tuple[int, int, int]] = {}  # by the first number
        self._segment_bytes = min(segment_bytes, max_bytes // 8)
        self._descriptor: int | None = None
        self._dirty = False
        self._rolled: list[int] = []  # file descriptors of full segments not yet forced to the disk
        self._unwritten: list[Record] = []  # messages that the disk did not take
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock(folder / "lock")
        except OSError as error:
            raise ConfigError(f"cannot keep a journal in {folder}: {error.strerror}; choose another folder") from None
        try:
            self._open()
        except OSError as error:
            self._lock.close()
            raise ConfigError(f"cannot keep a journal in {folder}: {error.strerror}; choose another folder") from None
        except ConfigError:
            self._lock.close()
            raise

    def _open(self) -> None:
        self.id = identity(self.folder / "id")
        self._mark = Mark(self.folder / "delivered")
        self.delivered = self._mark.value
        """The number up to which every message has been delivered."""
        self._segments = deque(self._found())
        for segment, following in zip(self._segments, list(self._segments)[1:], strict=False):
            segment.end = following.place.first, following.before
        self.next, self._samples = self._end()
        """The number of the next message, and the samples in all earlier ones."""
        self.newest = self.next - 1
        """The highest number used so far."""
        if self._segments:
            self._segments[-1].end = self.next, self._samples
        self._key = self._new_key()
        for segment in self._segments:
            self.sent[segment.place.key] = (segment.end or (self.next, 0))[0] - 1
        self._protected = self._first_sent()
        self._remove_delivered()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def size_bytes(self) -> int:
        """The size of all segments together."""
        return sum(segment.size for segment in self._segments)

    @property
    def damaged(self) -> Lost:
        """Undelivered messages that could not be read; since this opening."""
        lost = Lost()
        for part in self._damage.values():
            lost.add(*part)
        return lost

    def has_room(self, frames: Sequence[bytes]) -> bool:
        """Return whether the message fits without dropping another."""
        return self.size_bytes + record_size(frames) <= self.max_bytes

    def append(self, frames: Sequence[bytes], samples: int = 0) -> None:
        """Append a message of so many samples under the number ``next``.

        Raises:
            OSError: the disk is full, or all of the journal was sent already and awaits its acknowledgement; the
                message is not in the journal.
        """
        size = record_size(frames)
        while self._segments and self.size_bytes + size > self.max_bytes:
            self._drop_oldest()
        self._write(Record(self.next, tuple(frames), samples, self._samples, self._key), size)
        self._count(samples)

    def append_unwritten(self, frames: Sequence[bytes]) -> None:
        """Append a last message that the disk does not take: it is sent, and lost if the process ends before."""
        self._unwritten.append(Record(self.next, tuple(frames), key=self._key))
        self._count(0)

    def deliver(self, number: int) -> None:
        """Record that every message up to this number has been delivered, and delete fully delivered segments."""
        if number <= self.delivered:
            return
        self.delivered = number
        try:
            self._mark.set(number)
        except OSError:  # a receiver that gets these messages again knows their numbers
            self.write_failures += 1
        self._unwritten = [record for record in self._unwritten if record.number > number]
        self._remove_delivered()

    def skip_unreadable(self) -> None:
        """Note that nothing readable is left: what was damaged at the end counts as lost."""
        self.deliver(self.newest)

    def after(self, number: int) -> Iterator[Record | None]:
        """Yield the messages after a number, in order, and None whenever there are no more for now; never ends.

        Unreadable records are skipped and counted, records dropped in the meantime are skipped.

        Raises:
            ConfigError: the disk does not give a segment.
        """
        finished = -1  # the first number of the last segment read to its end
        while True:
            segment = next((part for part in self._segments if part.place.first > finished and part.size), None)
            if segment is None:
                yield next((record for record in self._unwritten if record.number > number), None)
                number = max([number, *(record.number for record in self._unwritten[:1])])
                continue
            offset = 0
            expected, position, unreadable = segment.place.first, segment.before, 0
            while True:
                items, offset = (
                    read_records(segment.place, offset, segment.size) if offset < segment.size else ([], offset)
                )
                for item in items:
                    if isinstance(item, Damage):
                        unreadable += item.size
                        continue
                    if unreadable or item.number > expected:
                        self._note_damage(segment, expected, position, (item.number, item.before), unreadable)
                        unreadable = 0
                    expected, position = item.number + 1, item.before + item.samples
                    if item.number > number:
                        number = item.number
                        yield item
                if items:
                    continue
                end = segment.end or (self.next, self._samples)
                if segment.place.is_old:
                    end = expected + bool(unreadable), 0  # how many they were is not known
                if segment.size and segment in self._segments and (unreadable or end[0] > expected):
                    self._note_damage(segment, expected, position, end, unreadable)
                    expected, position, unreadable = *end, 0
                if segment.end is not None or segment not in self._segments:
                    break
                unwritten = next((record for record in self._unwritten if record.number > number), None)
                number = unwritten.number if unwritten else number
                yield unwritten
            finished = segment.place.first

    def key_after(self, number: int) -> bytes:
        """Return the key under which the first message after a number is sent."""
        for segment in self._segments:
            if segment.size and (segment.end or (self.next, 0))[0] > number + 1:
                return segment.place.key
        return self._key

    def take_own_identity(self) -> None:
        """Use another identity from the next message on: this journal is a copy of another that is in use.

        Raises:
            OSError: the identity cannot be written; the journal keeps its old one.
        """
        self.id = new_identity(self.folder / "id")
        self._roll()
        self._key = self._new_key()

    def rekey(self, key: bytes) -> bytes:
        """Send what has this key under a new one, from the first undelivered message on, and return the new one.

        Raises:
            OSError: a segment cannot be renamed; those before it have the new key.
        """
        self._roll()
        new = self._new_key()
        for segment in self._segments:
            place = segment.place
            if place.key == key:
                target = self._path(place.first, segment.before, new, is_old=place.is_old)
                os.replace(place.path, target)
                segment.place = Place(target, place.first, new, place.is_old)
        self._unwritten = [record._replace(key=new) if record.key == key else record for record in self._unwritten]
        self._protected = max(self._protected, self.sent.pop(key, 0))
        if self._key == key:
            self._key = self._new_key()
        return new

    def unsynced(self) -> Callable[[], None] | None:
        """Return a function, callable in any thread, that forces all appended records to the disk.

        None if all records are already on the disk.
        """
        numbers, self._rolled = self._rolled, []
        if self._dirty and self._descriptor is not None:
            numbers.append(os.dup(self._descriptor))
        self._dirty = False
        if numbers and (mark := self._mark.unsynced()) is not None:
            numbers.append(mark)
        return partial(_sync, self.folder, numbers) if numbers else None

    def close(self) -> None:
        """Force all records to the disk, and release the folder."""
        sync = self.unsynced()
        try:
            if sync:
                sync()
        except OSError:
            self.write_failures += 1
        self._roll()
        self._mark.close()
        self._lock.close()

    def _found(self) -> list[_Segment]:
        """Return the segments on disk, in order; those of release 0.1.0 get a name with their key."""
        segments: list[_Segment] = []
        # Of two of one number, the first was never written.
        for path in sorted(self.folder.iterdir(), key=lambda path: (path.name[:20], path.stat().st_size)):
            if not (match := _NAME.fullmatch(path.name)):
                continue
            first, is_old = int(match[1]), match[2] is None or match[4] == "old"
            before, key = int(match[2] or 0), bytes.fromhex(match[3]) if match[3] else self.id
            if match[2] is None:
                with contextlib.suppress(OSError):
                    path = path.replace(self._path(first, before, key, is_old=True))
            segments.append(_Segment(Place(path, first, key, is_old), before, path.stat().st_size))
        return segments

    def _end(self) -> tuple[int, int]:
        """Return the number of the next message, and the samples in all earlier ones, by what is on disk."""
        number, samples = self.delivered + 1, 0
        for segment in self._segments:
            samples = max(samples, segment.before)
            number = max(number, segment.place.first)
        for segment in reversed(self._segments):
            if segment.size:
                end, before = end_of(segment.place, segment.size)
                return max(number, end), max(samples, before)
        return number, samples

    def _first_sent(self) -> int:
        """Return a number up to which an earlier process may have sent messages that are not acknowledged."""
        ends = [segment.end[0] - 1 for segment in self._segments if segment.end]
        return max([end for end in ends if end > self.delivered][:2], default=0)

    def _new_key(self) -> bytes:
        key = self.id[:HALF] + secrets.token_bytes(16 - HALF)
        self.sent[key] = 0
        return key

    def _path(self, first: int, before: int, key: bytes, *, is_old: bool = False) -> Path:
        return self.folder / f"{first:020}-{before:020}-{key.hex()}.{'old' if is_old else 'seg'}"

    def _count(self, samples: int) -> None:
        self.newest = self.next
        self.next += 1
        self._samples += samples

    def _write(self, record: Record, size: int) -> None:
        if self._descriptor is None or self._segments[-1].size + size > max(self._segment_bytes, size):
            self._roll()
            path = self._path(self.next, self._samples, self._key)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_BINARY", 0)
            self._descriptor = private_opener(str(path), flags)
            if self._segments and self._segments[-1].place.path == path:
                self._segments.pop()  # its first record could not be written
            self._segments.append(_Segment(Place(path, self.next, self._key), self._samples, 0))
        segment = self._segments[-1]
        try:
            write_all(self._descriptor, pack_record(record, segment.place.first, segment.size))
        except OSError:
            self._remove_torn(segment)
            if segment.size:
                self._roll()  # so that it goes, and makes room, when it is delivered
            raise
        segment.size += size
        self._dirty = True

    def _remove_torn(self, segment: _Segment) -> None:
        """Remove the part of a record that the disk has taken; if that fails, go on in another segment."""
        assert self._descriptor is not None
        try:
            os.ftruncate(self._descriptor, segment.size)
        except OSError:
            self.write_failures += 1
            if segment.size:
                self._roll()
            else:  # nothing else is in it
                os.close(self._descriptor)
                self._descriptor = None

    def _roll(self) -> None:
        """End the current segment."""
        if self._descriptor is not None:
            if self._dirty:
                self._rolled.append(self._descriptor)
            else:
                os.close(self._descriptor)
            self._descriptor = None
            self._dirty = False
            self._segments[-1].end = self.next, self._samples

    def _drop_oldest(self) -> None:
        """Empty the oldest segment that was not sent.

        Raises:
            OSError: there is none, or it cannot be emptied.
        """
        upto = max([self._protected, *self.sent.values()])
        index = next((i for i, part in enumerate(self._segments) if part.size and part.place.first > upto), None)
        if index is None:
            raise OSError(errno.ENOSPC, "all of the journal was sent and awaits its acknowledgement")
        segment = self._segments[index]
        if segment.end is None:
            self._roll()
        end = segment.end or (self.next, self._samples)
        messages, samples = end[0] - segment.place.first, end[1] - segment.before
        if segment.place.is_old:
            records = [item for item in self._items(segment) if isinstance(item, Record)]
            messages, samples = len(records), sum(samples_in(record.frames) for record in records)
        # Emptied and not removed: the next opening sees that nothing else is missing here.
        os.truncate(segment.place.path, 0)
        for number in [number for number in self._damage if segment.place.first <= number < end[0]]:
            del self._damage[number]
        self.dropped.add(messages, samples, segment.size)
        segment.size = 0
        if index == 0:
            self._remove_empty()

    def _items(self, segment: _Segment) -> Iterator[Record | Damage]:
        offset = 0
        while offset < segment.size:
            items, offset = read_records(segment.place, offset, segment.size)
            yield from items
            if not items:
                return

    def _note_damage(self, segment: _Segment, first: int, before: int, end: tuple[int, int], size_bytes: int) -> None:
        """Count the undelivered messages from a number on, up to ``end``, as lost."""
        messages = end[0] - max(first, self.delivered + 1)
        samples = 0 if segment.place.is_old else end[1] - before
        if end[0] <= first:  # a torn write, whose message was counted when the write failed
            messages = samples = 0
        elif messages <= 0:
            return
        self._damage.setdefault(first, (messages, samples, size_bytes))

    def _remove_delivered(self) -> None:
        while self._segments and (end := self._segments[0].end) and end[0] <= self.delivered + 1:
            if not self._remove_first():
                return
        self._remove_empty()

    def _remove_empty(self) -> None:
        while len(self._segments) > 1 and not self._segments[0].size and self._remove_first():
            pass

    def _remove_first(self) -> bool:
        try:
            self._segments[0].place.path.unlink(missing_ok=True)
        except OSError:  # tried again with the next acknowledgement
            self.write_failures += 1
            return False
        self._segments.popleft()
        return True


def _sync(folder: Path, descriptors: list[int]) -> None:
    failure: OSError | None = None
    for descriptor in descriptors:
        try:
            os.fsync(descriptor)
        except OSError as error:
            failure = error
        finally:
            os.close(descriptor)
    sync_folder(folder)  # also forces the names of new segments to the disk
    if failure:
        raise failure
