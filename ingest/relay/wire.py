"""What a relay and its receiver say to each other, around the messages of ``wire.py``; docs/wire.md has the bytes.

Pure functions. Whatever bytes arrive, ``unpack`` gives a checked message or ``DecodeError``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from kinestream.core.errors import DecodeError

from ..zmq.wire import MAX_CHANNELS
from ..zmq.wire_header import MAX_LIST_BYTES, MAX_NAME_BYTES

MAGIC = b"KRLY"
VERSION = 1
MAX_SAMPLES = 1024
"""In one relayed message: a slow link is kept busy for seconds, not minutes, by one message."""

MAX_IN_FLIGHT_BYTES = 1 << 18
"""With this much sent and not yet acknowledged no further message is sent: a slow link is not filled for longer than
the relay has patience, and a receiver's memory is bounded."""

MAX_FRAME_BYTES = max(MAX_SAMPLES * (8 + 4 * MAX_CHANNELS + 2), 64 + MAX_NAME_BYTES + 2 * MAX_LIST_BYTES)
MAX_TEXT_BYTES = 400
MAX_REPLY_BYTES = 1024
"""No frame of a receiver's is longer."""

# magic, version, kind, journal, number, extra, turn
_HEADER = struct.Struct("<4sBBxx16sQQQ")


class Kind(IntEnum):
    """What a message says."""

    HELLO = 1
    """Relay: here I am. number: the last one it knows to be delivered; extra: samples it had to throw away."""
    DATA = 2
    """Relay: a message, in three more frames. number: its own; extra: that of the message before it."""
    WELCOME = 3
    """Receiver: go on after ``number``, with at most ``extra`` messages not yet acknowledged."""
    ACK = 4
    """Receiver: everything up to ``number`` is delivered; forget it."""
    REFUSED = 5
    """Receiver: no, for the reason in one more frame."""


_FRAMES = {Kind.HELLO: 1, Kind.DATA: 4, Kind.WELCOME: 1, Kind.ACK: 1, Kind.REFUSED: 2}


@dataclass(frozen=True, slots=True)
class RelayMessage:
    kind: Kind
    journal: bytes
    """16 bytes: which relay's."""
    number: int = 0
    extra: int = 0
    turn: int = 0
    """Drawn by the relay for each HELLO; the WELCOME has it again. 0 in a WELCOME nobody asked for: say HELLO."""
    frames: tuple[bytes, ...] = ()


def pack(message: RelayMessage) -> list[bytes]:
    """The frames of a message."""
    numbers = (message.number, message.extra, message.turn)
    return [_HEADER.pack(MAGIC, VERSION, message.kind, message.journal, *numbers), *message.frames]


def unpack(frames: Sequence[bytes]) -> RelayMessage:
    """The message in some frames, the routing frame of a ROUTER socket left out.

    Raises:
        DecodeError: anything the protocol does not allow.
        WrongVersion: of another version, so that whoever sent it can be told.
    """
    head = frames[0] if frames else b""
    if len(head) != _HEADER.size or head[:4] != MAGIC:
        raise DecodeError(f"a frame of {len(head)} bytes; expected {_HEADER.size} that begin with {MAGIC!r}", head)
    _, version, kind, journal, number, extra, turn = _HEADER.unpack(head)
    if version != VERSION:
        raise WrongVersion(f"relay protocol version {version}; expected {VERSION}", head)
    if _FRAMES.get(kind) != len(frames):
        raise DecodeError(f"kind {kind} in {len(frames)} frames", head)
    if kind == Kind.REFUSED and len(frames[1]) > MAX_TEXT_BYTES:
        raise DecodeError(f"a reason of {len(frames[1])} bytes; expected at most {MAX_TEXT_BYTES}", head)
    return RelayMessage(Kind(kind), journal, number, extra, turn, tuple(frames[1:]))


class WrongVersion(DecodeError):
    """The other end speaks another version: update the older of the two."""
