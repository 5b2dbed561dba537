"""What the Bluetooth source reports about sensors whose data cannot be used."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.evidence import Receiving, Reception
from kinestream.ingest.ble.source import BleSource
from tests.ble.peripheral import Characteristic
from tests.ble.sensors import Polar, Sensor, Thingy
from tests.ingest.ble.test_source import FIRST, done, epochs, read, samples

if TYPE_CHECKING:
    from tests.ble.bluez import BlueZ


def received(source: BleSource, enough: Callable[[Reception], bool], patience_s: float = 15.0) -> Reception:
    """Run the source until its only reception satisfies the condition; chunks may or may not arrive."""

    async def run() -> Reception:
        async def drain() -> None:
            async for _ in source.chunks():
                pass

        reader = asyncio.create_task(drain())
        try:
            async with asyncio.timeout(patience_s):
                while not any(map(enough, source.receptions())):
                    await asyncio.sleep(0.02)
            return source.receptions()[0]
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await source.aclose()

    return asyncio.run(run())


class OtherFirmware(Thingy):
    """Sends packets of a size that the profile does not know."""

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        return [(self.RAW, bytes([0x55, 0x61, 0x07]))]


class MuteGyroscope(Polar):
    """Confirms the start of its gyroscope, which then sends nothing."""

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        return [(uuid, data) for uuid, data in super().packets(samples, on_for_s) if data[0] != self.GYRO]


class SlowMicrobit(Sensor):
    """Takes 80 ms where it was asked for 20."""

    name = "BBC micro:bit"
    SERVICE, DATA, PERIOD = (f"e95d{n}-251d-470a-a062-fa1922dfa9a8" for n in ("0753", "ca4b", "fb24"))
    advertised = (SERVICE,)

    def __init__(self, address: str) -> None:
        super().__init__(address)
        period = Characteristic(self.PERIOD, ("read", "write"), (80).to_bytes(2, "little"))
        self.services = {self.SERVICE: [Characteristic(self.DATA, ("notify",)), period]}

    def subscribed(self, uuid: str, on: bool) -> None:
        self.start() if on else self.stop()

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        return [(self.DATA, bytes(6))]


def test_a_source_reports_before_it_has_found_its_device(bluez: BlueZ) -> None:
    source = BleSource("ble://polar")
    assert isinstance(source, Receiving)
    assert source.receptions() == []
    assert received(source, lambda r: True) == Reception("polar")


def test_packets_that_are_all_malformed_are_shown_with_the_reason(bluez: BlueZ) -> None:
    bluez.add(OtherFirmware(FIRST))
    reception = received(BleSource("ble://thingy52"), lambda r: r.malformed > 5)
    assert reception.malformed == reception.packets
    assert (reception.name, reception.samples) == ("Thingy", 0)
    assert reception.malformed_example == bytes([0x55, 0x61, 0x07])
    assert reception.malformed_reason == "a packet of 3 bytes; expected 18"
    assert reception.asked_hz == 50


def test_a_gyroscope_that_sends_nothing_is_named(bluez: BlueZ) -> None:
    bluez.add(MuteGyroscope(FIRST))
    reception = received(BleSource("ble://polar"), lambda r: r.unpaired > 0)
    assert reception.samples == reception.malformed == 0
    assert reception.newest_s["gyro"] == -math.inf
    assert math.isfinite(reception.newest_s["acc"])
    assert (reception.expected, reception.asked_hz) == ("acc, gyro", 52)


def test_a_sensor_that_was_not_asked_for_is_named(bluez: BlueZ) -> None:
    polar = Polar(FIRST)
    polar.on = {Polar.GYRO}  # another program has left it on
    bluez.add(polar)
    reception = received(BleSource("ble://polar?gyro=no"), lambda r: r.packets >= 2 and r.samples > 0)
    assert reception.unwanted["gyro"] >= 1
    assert reception.newest_s == {}


def test_a_rate_other_than_asked_is_a_remark(bluez: BlueZ) -> None:
    bluez.add(SlowMicrobit(FIRST))
    reception = received(BleSource("ble://microbit?rate=50"), lambda r: r.samples > 2)
    assert reception.asked_hz == 50
    assert reception.remarks == ("asked for 50 Hz, it answered 12.5 Hz",)


def test_receptions_add_up_over_reconnections(bluez: BlueZ) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    source = BleSource("ble://thingy52")
    chunks = read(
        source,
        (lambda c: samples(c) > 30, lambda: (bluez.do(lambda: thingy.notify(thingy.RAW, b"?")), bluez.drop(thingy))),
        (lambda c: len(epochs(c)) == 2 and samples(c) > 60, done),
    )
    (reception,) = source.receptions()
    assert samples(chunks) <= reception.samples <= samples(chunks) + 5
    assert reception.packets == reception.samples + reception.malformed
    assert (reception.malformed, reception.malformed_example) == (1, b"?")
