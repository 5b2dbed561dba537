"""Records of the relay's journal: a number and the frames of a message, with a checksum.

A record is ``length u32, crc u32, number u64, frames u32``, the size of each frame as ``u32``, then the frames,
little-endian; ``length`` counts the whole record, the CRC-32 covers everything after it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

MAX_FRAMES = 8

_HEAD = struct.Struct("<IIQI")
_BLOCK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Record:
    """A message in the journal."""

    number: int
    frames: tuple[bytes, ...]


def record_size(frames: Sequence[bytes]) -> int:
    """Return the size of a record with these frames, in bytes."""
    return _HEAD.size + 4 * len(frames) + sum(map(len, frames))


def pack_record(number: int, frames: Sequence[bytes]) -> bytes:
    """Return the bytes of a record."""
    body = struct.pack(f"<QI{len(frames)}I", number, len(frames), *map(len, frames)) + b"".join(frames)
    return struct.pack("<II", len(body) + 8, crc32(body)) + body


def read_segment(path: Path) -> Iterator[Record]:
    """Yield the records of a segment up to the first unreadable one.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "1.seg"
    >>> _ = path.write_bytes(pack_record(1, [b"topic", b"payload"]))
    >>> list(read_segment(path))
    [Record(number=1, frames=(b'topic', b'payload'))]
    """
    offset: int | None = 0
    while offset is not None:
        records, offset = read_records(path, offset)
        yield from records
        if not records:
            return


def read_records(path: Path, offset: int) -> tuple[list[Record], int | None]:
    """Return the next records of a segment and the offset after them; None if the rest is unreadable."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(_BLOCK_BYTES)
            if len(data) >= 4 and (length := int.from_bytes(data[:4], "little")) > len(data):
                data += file.read(length - len(data))
    except OSError:  # dropped in the meantime
        return [], None
    records: list[Record] = []
    at = 0
    while at + _HEAD.size <= len(data):
        length, check, number, count = _HEAD.unpack_from(data, at)
        if at + length > len(data) and records:
            break  # the record continues in the next block
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
