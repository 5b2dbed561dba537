"""What a notification holds, in SI units: ``Decoder.decode(characteristic, data) -> [Packet, ...]``.

Pure: bytes in, samples out. A decoder takes any bytes and answers with packets or with ``DecodeError``.
Times are passed on as the device tells them, raw; ``Group.clock`` says how to read them, and whoever
joins a stream to the host's clock unwraps them.
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
"""rad in one degree; times it, degrees per second become rad/s."""

MAX_PACKET_BYTES = 512
"""No attribute may be longer (Bluetooth Core Specification, vol 3, part F, 3.2.9)."""


def uuid16(short: str) -> str:
    """The full form of a 16-bit UUID assigned by the Bluetooth SIG, e.g. of ``2a19``."""
    return f"0000{short.lower()}-0000-1000-8000-00805f9b34fb"


BATTERY_LEVEL = uuid16("2a19")
BATTERY = "battery"
"""The group of a packet that only tells the charge."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How to read the time and the number that a packet carries."""

    tick_s: float | None = None
    """Seconds in one tick of ``Packet.device_time``, which every packet then has; None: no time to rely on."""
    time_modulus: int | None = None
    """The ticks begin again from 0 after this many; None: they do not."""
    stamps: Literal["first", "last"] = "first"
    """The sample of the packet that ``device_time`` belongs to."""
    counter_modulus: int | None = None
    """``Packet.counter``, which every packet then has, begins again from 0 after this many; None: there is none."""
    counts: Literal["packets", "samples"] = "packets"
    """What ``Packet.counter`` goes up by one with."""


NO_CLOCK = Clock()


@dataclass(frozen=True, slots=True)
class Group:
    """Samples that come together, with one rate and one clock. A device sends one group or several."""

    name: str
    """``motion`` where one notification has all, else ``acc``, ``gyro``, ``mag``."""
    channels: tuple[str, ...]
    """Canonical names (``kinestream.core.signals``), in the order of the columns."""
    fs_hz: float
    """The nominal rate."""
    clock: Clock = NO_CLOCK
    on_change: bool = False
    """A sample comes only when a value has changed, so silence is no loss."""


class Packet(NamedTuple):
    """What one notification said of one group."""

    group: str
    samples: NDArray[np.float32]
    """(n, channels) in m/s^2, rad/s and uT; (0, 0) where only the battery is told."""
    device_time: int | None = None
    """Raw ticks of the device's clock; None where this packet has no time."""
    counter: int | None = None
    """Raw number of the packet, or of its first sample."""
    battery_frac: float | None = None
    """Charge, 0 to 1."""


NO_SAMPLES: NDArray[np.float32] = np.zeros((0, 0), np.float32)


class Decoder:
    """Reads the notifications of one connection; the next one has another, made by the same plan.

    It keeps state only where the protocol needs it.

    Args:
        groups: what the packets may hold; a start dialogue may replace it by what the device agreed to.
        handlers: for each characteristic (128-bit UUID in lower case) the function from bytes to packets.
    """

    def __init__(self, groups: tuple[Group, ...], handlers: Mapping[str, Callable[[bytes], list[Packet]]]) -> None:
        self.groups = groups
        self.others: tuple[Group, ...] = ()
        """What is read too, should the device send it, though no plan asks for it."""
        self.counts: Counter[str] = Counter()
        """What was passed over or repaired, by kind."""
        self._handlers = {BATTERY_LEVEL: battery_level, **handlers}

    @property
    def characteristics(self) -> tuple[str, ...]:
        """The UUIDs it can read, the battery's first."""
        return tuple(self._handlers)

    def decode(self, characteristic: str, data: bytes) -> list[Packet]:
        """The packets that this notification completed, oldest first.

        Raises:
            DecodeError: bytes that the protocol does not allow; no other exception, whatever the bytes.
        """
        handler = self._handlers.get(characteristic)
        if handler is None:
            raise DecodeError(f"a packet from {characteristic}; expected {', '.join(self._handlers)}", data)
        if len(data) > MAX_PACKET_BYTES:
            raise DecodeError(f"a packet of {len(data)} bytes; expected at most {MAX_PACKET_BYTES}", data)
        return handler(data)


def battery_level(data: bytes) -> list[Packet]:
    """The standard Battery Level characteristic: percent in one byte."""
    if len(data) != 1 or data[0] > 100:
        raise DecodeError("a battery level; expected one byte of 0 to 100", data)
    return [Packet(BATTERY, NO_SAMPLES, battery_frac=data[0] / 100)]


def expect_size(data: bytes, size: int) -> None:
    """Refuse a packet of another size.

    Raises:
        DecodeError: it has.
    """
    if len(data) != size:
        raise DecodeError(f"a packet of {len(data)} bytes; expected {size}", data)


def scale(*columns: tuple[float, int]) -> NDArray[np.float32]:
    """The factor of each column, from (factor, how many columns) pairs."""
    return np.array([factor for factor, times in columns for _ in range(times)], np.float32)


def rows(data: bytes, kind: str, factors: NDArray[np.float32], n: int = 1, offset: int = 0) -> NDArray[np.float32]:
    """(n, columns) values of a numpy kind such as ``<i2``, times the factor of each column.

    The caller has checked that the packet is long enough.
    """
    return np.frombuffer(data, kind, n * len(factors), offset).reshape(n, len(factors)) * factors


MOST = np.float32(1e6)
"""No sensor worn by a person measures more, in any unit in use."""
_MOST_BITS = int(MOST.view(np.uint32))


def floats(data: bytes, kind: str, factors: NDArray[np.float32], n: int = 1, offset: int = 0) -> NDArray[np.float32]:
    """As ``rows``, of 32-bit floats (``<f4`` or ``>f4``).

    Raises:
        DecodeError: a value is no number, infinite or beyond 1e6.
    """
    # As whole numbers without their sign, floats keep their order, and infinity and NaN come last: one
    # comparison finds them all, and no NaN gets into arithmetic.
    bits = np.frombuffer(data, kind.replace("f", "u"), n * len(factors), offset) & 0x7FFFFFFF
    if bits.max() > _MOST_BITS:
        raise DecodeError("a value that is no number or beyond 1e6; expected what a sensor measures", data)
    return rows(data, kind, factors, n, offset)
