"""Simulated sensors that stream the built-in wearer's motion in the packet formats of real sensors."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import numpy as np

from kinestream.core.signals import STANDARD_GRAVITY
from kinestream.replay_data import Wearer
from tests.ble.peripheral import BATTERY_LEVEL, BATTERY_SERVICE, Characteristic, Peripheral

DEGREE = np.pi / 180


def motion(seed: int, rate_hz: float) -> Iterator[np.ndarray]:
    """Yield samples (6,): acceleration in m/s^2 and angular rate in rad/s."""
    for _, chunk in Wearer(seed=seed, rate_hz=rate_hz).packets():
        yield from chunk.x


def int16(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), -32768, 32767).astype("<i2")


class Sensor(Peripheral):
    """Streams packets of ``per_packet`` samples at its true rate while it has a subscriber.

    Args:
        loss: share of packets lost on the air.
        speed: multiple of real time, for soak tests.
    """

    rate_hz = 50.0
    true_rate_hz = 50.0
    per_packet = 1
    pause_s = 0.0
    """Delay between the start command and the first sample."""

    def __init__(self, address: str, seed: int = 1, *, loss: float = 0.0, speed: float = 1.0, **names: Any) -> None:
        super().__init__(address, **names)
        self.loss = loss
        self.speed = speed
        self.battery = 80
        self.stalled = False
        """Stays connected and sends nothing."""
        self.streaming = False
        self._motion = motion(seed, self.rate_hz)
        self._air = np.random.default_rng(seed)
        self._task: asyncio.Task[None] | None = None
        self.links: list[tuple[int, int]] = []
        """For every ended link: samples taken, and how many of them were lost on the air."""
        self._taken = self._lost = 0  # the same for the current link

    def start(self) -> None:
        self.streaming = True
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._stream())

    def stop(self) -> None:
        self.streaming = False
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def disconnected(self) -> None:
        self.stop()
        if self._taken:
            self.links.append((self._taken, self._lost))
        self._taken = self._lost = 0

    def finish(self) -> None:
        """Send a last packet, which arrives, and stop: losses after it could not be detected."""
        if self.streaming:
            self._send(arrives=True)
        self.stop()

    async def _stream(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.pause_s)
        began_s = loop.time() - self._taken / self.true_rate_hz / self.speed
        while True:
            due_s = began_s + (self._taken + self.per_packet) / self.true_rate_hz / self.speed
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            if not self.stalled:
                # The first packet always arrives: losses before it could not be detected.
                self._send(arrives=self._taken == 0 or self._air.random() >= self.loss)

    def _send(self, arrives: bool) -> None:
        samples = np.array([next(self._motion) for _ in range(self.per_packet)])
        self._taken += self.per_packet
        if not arrives:
            self._lost += self.per_packet
            return
        for uuid, data in self.packets(samples, self._taken / self.true_rate_hz):
            self.notify(uuid, data)

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        """The notifications that carry (n, 6) samples."""
        raise NotImplementedError


class Thingy(Sensor):
    """Nordic Thingy:52: nine numbers per notification, no clock, no counter."""

    name = "Thingy"
    BASE = "ef68%s-9b35-4933-9b10-52ffa9740042"
    advertised = (BASE % "0100",)
    RAW, CONFIG = BASE % "0406", BASE % "0401"

    def __init__(self, address: str, seed: int = 1, **options: Any) -> None:
        super().__init__(address, seed, **options)
        config = struct.pack("<HHHHB", 1000, 1000, 1000, self.rate_hz.__int__(), 1)
        self.services = {
            self.BASE % "0400": [
                Characteristic(self.CONFIG, ("read", "write"), config),
                Characteristic(self.RAW, ("notify",)),
            ],
            BATTERY_SERVICE: [Characteristic(BATTERY_LEVEL, ("read", "notify"), bytes([self.battery]))],
        }

    def written(self, uuid: str, data: bytes) -> None:
        if uuid == self.CONFIG:
            self.services[self.BASE % "0400"][0].value = data
            rate_hz = float(struct.unpack_from("<H", data, 6)[0])
            if rate_hz != self.true_rate_hz:
                self.true_rate_hz = rate_hz
                if self.streaming:
                    self.stop()
                    self.start()

    def subscribed(self, uuid: str, on: bool) -> None:
        if uuid == self.RAW:
            self.start() if on else self.stop()

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        notifications = []
        for sample in samples:
            acc = int16(sample[:3] / STANDARD_GRAVITY * 1024)
            gyro = int16(sample[3:] / DEGREE * 32)
            notifications.append((self.RAW, acc.tobytes() + gyro.tobytes() + bytes(6)))
        return notifications


class Polar(Sensor):
    """Polar Verity Sense: raw acceleration frames and compressed gyroscope frames, stamped by the device's clock."""

    name = "Polar Sense 12345678"
    BASE = "fb005c8%d-02e7-f387-1cad-8acd2d8df0c8"
    advertised = ("0000180d-0000-1000-8000-00805f9b34fb",)
    manufacturer = MappingProxyType({107: b"\x72\x08"})
    CONTROL, DATA = BASE % 1, BASE % 2
    rate_hz = 52.0
    true_rate_hz = 51.7
    per_packet = 26
    ACC, GYRO = 2, 5
    START_NS = 700_000_000_000_000_000

    def __init__(self, address: str, seed: int = 1, **options: Any) -> None:
        super().__init__(address, seed, **options)
        features = bytes([0x0F, 0x04 | 0x20, 0x00])
        self.services = {
            self.BASE % 0: [
                Characteristic(self.CONTROL, ("read", "write", "indicate"), features),
                Characteristic(self.DATA, ("notify",)),
            ],
            BATTERY_SERVICE: [Characteristic(BATTERY_LEVEL, ("read", "notify"), bytes([self.battery]))],
        }
        self.on: set[int] = set()
        self.clock_error = 20e-6

    def written(self, uuid: str, data: bytes) -> None:
        if uuid != self.CONTROL:
            return
        operation, kind = data[0], data[1]
        reply = bytes([0xF0, operation, kind])
        if operation == 1:
            range_ = 8 if kind == self.ACC else 2000
            settings = bytes([0, 1]) + struct.pack("<H", 52) + bytes([1, 1]) + struct.pack("<H", 16)
            settings += bytes([2, 1]) + struct.pack("<H", range_) + bytes([4, 1, 3])
            self.notify(self.CONTROL, reply + bytes([0, 0]) + settings)
        elif operation == 2:
            already = kind in self.on
            self.on.add(kind)
            factor = bytes([5, 1]) + struct.pack("<f", 2000 / 32768) if kind == self.GYRO else b""
            self.notify(self.CONTROL, reply + (bytes([6, 0]) if already else bytes([0, 0]) + factor))
            self.start()
        elif operation == 3:
            self.on.discard(kind)
            self.notify(self.CONTROL, reply + bytes([0, 0]))
            if not self.on:
                self.stop()

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        stamp = self.START_NS + int(on_for_s * (1 + self.clock_error) * 1e9)
        notifications = []
        if self.ACC in self.on:
            acc = int16(samples[:, :3] / STANDARD_GRAVITY * 1000)
            notifications.append((self.DATA, struct.pack("<BQB", self.ACC, stamp, 1) + acc.tobytes()))
        if self.GYRO in self.on:
            gyro = int16(samples[:, 3:] / DEGREE * 32768 / 2000).astype(np.int64)
            deltas = np.diff(gyro, axis=0).astype("<i2")  # 16 bits a delta: wraps as the device's own arithmetic does
            body = gyro[0].astype("<i2").tobytes() + bytes([16, len(deltas)]) + deltas.tobytes()
            notifications.append((self.DATA, struct.pack("<BQB", self.GYRO, stamp + 3_000_000, 0x80) + body))
        return notifications


