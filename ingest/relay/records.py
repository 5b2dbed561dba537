"""Records of the relay's journal: a number and the frames of a message, each with checksums of its own.

A record is a head of 36 bytes, ``mark 4s, length u32, number u64, before u64, samples u32, body check u32, head check
u32``, then ``frames u32``, the size of each frame as ``u32``, and the frames; little-endian. ``length`` is that of the
whole record; ``before`` counts the samples of all earlier records of the journal. The head's CRC-32 also covers the
record's place, so that nothing inside a message passes for a record. A flipped bit in a head is corrected; a damaged
body costs its record; after a damaged head, reading goes on at the next mark.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from kinestream.core.errors import ConfigError

from . import old_records

MARK = b"\xd7KJ2"
MAX_FRAMES = 8

_HEAD = struct.Struct("<4sIQQIII")
_CHECKED = _HEAD.size - 4
_BLOCK_BYTES = 1 << 18


class Record(NamedTuple):
    """A message in the journal."""

    number: int
    frames: tuple[bytes, ...]
    samples: int = 0
    before: int = 0
    """Samples in all earlier records of the journal."""
    key: bytes = b""
    """The identity under which the relay sends it."""


class Damage(NamedTuple):
    """Bytes of a segment that cannot be read, between two records."""

    size: int
    head: Head | None = None
    """The head of the damaged record, if that can be read."""


class Head(NamedTuple):
    """The head of a record."""

    length: int
    number: int
    before: int
    samples: int
    check: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment is, and how to read it."""

    path: Path
    first: int
    """The number of its first record."""
    key: bytes
    """The identity under which its records are sent."""
    is_old: bool = False
    """Whether its records have the format of release 0.1.0."""


def record_size(frames: Sequence[bytes]) -> int:
    """Return the size of a record with these frames, in bytes."""
    return _HEAD.size + 4 + 4 * len(frames) + sum(map(len, frames))


def pack_record(record: Record, first: int, offset: int) -> bytes:
    """Return the bytes of a record at an offset of the segment that begins with the number ``first``.

    >>> len(pack_record(Record(1, (b"topic", b"payload")), 1, 0)) == record_size([b"topic", b"payload"])
    True
    """
    frames = record.frames
    body = struct.pack(f"<I{len(frames)}I", len(frames), *map(len, frames)) + b"".join(frames)
    head = _HEAD.pack(MARK, _HEAD.size + len(body), record.number, record.before, record.samples, crc32(body), 0)[
        :_CHECKED
    ]
    return head + struct.pack("<I", crc32(head, _seed(first, offset))) + body


def read_records(place: Place, offset: int, size: int) -> tuple[list[Record | Damage], int]:
    """Return the next records of a segment of this size, damage between them, and the offset after them.

    Nothing is returned when the segment was removed in the meantime.

    Raises:
        ConfigError: the disk does not give the segment.
    """
    parse = _parse_old if place.is_old else _parse
    block = _BLOCK_BYTES
    try:
        with open(place.path, "rb") as file:
            while True:
                file.seek(offset)
                data = file.read(min(block, size - offset))
                is_end = len(data) < block
                items, used = parse(data, offset, place, is_end)
                if items or is_end:
                    if is_end and used < size - offset:  # the file is shorter than it was
                        items.append(Damage(size - offset - used))
                        used = size - offset
                    return items, offset + used
                block *= 8
    except FileNotFoundError:
        return [], size
    except OSError as error:
        raise ConfigError(f"cannot read {place.path}: {error.strerror}; nothing in it is deleted") from None


def end_of(place: Place, size: int) -> tuple[int, int]:
    """Return the number and the count of samples that follow the last head of a segment, also of a damaged record."""
    number, before = place.first, 0
    offset = 0
    while offset < size:
        items, offset = read_records(place, offset, size)
        for item in items:
            head = item if isinstance(item, Record) else item.head
            if head and head.number >= number:
                number, before = head.number + 1, head.before + head.samples
    return number, before


def _seed(first: int, offset: int) -> int:
    return crc32(struct.pack("<QQ", first, offset))


def _head(data: bytes, at: int, seed: int) -> Head | None:
    if at + _HEAD.size > len(data):
        return None
    mark, length, number, before, samples, check, head_check = _HEAD.unpack_from(data, at)
    if mark != MARK or crc32(data[at : at + _CHECKED], seed) != head_check or length < _HEAD.size + 4:
        return None
    return Head(length, number, before, samples, check)


def _repaired_head(data: bytes, at: int, seed: int) -> Head | None:
    """Return a head with at most one wrong bit: CRC-32 tells all patterns of up to five wrong bits apart there."""
    head = _head(data, at, seed)
    if head or at + _HEAD.size > len(data):
        return head
    raw = bytearray(data[at : at + _HEAD.size])
    for bit in range(8 * _HEAD.size):
        raw[bit // 8] ^= 1 << bit % 8
        if head := _head(bytes(raw), 0, seed):
            return head
        raw[bit // 8] ^= 1 << bit % 8
    return None


def _parse(data: bytes, offset: int, place: Place, is_end: bool) -> tuple[list[Record | Damage], int]:
    items: list[Record | Damage] = []
    at = 0
    while at < len(data):
        seed = _seed(place.first, offset + at)
        head = _head(data, at, seed)
        if head is None and not is_end and len(data) - at < _HEAD.size:
            break
        head = head or _repaired_head(data, at, seed)
        if head and at + head.length > len(data) and not is_end:
            break  # the record continues in the next block
        if head and (frames := _frames(data[at + _HEAD.size : at + head.length], head.check)) is not None:
            items.append(Record(head.number, frames, head.samples, head.before, place.key))
            at += head.length
            continue
        following = at + head.length if head and at + head.length <= len(data) else _next_mark(data, at, offset, place)
        if following is None and not is_end:
            break
        items.append(Damage((following or len(data)) - at, head))
        at = following or len(data)
    return items, at


def _next_mark(data: bytes, at: int, offset: int, place: Place) -> int | None:
    """Return where the next good head is."""
    while (at := data.find(MARK, at + 1)) >= 0:
        if _head(data, at, _seed(place.first, offset + at)):
            return at
    return None


def _frames(body: bytes, check: int) -> tuple[bytes, ...] | None:
    if crc32(body) != check or len(body) < 4:
        return None
    count = int.from_bytes(body[:4], "little")
    if count > MAX_FRAMES or 4 + 4 * count > len(body):
        return None
    start = 4 + 4 * count
    frames: list[bytes] = []
    for size in struct.unpack_from(f"<{count}I", body, 4):
        frames.append(body[start : start + size])
        start += size
    return tuple(frames) if start == len(body) else None


def _parse_old(data: bytes, offset: int, place: Place, is_end: bool) -> tuple[list[Record | Damage], int]:
    items: list[Record | Damage] = []
    at = 0
    while at < len(data):
        found = old_records.parse(data, at)
        if found is None:
            following = old_records.find(data, at + 1)
            if following is None and not is_end:
                break
            items.append(Damage((following or len(data)) - at))
            at = following or len(data)
            continue
        number, frames, length = found
        items.append(Record(number, frames, key=place.key))
        at += length
    return items, at
