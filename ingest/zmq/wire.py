"""The ZeroMQ wire format: one chunk of samples as ``[topic, header, payload]``; docs/wire.md has it byte by byte.

Pure functions. Whatever bytes arrive, ``decode`` gives a checked chunk, an end of stream, or ``DecodeError``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntFlag
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.core.signals import UNLABELLED, SampleChunk

from .wire_header import channel_bytes, channel_names, label_bytes, label_names, name_bytes, name_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOPIC = b"imu/"
MAGIC = b"KIMU"
VERSION = 1

MAX_SAMPLES = 65_536
MAX_CHANNELS = 64
MIN_FS_HZ, MAX_FS_HZ = 0.01, 100_000.0
MAX_FRAME_BYTES = MAX_SAMPLES * (8 + 4 * MAX_CHANNELS + 2)
"""No frame of the format is longer, so a socket may refuse what is."""


class Flag(IntFlag):
    """What a message carries."""

    TIMES = 1
    """The payload begins with the time of every sample."""
    LABELS = 2
    """The payload ends with the label code of every sample."""
    END = 4
    """The stream has ended; no samples."""


# magic, version, flags, channels, session bytes, samples, channel list bytes, label list bytes,
# seq, fs_hz, t0_s, sent_s
_HEADER = struct.Struct("<4sBBBBIHHQddd")
_SIZES, _NUMBERS, _RATE = struct.Struct("<4sBBBBIHH"), struct.Struct("<Qddd"), struct.Struct("<d")

_F8, _F4, _I2, _U2 = np.dtype("<f8"), np.dtype("<f4"), np.dtype("<i2"), np.dtype("<u2")
_UNLABELLED = np.int16(UNLABELLED)
# Plain numbers: arithmetic on IntFlag takes a microsecond, and this runs for every message.
_TIMES, _LABELS, _END = int(Flag.TIMES), int(Flag.LABELS), int(Flag.END)
_KNOWN = _TIMES | _LABELS | _END


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """The sender's word that a stream has ended."""

    stream: str
    session: str
    seq: int
    """How many samples the last session had, so that a lost tail is counted too."""


def encode(chunk: SampleChunk) -> list[bytes]:
    """The three frames of one chunk.

    Values and times are sent as they are, NaN included: judging them is windowing's part. Times are left
    out where ``t0 + i / fs_hz`` gives them back to the last bit.

    Raises:
        ConfigError: the format cannot carry this chunk (size, names, numbers).
    """
    n, columns = chunk.x.shape
    if not (1 <= n <= MAX_SAMPLES and 1 <= columns <= MAX_CHANNELS and columns == len(chunk.channels)):
        raise ConfigError(
            f"a chunk of {n} samples x {columns} columns with {len(chunk.channels)} names cannot be sent; "
            f"expected 1 to {MAX_SAMPLES} samples and 1 to {MAX_CHANNELS} named channels"
        )
    if not (0 <= chunk.seq < 2**64 and MIN_FS_HZ <= chunk.fs_hz <= MAX_FS_HZ and isfinite(chunk.received_s)):
        raise ConfigError(
            f"a chunk with seq {chunk.seq}, {chunk.fs_hz} Hz, received at {chunk.received_s} s cannot be sent; "
            f"expected a 64-bit number, a rate of {MIN_FS_HZ} to {MAX_FS_HZ:.0f} Hz and a finite time"
        )
    t0_s = float(chunk.t[0])
    flags = 0
    payload = chunk.x.astype(_F4, copy=False).tobytes()
    times = chunk.t.astype(_F8, copy=False).tobytes()
    if not isfinite(t0_s) or times != (_offsets(n, chunk.fs_hz) + t0_s).tobytes():  # the header's t0 must be a number
        flags |= _TIMES
        payload = times + payload
    labels = b""
    if chunk.labels is not None:
        flags |= _LABELS
        labels = label_bytes(chunk.label_names)
        if not _all_named(chunk.labels, chunk.label_names):
            raise ConfigError(f"a label code outside -1 to {len(chunk.label_names) - 1} cannot be sent")
        payload += chunk.labels.astype(_I2, copy=False).tobytes()
    session = name_bytes(chunk.session)
    channels = channel_bytes(chunk.channels)
    sizes = (columns, len(session), n, len(channels), len(labels))
    header = _HEADER.pack(MAGIC, VERSION, flags, *sizes, chunk.seq, chunk.fs_hz, t0_s, chunk.received_s)
    return [TOPIC + name_bytes(chunk.stream), header + session + channels + labels, payload]


def encode_end(end: EndOfStream) -> list[bytes]:
    """The three frames that say that a stream has ended.

    Raises:
        ConfigError: a name the format cannot carry.
    """
    session = name_bytes(end.session)
    header = _HEADER.pack(MAGIC, VERSION, _END, 0, len(session), 0, 0, 0, end.seq, 0.0, 0.0, 0.0)
    return [TOPIC + name_bytes(end.stream), header + session, b""]


