"""The sound chunks of an XDF file: pyxdf believes every length and count in a file, and allocates what they announce.

A chunk is ``length, tag u16, content``; a boundary chunk now and then shows where to continue after damage. Source:
https://github.com/sccn/xdf/wiki/Specifications.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from kinestream.core.errors import DataDamaged

MAGIC = b"XDF:"
BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
MAX_FILE_BYTES = 2 << 30
MAX_CHANNELS = 4096
_STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _STREAM_FOOTER = 2, 3, 4, 6
_SIZES = {"float32": 4, "double64": 8, "int8": 1, "int16": 2, "int32": 4, "int64": 8}
_TEXT = "string"


class _Damaged(Exception):
    """A chunk does not follow the format."""


@dataclass(slots=True)
class SoundChunks:
    """What can be read of a file."""

    content: bytes
    """An XDF file of the sound chunks only."""
    bytes_lost: int = 0
    places: int = 0
    """Number of stretches of lost bytes; the last can be an interrupted write."""


def read_sound_chunks(path: Path) -> SoundChunks:
    """Return the chunks of a file whose lengths and counts fit their bytes.

    Raises:
        DataDamaged: it is not an XDF file, or has more than 2 GiB.
        OSError: it cannot be read.
    """
    is_packed = path.suffix == ".xdfz" or path.suffixes[-2:] == [".xdf", ".gz"]
    try:
        with gzip.open(path) if is_packed else path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataDamaged(f"{path} cannot be unpacked: {error}; copy or record it again") from None
    if len(data) > MAX_FILE_BYTES:
        raise DataDamaged(f"{path} has more than {MAX_FILE_BYTES >> 30} GiB; record shorter files")
    if not data.startswith(MAGIC):
        raise DataDamaged(f"{path} cannot be read as XDF: it does not begin with {MAGIC.decode()}")
    sound, formats, at = SoundChunks(data), dict[int, tuple[int, str]](), len(MAGIC)
    spans = [slice(0, at)]
    while at < len(data):
        try:
            start, stop = _extent(data, at)
            _check(data, start, stop, formats)
            spans.append(slice(at, stop))
            at = stop
        except (_Damaged, struct.error, IndexError):
            found = data.find(BOUNDARY, at + 1)
            resume = found + len(BOUNDARY) if found >= 0 else len(data)
            sound.bytes_lost += resume - at
            sound.places += 1
            at = resume
    if sound.bytes_lost:
        sound.content = b"".join(data[span] for span in spans)
    return sound


def _extent(data: bytes, at: int) -> tuple[int, int]:
    """The start of a chunk's tag, and the end of the chunk."""
    length, start = _whole(data, at)
    if length < 2 or start + length > len(data):
        raise _Damaged
    return start, start + length


def _whole(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and the position after it."""
    size = data[at]
    if size not in (1, 4, 8) or at + 1 + size > len(data):
        raise _Damaged
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1 + size


def _check(data: bytes, start: int, stop: int, formats: dict[int, tuple[int, str]]) -> None:
    """Raise ``_Damaged`` if a chunk's content does not fit its extent; note the format of a stream."""
    tag = int.from_bytes(data[start : start + 2], "little")
    if tag not in (_STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _STREAM_FOOTER):
        return
    if data.find(BOUNDARY, start, stop) >= 0:
        raise _Damaged  # the chunk lost some bytes, and would end in the next ones
    (stream,) = struct.unpack_from("<I", data, start + 2)
    start += 6
    if tag == _STREAM_HEADER:
        if stream in formats:
            raise _Damaged
        formats[stream] = _format(data[start:stop])
    elif stream not in formats or (tag == _CLOCK_OFFSET and stop - start != 16):
        raise _Damaged
    elif tag == _SAMPLES:
        _check_samples(data, start, stop, *formats[stream])


def _format(xml: bytes) -> tuple[int, str]:
    """The number of channels of a stream, and the type of their values."""
    try:
        info = ElementTree.fromstring(xml.decode("utf-8", "replace"))
        channels, kind = int(info.findtext("channel_count", "")), info.findtext("channel_format", "")
        rate_hz = float(info.findtext("nominal_srate") or 0)
    except (ElementTree.ParseError, ValueError):
        raise _Damaged from None
    if not 1 <= channels <= MAX_CHANNELS or not (kind in _SIZES or kind == _TEXT) or not 0 <= rate_hz <= 1e6:
        raise _Damaged
    return channels, kind


def _check_samples(data: bytes, start: int, stop: int, channels: int, kind: str) -> None:
    """Each sample is 0, or 8 and a time; then its values."""
    count, at = _whole(data, start)
    if count > stop - at:
        raise _Damaged
    size = channels * _SIZES.get(kind, 0)
    for time_bytes in (8, 0) if kind in _SIZES else ():  # the usual cases: all samples have a time, or none has
        stride = 1 + time_bytes + size
        if stop - at == count * stride and (np.frombuffer(data, np.uint8, stop - at, at)[::stride] == time_bytes).all():
            return
    for _ in range(count):
        if data[at] not in (0, 8):
            raise _Damaged
        at += 1 + data[at] + size
        for _ in range(channels if kind == _TEXT else 0):
            length, at = _whole(data, at)
            at += length
        if at > stop:
            raise _Damaged
    if at != stop:
        raise _Damaged
