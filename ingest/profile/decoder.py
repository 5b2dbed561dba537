"""Decoding of notifications into SI units: ``Decoder.decode(characteristic, data) -> [Packet, ...]``.

Pure: bytes in, samples out. A decoder accepts any bytes and returns packets or raises ``DecodeError``. Device times
are passed on raw; ``Group.clock`` describes them, and ``kinestream.ingest.timing`` unwraps them onto the host's clock.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from kinestream.core.errors import DecodeError
from kinestream.core.signals import STANDARD_GRAVITY

if TYPE_CHECKING:
    from numpy.typing import NDArray

G = STANDARD_GRAVITY
DEGREE = math.pi / 180
"""Radians per degree; converts degrees per second to rad/s."""

MAX_PACKET_BYTES = 512
"""Maximum length of an attribute (Bluetooth Core Specification, vol 3, part F, 3.2.9)."""


def uuid16(short: str) -> str:
    """The 128-bit form of a 16-bit UUID assigned by the Bluetooth SIG.

    >>> uuid16("2A19")
    '00002a19-0000-1000-8000-00805f9b34fb'
    """
    return f"0000{short.lower()}-0000-1000-8000-00805f9b34fb"


BATTERY_LEVEL = uuid16("2a19")
BATTERY = "battery"
"""The group of a packet that holds only the charge."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How to read the time and the counter of a packet.

    >>> Clock(tick_s=1e-3, time_modulus=2**32).stamps
    'first'
    """

    tick_s: float | None = None
    """Seconds per tick of ``Packet.device_time``, which every packet then has; None: no reliable time."""
    time_modulus: int | None = None
    """The ticks wrap to 0 after this many; None: they do not wrap."""
    stamps: Literal["first", "last"] = "first"
    """The sample of the packet that ``device_time`` belongs to."""
    counter_modulus: int | None = None
    """``Packet.counter``, which every packet then has, wraps to 0 after this many; None: no counter."""
    counts: Literal["packets", "samples"] = "packets"
    """The unit that ``Packet.counter`` counts."""


NO_CLOCK = Clock()


@dataclass(frozen=True, slots=True)
class Group:
    """Samples that arrive together, with one rate and one clock. A device sends one or several groups.

    >>> Group("acc", ("acc_x", "acc_y", "acc_z"), 52.0).clock.tick_s is None
    True
    """

    name: str
    """``motion`` if one notification holds all channels, else ``acc``, ``gyro``, ``mag``."""
    channels: tuple[str, ...]
    """Canonical names (``kinestream.core.signals``), in column order."""
    fs_hz: float
    """The nominal rate."""
    clock: Clock = NO_CLOCK
    on_change: bool = False
    """The device sends a sample only when a value has changed, so silence is not a loss."""


class Packet(NamedTuple):
    """The contents of one notification for one group."""

    group: str
    samples: NDArray[np.float32]
    """(n, channels) in m/s^2, rad/s and uT; (0, 0) if only the battery is reported."""
    device_time: int | None = None
    """Raw ticks of the device's clock; None if the packet has no time."""
    counter: int | None = None
    """Raw number of the packet or of its first sample."""
    battery_frac: float | None = None
    """Charge, 0 to 1."""


NO_SAMPLES: NDArray[np.float32] = np.zeros((0, 0), np.float32)