def decode(frames: Sequence[bytes]) -> SampleChunk | EndOfStream:
    """The chunk or the end of stream in one multipart message; arrays are read-only views of its payload.

    ``received_s`` of the chunk is when the sender had it, on the sender's clock, which is the clock of ``t``.

    Raises:
        DecodeError: anything the format does not allow; no other exception, whatever the bytes.
    """
    if len(frames) != 3:
        raise DecodeError(f"a message of {len(frames)} frames; expected topic, header and payload")
    topic, header, payload = frames
    if len(header) < _HEADER.size:
        raise DecodeError(f"a header of {len(header)} bytes; expected at least {_HEADER.size}", header)
    # All but three numbers is the same from message to message, and is looked at once.
    form = _form(topic, header[:16], header[24:32], header[48:])
    seq, _, t0_s, sent_s = _NUMBERS.unpack_from(header, 16)
    n = form.n
    if not n:
        if payload:
            raise DecodeError("an end of stream that carries samples; expected none", header)
        return EndOfStream(form.stream, form.session, seq)
    if not (isfinite(sent_s) and (form.x_at or isfinite(t0_s))):
        raise DecodeError(f"first sample at {t0_s} s, sent at {sent_s} s; expected finite numbers", header)
    if len(payload) != form.payload_bytes:
        raise DecodeError(f"a payload of {len(payload)} bytes; the header announces {form.payload_bytes}", header)
    fs_hz = form.fs_hz
    t = np.frombuffer(payload, _F8, n) if form.x_at else _offsets(n, fs_hz) + t0_s
    x = np.frombuffer(payload, _F4, form.values, form.x_at).reshape(n, -1)
    if not form.labels_at:
        return SampleChunk(form.stream, form.session, t, x, form.channels, fs_hz, seq, sent_s)
    labels = np.frombuffer(payload, _I2, n, form.labels_at)
    if not _all_named(labels, form.label_names):
        raise DecodeError(f"a label code outside -1 to {len(form.label_names) - 1}", header)
    return SampleChunk(form.stream, form.session, t, x, form.channels, fs_hz, seq, sent_s, labels, form.label_names)


class _Form(NamedTuple):
    """What a header says of its message, but for the numbers that change: checked."""

    stream: str
    session: str
    channels: tuple[str, ...]
    label_names: tuple[str, ...]
    fs_hz: float
    n: int
    """Samples; 0: the end of the stream."""
    values: int
    x_at: int
    """Where the values begin in the payload: 0 without times."""
    labels_at: int
    """Where the labels begin; 0: there are none."""
    payload_bytes: int


@lru_cache(maxsize=256)
def _form(topic: bytes, sizes: bytes, rate: bytes, texts: bytes) -> _Form:
    """What is the same in many messages: the topic, and bytes 0 to 16, 24 to 32 and 48 on of the header.

    Raises:
        DecodeError: anything the format does not allow.
    """
    if not topic.startswith(TOPIC):
        raise DecodeError("the topic does not begin with 'imu/'", topic)
    magic, version, flags, columns, session_size, n, channels_size, labels_size = _SIZES.unpack(sizes)
    if magic != MAGIC or version != VERSION:
        raise DecodeError(f"{magic!r} version {version}; expected {MAGIC!r} version {VERSION}", sizes)
    if flags & ~_KNOWN:
        raise DecodeError(f"flags {flags:#04x}; expected none beyond {_KNOWN:#04x}", sizes)
    labels_at = session_size + channels_size
    if len(texts) != labels_at + labels_size:
        announced = _HEADER.size + labels_at + labels_size
        raise DecodeError(f"a header of {_HEADER.size + len(texts)} bytes; it announces {announced}", sizes)
    stream = name_text(topic[len(TOPIC) :])
    session = name_text(texts[:session_size])
    if flags & _END:
        if flags != _END or n or columns or channels_size or labels_size:
            raise DecodeError("an end of stream that carries samples; expected none", sizes)
        return _Form(stream, session, (), (), 0.0, 0, 0, 0, 0, 0)
    if not (1 <= n <= MAX_SAMPLES and 1 <= columns <= MAX_CHANNELS):
        found = f"{n} samples of {columns} channels"
        raise DecodeError(f"{found}; expected 1 to {MAX_SAMPLES} of 1 to {MAX_CHANNELS}", sizes)
    fs_hz: float = _RATE.unpack(rate)[0]
    if not MIN_FS_HZ <= fs_hz <= MAX_FS_HZ:
        raise DecodeError(f"{fs_hz} Hz; expected {MIN_FS_HZ} to {MAX_FS_HZ:.0f} Hz", sizes + rate)
    channels = channel_names(texts[session_size:labels_at])
    if len(channels) != columns:
        raise DecodeError(f"{columns} channels of which {len(channels)} are named", sizes)
    if labels_size and not flags & _LABELS:
        raise DecodeError("label names without labels", sizes)
    names = label_names(texts[labels_at:])
    x_at = 8 * n if flags & _TIMES else 0
    codes_at = x_at + 4 * n * columns
    has_labels = bool(flags & _LABELS)
    size = codes_at + 2 * n * has_labels
    return _Form(stream, session, channels, names, fs_hz, n, n * columns, x_at, codes_at * has_labels, size)


def parts(chunk: SampleChunk, max_samples: int = MAX_SAMPLES) -> Iterator[SampleChunk]:
    """The chunk, cut into as many as it takes for none to be longer."""
    if len(chunk) <= max_samples:
        yield chunk
        return
    for start in range(0, len(chunk), max_samples):
        cut = slice(start, start + max_samples)
        labels = None if chunk.labels is None else chunk.labels[cut]
        yield replace(chunk, t=chunk.t[cut], x=chunk.x[cut], seq=chunk.seq + start, labels=labels)


@lru_cache(maxsize=16)
def _offsets(n: int, fs_hz: float) -> NDArray[np.float64]:
    """(n,) seconds: i / fs, to be added to t0; the same array for every message alike, so not to be written."""
    offsets = np.arange(n) / fs_hz
    offsets.flags.writeable = False
    return offsets


def _all_named(codes: NDArray[np.int16], names: tuple[str, ...]) -> bool:
    """Whether every code is ``UNLABELLED`` or has a name."""
    # As unsigned numbers -1 + 1 is 0 and everything below wraps to the top: one pass checks both ends.
    return bool(np.maximum.reduce((codes - _UNLABELLED).view(_U2)) <= len(names))
