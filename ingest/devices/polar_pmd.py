"""Polar Measurement Data (PMD): the byte formats of stream frames and control point answers.

Source: Polar Measurement Data Specification and the parsers of polar-ble-sdk (8fb5311).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import DecodeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ACC, GYRO, MAG = 2, 5, 6
SDK_MODE = 9

GET_SETTINGS, START, STOP, GET_SDK_SETTINGS = 1, 2, 3, 4
RESPONSE = 0xF0
STOPPED = 1
"""First byte of the message that the device ended a stream by itself."""
SUCCESS, ALREADY_IN_STATE = 0, 6
STATUS = (
    "success",
    "invalid operation",
    "invalid measurement type",
    "not supported",
    "invalid length",
    "invalid parameter",
    "already in this state",
    "invalid resolution",
    "invalid sampling rate",
    "invalid range",
    "packets too small (MTU)",
    "invalid number of channels",
    "invalid state",
    "device in charger",
    "disk full",
)

RATE, RESOLUTION, RANGE, RANGE_MILLI, CHANNELS, FACTOR = range(6)
_SETTING_BYTES = {RATE: 2, RESOLUTION: 2, RANGE: 2, RANGE_MILLI: 4, CHANNELS: 1, FACTOR: 4}

_HEADER = struct.Struct("<BQB")
MAX_DELTA_BITS = 32


@dataclass(frozen=True, slots=True)
class Frame:
    """One notification of the data characteristic."""

    measurement: int
    time_ns: int
    """Time of the last sample since 2000-01-01, by the device's clock."""
    compressed: bool
    kind: int
    content: bytes

    @classmethod
    def parse(cls, data: bytes) -> Frame:
        """Parse a notification of the data characteristic.

        Raises:
            DecodeError: too short for a header.

        >>> Frame.parse(bytes([2]) + bytes(8) + b"\\x81").compressed
        True
        """
        if len(data) < _HEADER.size:
            raise DecodeError(f"a frame of {len(data)} bytes; expected {_HEADER.size} or more", data)
        measurement, time_ns, kind = _HEADER.unpack_from(data)
        return cls(measurement & 0x3F, time_ns, bool(kind & 0x80), kind & 0x7F, data[_HEADER.size :])


def raw_samples(content: bytes, size: int) -> NDArray[np.int32]:
    """(n, 3) signed integers of ``size`` bytes, little-endian.

    Raises:
        DecodeError: not a whole number of samples, or none.

    >>> raw_samples(bytes([1, 255, 3]), 1).tolist()
    [[1, -1, 3]]
    """
    n, rest = divmod(len(content), 3 * size)
    if rest or not n:
        raise DecodeError(f"{len(content)} bytes of samples; expected a multiple of {3 * size}", content)
    if size == 3:
        # Put each value into the three upper bytes of an int32; the shift moves it down with its sign.
        wide = np.zeros((3 * n, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
        return (wide.view("<i4") >> 8).reshape(n, 3)
    return np.frombuffer(content, f"<i{size}").reshape(n, 3).astype(np.int32)


def delta_samples(content: bytes, channels: int, bits: int) -> NDArray[np.int64]:
    """(n, channels) decoded from a first sample and blocks [bits][count][deltas, least bit first, whole bytes].

    Raises:
        DecodeError: a block is cut off, or announces an impossible size.

    >>> delta_samples(bytes([10, 20, 8, 1, 1, 255]), channels=2, bits=8).tolist()
    [[10, 20], [11, 19]]
    """
    size = (bits + 7) // 8
    at = channels * size
    if len(content) < at:
        raise DecodeError(f"{len(content)} bytes of samples; expected at least {at} for the first sample", content)
    first = [int.from_bytes(content[k : k + size], "little", signed=True) for k in range(0, at, size)]
    steps = [np.array([first], np.int64)]
    while at < len(content):
        if len(content) < at + 2:
            raise DecodeError("a block of deltas without a count; expected bits, count and deltas", content)
        width, count = content[at], content[at + 1]
        at += 2
        end = at + (width * count * channels + 7) // 8
        if not 1 <= width <= MAX_DELTA_BITS or end > len(content):
            raise DecodeError(
                f"{count} samples of deltas of {width} bits in {len(content) - at} bytes; "
                f"expected 1 to {MAX_DELTA_BITS} bits, and complete deltas",
                content,
            )
        steps.append(_signed(content[at:end], width, count * channels).reshape(count, channels))
        at = end
    return np.cumsum(np.concatenate(steps), axis=0)


def _signed(data: bytes, width: int, n: int) -> NDArray[np.int64]:
    """(n,) two's complement numbers of ``width`` bits, least significant bit first."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=n * width, bitorder="little").reshape(n, width)
    weights = np.left_shift(np.int64(1), np.arange(width, dtype=np.int64))
    weights[-1] = -weights[-1]
    return bits.astype(np.int64) @ weights


@dataclass(frozen=True, slots=True)
class Response:
    """An indication of the control point that answers a command."""

    operation: int
    measurement: int
    status: int
    more: bool
    """Another indication continues the answer."""
    parameters: bytes

    @classmethod
    def parse(cls, data: bytes) -> Response:
        """
        Raises:
            DecodeError: the data is not a response.
        """
        if len(data) < 4 or data[0] != RESPONSE:
            raise DecodeError("no control point response; expected f0, operation, type, status, ...", data)
        good = data[3] == SUCCESS
        return cls(data[1], data[2], data[3], good and len(data) > 4 and data[4] != 0, data[5:] if good else b"")

    @property
    def status_text(self) -> str:
        """Description of the status."""
        return STATUS[self.status] if self.status < len(STATUS) else f"status {self.status}"


def parse_settings(data: bytes) -> dict[int, tuple[int, ...]]:
    """The values of each setting, from repeated [id][count][values]. A factor is the bits of a float32.

    Raises:
        DecodeError: a setting is unknown or cut off.

    >>> parse_settings(bytes([RATE, 2, 52, 0, 104, 0]))
    {0: (52, 104)}
    """
    settings: dict[int, tuple[int, ...]] = {}
    at = 0
    while at < len(data):
        size = _SETTING_BYTES.get(data[at])
        count = data[at + 1] if at + 1 < len(data) else None
        if size is None or count is None or len(data) < at + 2 + size * count:
            raise DecodeError(f"setting {data[at]}, cut off or unknown; expected 0 to {FACTOR}, a count, values", data)
        values = data[at + 2 : at + 2 + size * count]
        settings[data[at]] = tuple(int.from_bytes(values[k : k + size], "little") for k in range(0, len(values), size))
        at += 2 + size * count
    return settings


def pack_settings(chosen: dict[int, int]) -> bytes:
    """The settings of a start command as bytes, one value each.

    >>> pack_settings({RATE: 52}).hex()
    '00013400'
    """
    return b"".join(
        bytes([setting, 1]) + value.to_bytes(_SETTING_BYTES[setting], "little")
        for setting, value in sorted(chosen.items())
    )


def factor_of(settings: dict[int, tuple[int, ...]]) -> float | None:
    """The factor in the answer to a start command; None if it lacks a plausible one."""
    if not settings.get(FACTOR):
        return None
    (factor,) = struct.unpack("<f", settings[FACTOR][0].to_bytes(4, "little"))
    return factor if 0 < factor <= 1e6 else None