class MicroBit(Sensor):
    """A BBC micro:bit of version 1.5 or 2: it takes its next longer period and reports whole milliseconds."""

    name = "BBC micro:bit [zuvav]"
    BASE = "e95d%s-251d-470a-a062-fa1922dfa9a8"
    DATA, PERIOD = BASE % "ca4b", BASE % "fb24"
    PERIODS_MS = (2.5, 5, 10, 20, 40, 100, 1000)

    def __init__(self, address: str, seed: int = 1, **options: Any) -> None:
        super().__init__(address, seed, **options)
        self.period = Characteristic(self.PERIOD, ("read", "write"), struct.pack("<H", 20))
        self.services = {self.BASE % "0753": [Characteristic(self.DATA, ("read", "notify")), self.period]}

    def written(self, uuid: str, data: bytes) -> None:
        (asked_ms,) = struct.unpack("<H", data)
        period_ms = next((period for period in self.PERIODS_MS if period >= asked_ms), self.PERIODS_MS[-1])
        self.period.value = struct.pack("<H", int(period_ms))
        self.true_rate_hz = 1000 / period_ms

    def subscribed(self, uuid: str, on: bool) -> None:
        self.start() if on else self.stop()

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        return [(self.DATA, int16(sample[:3] / STANDARD_GRAVITY * 1000).tobytes()) for sample in samples]


