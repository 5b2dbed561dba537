"""What a simulated peripheral is: what it advertises, its characteristics, and what it does when spoken to."""

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
    """A device in the air. Subclasses answer ``written`` and ``subscribed``; both run in the stand-in's event loop.

    ``notify(uuid, data)`` and ``drop()`` are lent by the stand-in while the device is connected; a notification of a
    characteristic nobody subscribed to goes nowhere, as over the air.
    """

    name = "Peripheral"
    advertised: tuple[str, ...] = ()
    manufacturer: Mapping[int, bytes] = MappingProxyType({})

    def __init__(self, address: str, name: str | None = None, rssi: int = -50) -> None:
        self.address = address
        self.name = name or type(self).name
        self.rssi = rssi
        self.services: dict[str, list[Characteristic]] = {}
        self.notify: Callable[[str, bytes], None] = lambda uuid, data: None
        self.drop: Callable[[], None] = lambda: None
        self.writes: list[tuple[str, bytes]] = []
        """Everything a central ever wrote, in order."""

    def written(self, uuid: str, data: bytes) -> None:
        """A central wrote to a characteristic."""

    def subscribed(self, uuid: str, on: bool) -> None:
        """A central switched notifications of a characteristic on or off."""

    def connected(self) -> None:
        """A central connected."""

    def disconnected(self) -> None:
        """The link is gone, whoever ended it."""


@dataclass
class Fault:
    """An error the stand-in answers the next ``times`` calls of ``member`` with, instead of doing it."""

    member: str
    error: str
    text: str = ""
    times: int = 1
    address: str | None = None
    """Of one device only."""


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
