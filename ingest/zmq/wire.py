"""ZeroMQ wire format: one chunk of samples as ``[topic, header, payload]``; docs/wire.md describes every byte.

Pure functions. For any bytes, ``decode`` returns a validated chunk or end of stream, or raises ``DecodeError``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntFlag
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.core.signals import SEQ_END, UNLABELLED, SampleChunk

from .wire_header import channel_bytes, channel_names, label_bytes, label_names, name_bytes, name_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOPIC = b"imu/"
MAGIC = b"KIMU"
VERSION = 1

MAX_SAMPLES = 65_536
MAX_CHANNELS = 64
MIN_FS_HZ, MAX_FS_HZ = 0.01, 100_000.0
MAX_MESSAGE_BYTES = 1_000_000
"""Length of a payload that receivers accept by default, and that senders keep below."""
MAX_FRAME_BYTES = MAX_SAMPLES * (8 + 4 * MAX_CHANNELS + 2)
"""Length of a frame that the format allows; a receiver may be set to accept as much."""


class Flag(IntFlag):
    """Contents of a message."""

    TIMES = 1
    """The payload starts with the time of every sample."""
    LABELS = 2
    """The payload ends with the label code of every sample."""
    END = 4
    """End of the stream; the message has no samples."""


# magic, version, flags, channels, session bytes, samples, channel list bytes, label list bytes,
# seq, fs_hz, t0_s, sent_s
_HEADER = struct.Struct("<4sBBBBIHHQddd")
_SIZES, _NUMBERS, _RATE = struct.Struct("<4sBBBBIHH"), struct.Struct("<Qddd"), struct.Struct("<d")

_F8, _F4, _I2, _U2 = np.dtype("<f8"), np.dtype("<f4"), np.dtype("<i2"), np.dtype("<u2")
_UNLABELLED = np.int16(UNLABELLED)
# Plain numbers, because arithmetic on IntFlag takes a microsecond and this runs for every message.
_TIMES, _LABELS, _END = int(Flag.TIMES), int(Flag.LABELS), int(Flag.END)
_KNOWN = _TIMES | _LABELS | _END


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """End of a stream, as announced by its sender.

    >>> decode(encode_end(EndOfStream("wrist", "a", 500)))
    EndOfStream(stream='wrist', session='a', seq=500)
    """

    stream: str
    session: str
    """The last epoch of the stream."""
    seq: int
    """Number of samples in the last epoch, so that the receiver also counts a lost tail."""


def encode(chunk: SampleChunk) -> list[bytes]:
    """Return the three frames of a chunk.

    Values and times are sent unchanged, including NaN: windowing judges them. Times are left out where
    ``t0 + i / fs_hz`` reproduces them to the last bit.

    Raises:
        ConfigError: the chunk does not fit the format (size, names, numbers).

    >>> import numpy as np
    >>> values = np.zeros((2, 3), np.float32)
    >>> chunk = SampleChunk("wrist", "a", np.array([0.0, 0.02]), values, ("acc_x", "acc_y", "acc_z"), 50.0, 0, 0.02)
    >>> frames = encode(chunk)
    >>> frames[0], len(frames[2]), decode(frames).stream
    (b'imu/wrist', 24, 'wrist')
    """
    n, columns = chunk.x.shape
    if not (1 <= n <= MAX_SAMPLES and 1 <= columns <= MAX_CHANNELS and columns == len(chunk.channels)):
        raise ConfigError(
            f"a chunk of {n} samples x {columns} columns with {len(chunk.channels)} names cannot be sent; "
            f"expected 1 to {MAX_SAMPLES} samples and 1 to {MAX_CHANNELS} named channels"
        )
    if not (
        0 <= chunk.seq <= SEQ_END - n
        and MIN_FS_HZ <= chunk.fs_hz <= MAX_FS_HZ
        and abs(chunk.received_s) < SEQ_END  # false for a value that is not a number
    ):
        raise ConfigError(
            f"a chunk with seq {chunk.seq}, {chunk.fs_hz} Hz, received at {chunk.received_s} s cannot be sent; "
            f"expected a number below 2^62, a rate of {MIN_FS_HZ} to {MAX_FS_HZ:.0f} Hz and a time within 2^62 s"
        )
    t0_s = float(chunk.t[0])
    flags = 0
    payload = chunk.x.astype(_F4, copy=False).tobytes()
    times = chunk.t.astype(_F8, copy=False).tobytes()
    # Without times, the header's t0 must be a number in range.
    if not abs(t0_s) < SEQ_END or times != (_offsets(n, chunk.fs_hz) + t0_s).tobytes():
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
    """Return the three frames that announce the end of a stream.

    Raises:
        ConfigError: a name does not fit the format.

    >>> encode_end(EndOfStream("wrist", "a", 500))[0]
    b'imu/wrist'
    """
    session = name_bytes(end.session)
    header = _HEADER.pack(MAGIC, VERSION, _END, 0, len(session), 0, 0, 0, end.seq, 0.0, 0.0, 0.0)
    return [TOPIC + name_bytes(end.stream), header + session, b""]


def decode(frames: Sequence[bytes]) -> SampleChunk | EndOfStream:
    """Return the chunk or the end of stream in a multipart message; arrays are read-only views of its payload.

    The chunk's ``received_s`` is the time when the sender had it, on the sender's clock, which is the clock of ``t``.

    Raises:
        DecodeError: the message violates the format; no other exception, for any bytes.

    >>> decode(encode_end(EndOfStream("wrist", "a", 500))).stream
    'wrist'
    """
    if len(frames) != 3:
        raise DecodeError(f"a message of {len(frames)} frames; expected topic, header and payload")
    topic, header, payload = frames
    if len(header) < _HEADER.size:
        raise DecodeError(f"a header of {len(header)} bytes; expected at least {_HEADER.size}", header)
    # All but three numbers repeat from message to message, and are validated once.
    form = _form(topic, header[:16], header[24:32], header[48:])
    seq, _, t0_s, sent_s = _NUMBERS.unpack_from(header, 16)
    n = form.n
    if seq > SEQ_END - n:
        raise DecodeError(f"sequence number {seq}; expected at most 2^62 with the samples", header)
    if not n:
        if payload:
            raise DecodeError("an end of stream with samples; expected none", header)
        return EndOfStream(form.stream, form.session, seq)
    if not (abs(sent_s) < SEQ_END and (form.x_at or abs(t0_s) < SEQ_END)):  # not a number is not smaller either
        raise DecodeError(f"first sample at {t0_s} s, sent at {sent_s} s; expected numbers within 2^62", header)
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
    """The validated content of a header without the numbers that change from message to message."""

    stream: str
    session: str
    channels: tuple[str, ...]
    label_names: tuple[str, ...]
    fs_hz: float
    n: int
    """Number of samples; 0 at the end of the stream."""
    values: int
    """Number of samples times number of channels."""
    x_at: int
    """Offset of the values in the payload; 0 without times."""
    labels_at: int
    """Offset of the labels in the payload; 0 without labels."""
    payload_bytes: int


@lru_cache(maxsize=256)
def _form(topic: bytes, sizes: bytes, rate: bytes, texts: bytes) -> _Form:
    """Return the form of a message from the parts that repeat: its topic, and header bytes 0-16, 24-32 and from 48.

    Raises:
        DecodeError: the message violates the format.
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
        raise DecodeError(f"a header of {_HEADER.size + len(texts)} bytes; its fields announce {announced}", sizes)
    stream = name_text(topic[len(TOPIC) :])
    session = name_text(texts[:session_size])
    if flags & _END:
        if flags != _END or n or columns or channels_size or labels_size:
            raise DecodeError("an end of stream with samples; expected none", sizes)
        return _Form(stream, session, (), (), 0.0, 0, 0, 0, 0, 0)
    if not (1 <= n <= MAX_SAMPLES and 1 <= columns <= MAX_CHANNELS):
        shape = f"{n} samples of {columns} channels"
        raise DecodeError(f"{shape}; expected 1 to {MAX_SAMPLES} of 1 to {MAX_CHANNELS}", sizes)
    fs_hz: float = _RATE.unpack(rate)[0]
    if not MIN_FS_HZ <= fs_hz <= MAX_FS_HZ:
        raise DecodeError(f"{fs_hz} Hz; expected {MIN_FS_HZ} to {MAX_FS_HZ:.0f} Hz", sizes + rate)
    channels = channel_names(texts[session_size:labels_at])
    if len(channels) != columns:
        raise DecodeError(f"{columns} channels but {len(channels)} channel names; expected as many names", sizes)
    if labels_size and not flags & _LABELS:
        raise DecodeError("label names but no labels; expected both or neither", sizes)
    names = label_names(texts[labels_at:])
    x_at = 8 * n if flags & _TIMES else 0
    codes_at = x_at + 4 * n * columns
    has_labels = bool(flags & _LABELS)
    size = codes_at + 2 * n * has_labels
    return _Form(stream, session, channels, names, fs_hz, n, n * columns, x_at, codes_at * has_labels, size)


