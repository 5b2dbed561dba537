"""Records of journals before their heads had a mark: ``length u32, crc u32, number u64, frames u32``, sizes, frames."""

from __future__ import annotations

import struct
from zlib import crc32

MAX_FRAMES = 8

_HEAD = struct.Struct("<IIQI")


def parse(data: bytes, at: int) -> tuple[int, tuple[bytes, ...], int] | None:
    """Return the number, the frames and the length of the record at a place; None if there is no whole one.

    >>> body = struct.pack("<QI1I", 7, 1, 5) + b"topic"
    >>> parse(struct.pack("<II", len(body) + 8, crc32(body)) + body, 0)
    (7, (b'topic',), 29)
    """
    if at + _HEAD.size > len(data):
        return None
    length, check, number, count = _HEAD.unpack_from(data, at)
    start = _HEAD.size + 4 * count
    if count > MAX_FRAMES or length < start or at + length > len(data):
        return None
    sizes = struct.unpack_from(f"<{count}I", data, at + _HEAD.size)
    if start + sum(sizes) != length or crc32(data[at + 8 : at + length]) != check:
        return None
    frames: list[bytes] = []
    for size in sizes:
        frames.append(data[at + start : at + start + size])
        start += size
    return number, tuple(frames), length


def find(data: bytes, at: int) -> int | None:
    """Return where the next whole record begins."""
    return next((place for place in range(at, len(data) - _HEAD.size + 1) if parse(data, place)), None)
