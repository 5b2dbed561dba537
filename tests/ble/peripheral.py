"""Simulated peripherals: their advertisements, characteristics and reactions, and faults of the Bluetooth service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

BATTERY_SERVICE = "0000180f-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"


@dataclass
class Characteristic:
    uuid: str
    flags: tuple[str, ...] = ("notify",)
    value: bytes = b""


class Peripheral:
    """A simulated device. Subclasses override ``written`` and ``subscribed``; both run in the service's event loop.

    The simulated service provides ``notify(uuid, data)`` and ``drop()``. A notification without a subscriber is
    discarded, as over the air.
    """

    name = "Peripheral"
    advertised: tuple[str, ...] = ()
    manufacturer: Mapping[int, bytes] = MappingProxyType({})
    socket_breaks = False
    """The link breaks soon after BlueZ has given out a socket for notifications (bleak issue 1885)."""

    def __init__(self, address: str, name: str | None = None, rssi: int = -50) -> None:
        self.address = address
        self.name = name or type(self).name
        self.rssi = rssi
        self.services: dict[str, list[Characteristic]] = {}
        self.notify: Callable[[str, bytes], None] = lambda uuid, data: None
        self.drop: Callable[[], None] = lambda: None
        self.writes: list[tuple[str, bytes]] = []
        """Every write of a central, in order."""

    def written(self, uuid: str, data: bytes) -> None:
        """A central wrote to a characteristic."""

    def subscribed(self, uuid: str, on: bool) -> None:
        """A central switched notifications of a characteristic on or off."""

    def connected(self) -> None:
        """A central connected."""

    def disconnected(self) -> None:
        """The link ended, from either side."""


@dataclass
class Fault:
    """An error that the next ``times`` calls of ``member`` return instead of acting."""

    member: str
    error: str
    text: str = ""
    times: int = 1
    address: str | None = None
    """Limits the fault to one device."""


@dataclass
class Faults:
    pending: list[Fault] = field(default_factory=list)

    def take(self, member: str, address: str | None) -> Fault | None:
        for fault in self.pending:
            if fault.member == member and fault.address in (None, address):
                fault.times -= 1
                if fault.times == 0:
                    self.pending.remove(fault)
                return fault
        return None