def samples_per_message(columns: int, max_bytes: int = MAX_MESSAGE_BYTES) -> int:
    """Return the samples that surely fit into a payload of so many bytes.

    >>> samples_per_message(6), samples_per_message(64)
    (29411, 3759)
    """
    return max(1, min(MAX_SAMPLES, max_bytes // (8 + 4 * columns + 2)))


def parts(chunk: SampleChunk, max_samples: int) -> Iterator[SampleChunk]:
    """Yield the chunk in consecutive parts of at most ``max_samples`` samples."""
    if len(chunk) <= max_samples:
        yield chunk
        return
    for start in range(0, len(chunk), max_samples):
        cut = slice(start, start + max_samples)
        labels = None if chunk.labels is None else chunk.labels[cut]
        yield replace(chunk, t=chunk.t[cut], x=chunk.x[cut], seq=chunk.seq + start, labels=labels)


@lru_cache(maxsize=16)
def _offsets(n: int, fs_hz: float) -> NDArray[np.float64]:
    """Return (n,) seconds, i / fs; read-only, because messages of the same shape share the array."""
    offsets = np.arange(n) / fs_hz
    offsets.flags.writeable = False
    return offsets


def _all_named(codes: NDArray[np.int16], names: tuple[str, ...]) -> bool:
    """Return whether every code is ``UNLABELLED`` or has a name."""
    # As unsigned numbers, -1 + 1 is 0 and lower codes wrap to the top, so one pass checks both ends.
    return bool(np.maximum.reduce((codes - _UNLABELLED).view(_U2)) <= len(names))
