"""Relay protocol around the messages of ``zmq.wire``; docs/wire.md describes every byte.

Pure functions. For any bytes, ``unpack`` returns a validated message or raises ``DecodeError``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from kinestream.core.errors import DecodeError

from ..zmq.wire import MAX_CHANNELS, EndOfStream, decode
from ..zmq.wire_header import MAX_LIST_BYTES, MAX_NAME_BYTES

MAGIC = b"KRLY"
VERSION = 1
MAX_SAMPLES = 1024
"""Maximum number of samples in a relayed message, so that a message occupies a slow link for seconds, not minutes."""

MAX_IN_FLIGHT_BYTES = 1 << 18
"""Size of unacknowledged messages at which the relay stops sending: a slow link is busy for less than the relay's
patience, and the receiver's memory is bounded."""

MAX_FRAME_BYTES = max(MAX_SAMPLES * (8 + 4 * MAX_CHANNELS + 2), 64 + MAX_NAME_BYTES + 2 * MAX_LIST_BYTES)
MAX_TEXT_BYTES = 400
MAX_REPLY_BYTES = 1024
"""Maximum length of a frame from the receiver."""

# magic, version, kind, journal, number, extra, turn
_HEADER = struct.Struct("<4sBBxx16sQQQ")


class Kind(IntEnum):
    """Kind of a message."""

    HELLO = 1
    """From the relay. number: the last one it knows to be delivered; extra: samples dropped by the relay."""
    DATA = 2
    """From the relay: a message of samples in three more frames. number: its own; extra: the previous message's."""
    WELCOME = 3
    """From the receiver: continue after ``number``, with at most ``extra`` unacknowledged messages."""
    ACK = 4
    """From the receiver: every message up to ``number`` is delivered and may be deleted."""
    REFUSED = 5
    """From the receiver: it refuses the relay, for the reason in one more frame."""
    COPIED = 6
    """From either end: this journal is a copy of another that is in use, or the other is one of it. extra: 1 if the
    relay should take another identity."""


_FRAMES = {Kind.HELLO: 1, Kind.DATA: 4, Kind.WELCOME: 1, Kind.ACK: 1, Kind.REFUSED: 2, Kind.COPIED: 1}


@dataclass(frozen=True, slots=True)
class RelayMessage:
    """A message between a relay and its receiver.

    >>> message = RelayMessage(Kind.ACK, bytes(16), number=7)
    >>> unpack(pack(message)) == message
    True
    """

    kind: Kind
    journal: bytes
    """16 bytes, the identity of the relay's journal."""
    number: int = 0
    extra: int = 0
    turn: int = 0
    """Number of the HELLO, repeated in its WELCOME; 0 in a WELCOME without a HELLO, which requests one."""
    frames: tuple[bytes, ...] = ()


def pack(message: RelayMessage) -> list[bytes]:
    """Return the frames of a message."""
    numbers = (message.number, message.extra, message.turn)
    return [_HEADER.pack(MAGIC, VERSION, message.kind, message.journal, *numbers), *message.frames]


def unpack(frames: Sequence[bytes]) -> RelayMessage:
    """Return the message in the frames, which exclude the routing frame of a ROUTER socket.

    Raises:
        DecodeError: the frames violate the protocol.
        WrongVersion: the message has another version; the receiver reports that to the sender.
    """
    head = frames[0] if frames else b""
    if len(head) != _HEADER.size or head[:4] != MAGIC:
        raise DecodeError(f"a frame of {len(head)} bytes; expected {_HEADER.size} starting with {MAGIC!r}", head)
    _, version, kind, journal, number, extra, turn = _HEADER.unpack(head)
    if version != VERSION:
        raise WrongVersion(f"relay protocol version {version}; expected {VERSION}", head)
    if _FRAMES.get(kind) != len(frames):
        raise DecodeError(f"kind {kind} in {len(frames)} frames; expected {_FRAMES.get(kind, 'a known kind')}", head)
    if kind == Kind.REFUSED and len(frames[1]) > MAX_TEXT_BYTES:
        raise DecodeError(f"a reason of {len(frames[1])} bytes; expected at most {MAX_TEXT_BYTES}", head)
    return RelayMessage(Kind(kind), journal, number, extra, turn, tuple(frames[1:]))


def samples_in(frames: Sequence[bytes]) -> int:
    """Return the number of samples in the frames of a message; 0 if an earlier version wrote them otherwise."""
    try:
        message = decode(frames)
    except DecodeError:
        return 0
    return 0 if isinstance(message, EndOfStream) else len(message)


class WrongVersion(DecodeError):
    """The other end uses another version of the protocol; update the older of the two."""