class Decoder:
    """Decodes the notifications of one epoch; each epoch gets a new decoder from its plan.

    It keeps state only where the protocol needs it.

    Args:
        groups: possible contents of the packets; a start dialogue may replace them by those the device agreed to.
        handlers: for each characteristic (128-bit UUID in lower case) the function from bytes to packets.

    >>> decoder = Decoder((), {})
    >>> decoder.decode(BATTERY_LEVEL, bytes([87]))[0].battery_frac
    0.87
    """

    def __init__(self, groups: tuple[Group, ...], handlers: Mapping[str, Callable[[bytes], list[Packet]]]) -> None:
        self.groups = groups
        self.asked_hz: float | None = None
        """The rate that the start dialogue asked for, of a profile that cannot know before whether a device takes
        one."""
        self.other_groups: tuple[Group, ...] = ()
        """Further groups the decoder can read if the device sends them, although no plan requests them."""
        self.counts: Counter[str] = Counter()
        """Skipped or repaired data, by kind."""
        self._handlers = {BATTERY_LEVEL: battery_level, **handlers}

    @property
    def characteristics(self) -> tuple[str, ...]:
        """The UUIDs it can decode, the battery's first."""
        return tuple(self._handlers)

    def decode(self, characteristic: str, data: bytes) -> list[Packet]:
        """The packets that this notification completes, oldest first.

        Raises:
            DecodeError: the protocol does not allow these bytes. No bytes raise any other exception.
        """
        handler = self._handlers.get(characteristic)
        if handler is None:
            raise DecodeError(f"a packet from {characteristic}; expected {', '.join(self._handlers)}", data)
        if len(data) > MAX_PACKET_BYTES:
            raise DecodeError(f"a packet of {len(data)} bytes; expected at most {MAX_PACKET_BYTES}", data)
        return handler(data)


def battery_level(data: bytes) -> list[Packet]:
    """Decode the standard Battery Level characteristic: percent in one byte.

    >>> battery_level(bytes([50]))[0].battery_frac
    0.5
    """
    if len(data) != 1 or data[0] > 100:
        raise DecodeError("a battery level; expected one byte of 0 to 100", data)
    return [Packet(BATTERY, NO_SAMPLES, battery_frac=data[0] / 100)]


def expect_size(data: bytes, size: int) -> None:
    """Check the size of a packet.

    Raises:
        DecodeError: the size differs.
    """
    if len(data) != size:
        raise DecodeError(f"a packet of {len(data)} bytes; expected {size}", data)


def scale(*columns: tuple[float, int]) -> NDArray[np.float32]:
    """The factor of each column, from pairs of a factor and its number of columns.

    >>> scale((0.5, 2), (10.0, 1)).tolist()
    [0.5, 0.5, 10.0]
    """
    return np.array([factor for factor, times in columns for _ in range(times)], np.float32)


def rows(data: bytes, kind: str, factors: NDArray[np.float32], n: int = 1, offset: int = 0) -> NDArray[np.float32]:
    """(n, columns) values of a numpy type such as ``<i2``, multiplied by the factor of each column.

    The caller checks that the packet is long enough.

    >>> rows(bytes([1, 0, 2, 0]), "<i2", scale((0.5, 2))).tolist()
    [[0.5, 1.0]]
    """
    return np.frombuffer(data, kind, n * len(factors), offset).reshape(n, len(factors)) * factors


MAX_VALUE = np.float32(1e6)
"""Largest value accepted from a wearable sensor, in any unit in use."""
_MAX_VALUE_BITS = int(MAX_VALUE.view(np.uint32))


def floats(data: bytes, kind: str, factors: NDArray[np.float32], n: int = 1, offset: int = 0) -> NDArray[np.float32]:
    """The same as ``rows`` for 32-bit floats (``<f4`` or ``>f4``).

    Raises:
        DecodeError: a value is NaN, infinite or beyond 1e6.

    >>> import struct
    >>> floats(struct.pack("<3f", 1, 2, 3), "<f4", scale((2.0, 3))).tolist()
    [[2.0, 4.0, 6.0]]
    """
    # The bits of floats without their sign, read as integers, keep the order of the floats, and infinity and NaN come
    # last: one comparison finds them all, and no NaN enters arithmetic.
    bits = np.frombuffer(data, kind.replace("f", "u"), n * len(factors), offset) & 0x7FFFFFFF
    if bits.max() > _MAX_VALUE_BITS:
        raise DecodeError("a value that is not finite or beyond 1e6; expected plausible sensor values", data)
    return rows(data, kind, factors, n, offset)
