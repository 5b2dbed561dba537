"""Profiles with several protocols: the device's own is found, over bleak's real BlueZ backend."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY
from kinestream.ingest.ble.source import BleSource
from kinestream.ingest.devices import adafruit, nus
from tests.ble.peripheral import Characteristic
from tests.ble.sensors import DEGREE, Sensor
from tests.ingest.ble.test_source import FIRST, done, read, samples

if TYPE_CHECKING:
    from tests.ble.bluez import BlueZ


class Clue(Sensor):
    """An Adafruit board with two sensor services whose period characteristics share a UUID."""

    name = "CIRCUITPY1234"

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.services = {
            adafruit.SERVICES[name]: [
                Characteristic(adafruit.DATA[name], ("read", "notify")),
                Characteristic(adafruit.PERIOD, ("read", "write")),
            ]
            for name in ("acc", "gyro")
        }

    def subscribed(self, uuid: str, on: bool) -> None:
        if uuid == adafruit.DATA["gyro"]:
            self.start() if on else self.stop()

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        return [
            (adafruit.DATA[name], sample[columns].astype("<f4").tobytes())
            for sample in samples
            for name, columns in (("acc", slice(3)), ("gyro", slice(3, 6)))
        ]


class Uart(Sensor):
    """A board that sends over Nordic UART to any subscriber."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.services = {
            nus.SERVICE: [Characteristic(nus.TO_DEVICE, ("write",)), Characteristic(nus.FROM_DEVICE, ("notify",))]
        }

    def subscribed(self, uuid: str, on: bool) -> None:
        self.start() if on else self.stop()


class Bluefruit(Uart):
    """Sends Bluefruit packets split at arbitrary places."""

    name = "Bluefruit52"

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        stream = b""
        for sample in samples:
            for letter, values in ((b"!A", sample[:3]), (b"!G", sample[3:])):
                packet = letter + struct.pack("<3f", *values)
                stream += packet + bytes([~sum(packet) & 0xFF])
        return [(nus.FROM_DEVICE, stream[at : at + 20]) for at in range(0, len(stream), 20)]


class Printer(Uart):
    """Prints CSV in g and deg/s and ignores commands, or is a Puck.js that reports its rate once it has a program."""

    name = "my board"
    advertised = (nus.SERVICE,)
    espruino = False

    def written(self, uuid: str, data: bytes) -> None:
        if self.espruino and data.endswith(b"\n"):
            self.notify(nus.FROM_DEVICE, b'{"rate":52}\r\n')

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        notifications = []
        for sample in samples:
            values = [*(sample[:3] / STANDARD_GRAVITY), *(sample[3:] / DEGREE)]
            line = ",".join(f"{value:.4f}" for value in values).encode() + b"\r\n"
            notifications += [(nus.FROM_DEVICE, line[at : at + 20]) for at in range(0, len(line), 20)]
        return notifications


class Puck(Printer):
    name = "Puck.js 1234"
    espruino = True


@pytest.mark.parametrize(
    ("device", "uri", "fs_hz"),
    [
        (Clue, "ble://adafruit?rate=50", 50.0),
        (Bluefruit, "ble://adafruit?rate=50", 50.0),
        (Printer, "ble://nus?rate=50", 50.0),
        (Puck, "ble://nus", 52.0),
    ],
)
def test_the_supported_protocol_is_found_and_delivers_motion(
    bluez: BlueZ, device: type[Sensor], uri: str, fs_hz: float
) -> None:
    sensor = device(FIRST)
    bluez.add(sensor)
    chunks = read(BleSource(uri), (lambda c: samples(c) > 60, done))
    assert chunks[0].channels == (*ACC, *GYRO)
    assert chunks[0].fs_hz == fs_hz
    acc = np.concatenate([chunk.x[:, :3] for chunk in chunks])
    assert np.linalg.norm(acc.mean(axis=0)) == pytest.approx(STANDARD_GRAVITY, rel=0.3)
    assert not sensor.streaming


def test_an_adafruit_board_receives_its_period_in_both_services(bluez: BlueZ) -> None:
    clue = Clue(FIRST)
    bluez.add(clue)
    read(BleSource("ble://adafruit?rate=40"), (lambda c: samples(c) > 10, done))
    assert clue.writes == [(adafruit.PERIOD, struct.pack("<i", 25))] * 2
