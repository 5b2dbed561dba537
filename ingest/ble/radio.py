"""The machine's radio: scans for devices and connects to them, one operation at a time.

Many adapters fail when they scan and connect at once, so one lock guards both, for all devices of a source.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError

from ..devices import recognise
from ..profile import Advertisement, Profile
from ..profile.decoder import BATTERY_LEVEL

if TYPE_CHECKING:
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData

CONNECT_TIMEOUT_S = 20.0
READ_TIMEOUT_S = 5.0
BACKOFF_S = (0.25, 0.5, 1.0)
"""Pauses between the attempts to connect to a device that was just seen."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A device as its newest advertisement describes it."""

    address: str
    name: str | None
    rssi: int
    """dBm"""
    profile: Profile | None
    """The kind of device; None if it is not recognised."""
    advertisement: Advertisement
    device: BLEDevice

    @classmethod
    def of(cls, device: BLEDevice, data: AdvertisementData) -> Sighting:
        """The sighting of an advertisement received through bleak."""
        name = data.local_name or device.name
        services = frozenset(uuid.lower() for uuid in data.service_uuids)
        advertisement = Advertisement(name, services, frozenset(data.manufacturer_data))
        return cls(device.address, name, data.rssi, recognise(advertisement), advertisement, device)

    def __str__(self) -> str:
        return f"{self.name} ({self.address})" if self.name else self.address


class Radio:
    """Scans and connects, one at a time.

    Args:
        adapter: its name on Linux, e.g. ``hci1``; None: the default.
    """

    def __init__(self, adapter: str | None = None) -> None:
        self._lock = asyncio.Lock()
        self._bluez: Any = {"adapter": adapter} if adapter else {}
        self.seen: dict[str, Sighting] = {}
        """Every device seen in any scan, by address."""

    @asynccontextmanager
    async def scanning(self) -> AsyncIterator[asyncio.Queue[Sighting]]:
        """Scan while the context lasts; the queue receives each advertisement."""
        queue: asyncio.Queue[Sighting] = asyncio.Queue()

        def on_advertisement(device: BLEDevice, data: AdvertisementData) -> None:
            sighting = Sighting.of(device, data)
            self.seen[sighting.address] = sighting
            queue.put_nowait(sighting)

        async with self._lock, BleakScanner(on_advertisement, bluez=self._bluez):
            yield queue

    async def find(self, wanted: Callable[[Sighting], bool], timeout_s: float) -> Sighting | None:
        """The first device for which ``wanted`` holds; None if none appeared in time."""
        async with self.scanning() as sightings:
            try:
                async with asyncio.timeout(timeout_s):
                    while not wanted(sighting := await sightings.get()):
                        pass
                    return sighting
            except TimeoutError:
                return None

    async def connect(self, sighting: Sighting, on_lost: Callable[[], None]) -> BleakClient:
        """Connect in up to four attempts and return the client.

        Args:
            on_lost: called once when the link ends, from either side.
        Raises:
            BleakError, TimeoutError: the last attempt failed.
        """
        for pause_s in (*BACKOFF_S, None):
            client = BleakClient(sighting.device, lambda _: on_lost(), timeout=CONNECT_TIMEOUT_S, bluez=self._bluez)
            try:
                async with self._lock:
                    await client.connect()
                return client
            except Exception:
                if pause_s is None:
                    raise
            await asyncio.sleep(pause_s)
        raise AssertionError("unreachable")

    async def battery_frac(self, sighting: Sighting) -> float | None:
        """The charge of a device, 0 to 1, from the standard characteristic; None if it does not report one.

        Connects for the reading and disconnects afterwards.
        """
        try:
            client = await self.connect(sighting, lambda: None)
        except (BleakError, TimeoutError):
            return None
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                data = bytes(await client.read_gatt_char(BATTERY_LEVEL))
            return data[0] / 100 if len(data) == 1 and data[0] <= 100 else None
        except (BleakError, TimeoutError):
            return None
        finally:
            with suppress(BleakError, TimeoutError):
                async with asyncio.timeout(READ_TIMEOUT_S):
                    await client.disconnect()