class PineTime(Sensor):
    """A watch with InfiniTime, which sends the chip's y, x and z."""

    name = "InfiniTime"
    BASE = "0003000%d-78fc-48fe-8e23-433b3a1942d0"
    DATA = BASE % 2
    rate_hz = true_rate_hz = 10.0

    def __init__(self, address: str, seed: int = 1, **options: Any) -> None:
        super().__init__(address, seed, **options)
        self.services = {self.BASE % 0: [Characteristic(self.DATA, ("read", "notify"))]}

    def subscribed(self, uuid: str, on: bool) -> None:
        self.start() if on else self.stop()

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        chip = int16(samples[:, :3] / STANDARD_GRAVITY * 1024)
        return [(self.DATA, sample.tobytes()) for sample in chip[:, [1, 0, 2]]]


class Bangle(Sensor):
    """A Bangle.js: its chip makes 12.5 samples a second until a program sets the chip's rate.

    Args:
        obeys: whether the chip takes a rate; False: an old firmware without access to its registers.
    """

    name = "Bangle.js 1a2b"
    SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
    RX, TX = "6e400002-b5a3-f393-e0a9-e50e24dcca9e", "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
    advertised = (SERVICE,)
    CHIP_HZ = 12.5

    def __init__(self, address: str, seed: int = 1, *, obeys: bool = True, **options: Any) -> None:
        super().__init__(address, seed, **options)
        self.obeys = obeys
        self.programs: list[str] = []
        self._typed = b""
        self.services = {
            self.SERVICE: [
                Characteristic(self.RX, ("write", "write-without-response")),
                Characteristic(self.TX, ("notify",)),
            ]
        }

    def written(self, uuid: str, data: bytes) -> None:
        self._typed += data
        if not self._typed.endswith(b"\n"):
            return
        program, self._typed = self._typed.decode(), b""
        self.programs.append(program)
        started = re.search(r"setPollInterval\((\d+)\);Bangle\.on.*?\{rate:([0-9.]+)\}", program)
        if started is None:
            self.stop()
            return
        code = re.search(r"accelWr\(0x1B,(\d+)\)", program)
        chip_hz = self.CHIP_HZ * 2 ** (int(code.group(1)) & 0x0F) if code and self.obeys else self.CHIP_HZ
        self.true_rate_hz = min(chip_hz, 1000 / int(started.group(1)))
        self.notify(self.TX, b'{"rate":%s}\r\n' % started.group(2).encode())
        self.start()

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        lines = (",".join(f"{value:.5f}" for value in sample) for sample in samples[:, :3] / STANDARD_GRAVITY)
        return [(self.TX, f"{line}\r\n".encode()) for line in lines]
