"""The Bluetooth source against a real D-Bus, bleak's real BlueZ backend and sensors that misbehave on demand."""

from __future__ import annotations

import asyncio
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kinestream.core.errors import BluetoothUnavailable, ConfigError, DeviceRefused
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY, SampleChunk, Sensing
from kinestream.ingest.ble import link as link_module
from kinestream.ingest.ble import streaming as streaming_module
from kinestream.ingest.ble.source import BleSource
from tests.ble.peripheral import Characteristic, Peripheral
from tests.ble.sensors import DEGREE, Polar, Sensor, Thingy, int16

if TYPE_CHECKING:
    from tests.ble.bluez import BlueZ

PAGE = Path(__file__).resolve().parents[3] / "docs" / "generic_profile.md"
FIRST, SECOND = "C0:00:00:00:00:01", "C0:00:00:00:00:02"

Step = tuple[Callable[[list[SampleChunk]], bool], Callable[[], Any]]


def epochs(chunks: list[SampleChunk]) -> list[str]:
    return list(dict.fromkeys(chunk.session for chunk in chunks))


def samples(chunks: list[SampleChunk]) -> int:
    return sum(map(len, chunks))


def read(source: BleSource, *steps: Step, patience_s: float = 15.0) -> list[SampleChunk]:
    """Read the source's chunks; run each step's action once its condition holds, and end after the last step."""
    left = list(steps)

    async def run() -> list[SampleChunk]:
        chunks: list[SampleChunk] = []
        try:
            async with asyncio.timeout(patience_s):
                async for chunk in source.chunks():
                    chunks.append(chunk)
                    while left and left[0][0](chunks):
                        await asyncio.to_thread(left.pop(0)[1])
                    if not left:
                        return chunks
        finally:
            await source.aclose()
        return chunks

    return asyncio.run(run())


def done() -> None:
    """The action of the last step."""


def test_a_polar_is_set_up_read_and_stopped(bluez: BlueZ) -> None:
    polar = Polar(FIRST)
    bluez.add(polar)
    source = BleSource("ble://polar")
    chunks = read(source, (lambda c: samples(c) > 100, done))
    assert epochs(chunks) == ["Polar Sense 12345678#1"]
    assert chunks[0].channels == (*ACC, *GYRO)
    assert chunks[0].fs_hz == 52
    t = np.concatenate([chunk.t for chunk in chunks])
    assert np.diff(t).min() > 0
    assert np.diff(t).mean() == pytest.approx(1 / 52, rel=0.05)
    assert abs(t[-1] - time.monotonic()) < 5
    device = np.concatenate([chunk.t_device for chunk in chunks if chunk.t_device is not None])
    assert device.shape == t.shape
    assert device[0] == pytest.approx(Polar.START_NS / 1e9, abs=2)
    assert np.diff(device).mean() == pytest.approx(1 / 51.7, rel=0.01)
    acc = np.concatenate([chunk.x[:, :3] for chunk in chunks])
    assert np.linalg.norm(acc.mean(axis=0)) == pytest.approx(STANDARD_GRAVITY, rel=0.3)
    stops = [data for uuid, data in polar.writes if uuid == Polar.CONTROL and data[0] == 3]
    assert stops == [bytes([3, Polar.ACC]), bytes([3, Polar.GYRO])]
    assert not polar.streaming
    assert "battery 80%" in source.notices()[0]


def test_a_polar_left_streaming_by_a_crash_is_stopped_and_restarted(bluez: BlueZ) -> None:
    polar = Polar(FIRST)
    polar.on = {Polar.ACC, Polar.GYRO}
    bluez.add(polar)
    assert read(BleSource("ble://polar"), (lambda c: samples(c) > 20, done))


def test_a_lost_link_comes_back_as_a_new_epoch(bluez: BlueZ) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    source = BleSource("ble://thingy52")
    chunks = read(
        source,
        (lambda c: samples(c) > 30, lambda: bluez.drop(thingy)),
        (lambda c: len(epochs(c)) == 2 and samples(c) > 60, done),
    )
    assert epochs(chunks) == ["Thingy#1", "Thingy#2"]
    assert {chunk.stream for chunk in chunks} == {"Thingy"}
    assert next(chunk for chunk in chunks if chunk.session == "Thingy#2").seq == 0
    assert source.counts()["reconnects"] == 1


def test_a_slower_rate_and_its_reversal_use_the_same_connection(bluez: BlueZ, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "STEADY_S", 0.5)
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    source = BleSource("ble://thingy52")
    chunks = read(
        source,
        (lambda c: samples(c) > 30, lambda: source.sense("Thingy", Sensing(25.0))),
        (lambda c: len(epochs(c)) == 2 and len(c) > 20, lambda: source.sense("Thingy", None)),
        (lambda c: len(epochs(c)) == 3 and samples(c) > 150, done),
    )
    assert epochs(chunks) == ["Thingy#1", "Thingy#2", "Thingy#3"]
    rates = {chunk.session: chunk.fs_hz for chunk in chunks}
    assert rates == {"Thingy#1": 50.0, "Thingy#2": 25.0, "Thingy#3": 50.0}
    t = np.concatenate([chunk.t for chunk in chunks if chunk.session == "Thingy#2"])
    assert np.diff(t[5:]).mean() == pytest.approx(1 / 25, rel=0.2)
    assert source.counts()["told_otherwise"] == 2
    assert "reconnects" not in source.counts()
    assert len(thingy.links) == 1


def polar_with_changed_sensing(
    bluez: BlueZ, monkeypatch: pytest.MonkeyPatch, sensing: Sensing
) -> tuple[Polar, BleSource, list[SampleChunk]]:
    """Change the sensing of a streaming Polar and read until its second epoch has arrived."""
    monkeypatch.setattr(link_module, "STEADY_S", 0.0)
    polar = Polar(FIRST)
    bluez.add(polar)
    source = BleSource("ble://polar")
    chunks = read(
        source,
        (lambda c: samples(c) > 60, lambda: source.sense(polar.name, sensing)),
        (lambda c: len(epochs(c)) == 2 and samples(c) > 120, done),
    )
    return polar, source, chunks


def test_a_gyroscope_is_switched_off_in_the_device(bluez: BlueZ, monkeypatch: pytest.MonkeyPatch) -> None:
    polar, _, chunks = polar_with_changed_sensing(bluez, monkeypatch, Sensing(52.0, gyro=False))
    assert chunks[-1].channels == ACC
    assert not polar.on  # stopped at the end


def test_a_device_that_refuses_a_slower_rate_keeps_its_rate(bluez: BlueZ, monkeypatch: pytest.MonkeyPatch) -> None:
    """This device offers only 52 Hz, although its kind supports 26."""
    _, source, chunks = polar_with_changed_sensing(bluez, monkeypatch, Sensing(26.0))
    assert {chunk.fs_hz for chunk in chunks} == {52}
    assert source.counts()["failed_attempts"] == 1


def test_a_short_lived_request_does_not_reach_the_device(bluez: BlueZ) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    source = BleSource("ble://thingy52")
    chunks = read(
        source,
        (lambda c: samples(c) > 30, lambda: source.sense("Thingy", Sensing(25.0))),
        (lambda c: samples(c) > 80, lambda: source.sense("Thingy", None)),
        (lambda c: samples(c) > 120, done),
    )
    assert epochs(chunks) == ["Thingy#1"]
    assert thingy.true_rate_hz == 50.0


def test_a_device_switched_off_and_on_is_reconnected(bluez: BlueZ) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)

    def off_and_on() -> None:
        bluez.remove(thingy)
        time.sleep(0.7)
        bluez.add(thingy)

    chunks = read(
        BleSource("ble://thingy52"),
        (lambda c: samples(c) > 10, off_and_on),
        (lambda c: len(epochs(c)) == 2, done),
    )
    assert len(epochs(chunks)) == 2


def test_two_devices_with_equal_handles_and_names_stay_separate(bluez: BlueZ) -> None:
    for thingy in (Thingy(FIRST, seed=1), Thingy(SECOND, seed=2)):
        bluez.add(thingy)

    def both(chunks: list[SampleChunk]) -> bool:
        streams = [chunk.stream for chunk in chunks]
        return len(set(streams)) == 2 and min(streams.count(name) for name in set(streams)) > 10

    source = BleSource("ble://thingy52,thingy52")
    chunks = read(source, (both, done))
    names = {chunk.stream for chunk in chunks}
    assert {notice.rpartition(": ")[0] for notice in source.notices()} == names
    assert names in ({"Thingy", f"Thingy {SECOND}"}, {"Thingy", f"Thingy {FIRST}"})
    means = [np.concatenate([c.x for c in chunks if c.stream == name]).mean(axis=0) for name in names]
    assert np.abs(means[0] - means[1]).max() > 0.05  # two different wearers


@pytest.mark.parametrize(
    ("member", "error", "text"),
    [
        ("Connect", "org.bluez.Error.InProgress", "Operation already in progress"),
        ("Connect", "org.bluez.Error.Failed", "br-connection-unknown"),
        ("StartDiscovery", "org.bluez.Error.InProgress", "Operation already in progress"),
        ("AcquireNotify", "org.bluez.Error.NotSupported", "Operation is not supported"),
        ("WriteValue", "org.bluez.Error.InProgress", "In Progress"),
    ],
)
def test_a_passing_error_costs_only_time(bluez: BlueZ, member: str, error: str, text: str) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    source = BleSource("ble://thingy52")
    first = member != "StartDiscovery"
    if first:
        bluez.fail(member, error, text)
        read(source, (lambda c: samples(c) > 10, done))
    else:  # before the first connection this error is final; after it, the search continues
        steps = (
            (lambda c: samples(c) > 10, lambda: (bluez.fail(member, error, text), bluez.drop(thingy))),
            (lambda c: len(epochs(c)) == 2, done),
        )
        read(source, *steps)
        assert source.counts()["failed_attempts"] == 1
    assert not bluez.faults.pending


def test_a_silent_link_is_reconnected(bluez: BlueZ, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming_module, "STALE_S", 0.6)
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    thingy.connected = lambda: setattr(thingy, "stalled", False)  # it sends again once reconnected
    source = BleSource("ble://thingy52")
    chunks = read(
        source,
        (lambda c: samples(c) > 30, lambda: setattr(thingy, "stalled", True)),
        (lambda c: len(epochs(c)) == 2, done),
    )
    assert len(epochs(chunks)) == 2
    assert source.counts()["stalled"] == 1


def test_a_link_returns_after_bluetooth_is_switched_off_and_on(bluez: BlueZ) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)

    def off_and_on() -> None:
        bluez.set_powered(False)
        time.sleep(0.7)
        bluez.set_powered(True)

    chunks = read(
        BleSource("ble://thingy52"),
        (lambda c: samples(c) > 10, off_and_on),
        (lambda c: len(epochs(c)) == 2, done),
    )
    assert len(epochs(chunks)) == 2


def test_failures_before_the_first_connection_are_reported_at_once(bluez: BlueZ) -> None:
    with pytest.raises(DeviceRefused, match=r"no polar device was seen in 0.3 s \(no device advertised"):
        read(BleSource("ble://polar?wait=0.3"))
    bluez.add(Peripheral(FIRST, "Television"))
    with pytest.raises(ConfigError, match=r"Television .* is not a recognised kind of device; name its profile"):
        read(BleSource("ble://Television"))
    bluez.add(Thingy(SECOND))
    bluez.fail("Connect", "org.bluez.Error.AuthenticationFailed", "Authentication Failed", times=4)
    with pytest.raises(DeviceRefused, match="must be paired first"):
        read(BleSource("ble://thingy52"))
    with pytest.raises(DeviceRefused, match=r"has no characteristic .* name the profile"):
        read(BleSource(f"ble://{FIRST}?profile=microbit"))
    bluez.set_powered(False)
    with pytest.raises(BluetoothUnavailable, match="Bluetooth is off"):
        read(BleSource("ble://thingy52"))


def test_invalid_packets_are_counted_and_skipped(bluez: BlueZ) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    source = BleSource("ble://thingy52")
    chunks = read(
        source,
        (lambda c: samples(c) > 10, lambda: bluez.do(lambda: thingy.notify(Thingy.RAW, b"\x01\x02\x03"))),
        (lambda c: samples(c) > 30, done),
    )
    assert source.counts()["malformed"] == 1
    assert epochs(chunks) == ["Thingy#1"]


def test_unsupported_settings_are_refused_with_the_supported_ones(bluez: BlueZ) -> None:
    with pytest.raises(ConfigError, match="choose one of"):
        BleSource("ble://polar?rate=51")
    bluez.add(Polar(FIRST))
    with pytest.raises(ConfigError, match="52"):
        read(BleSource("ble://polar?rate=200"))


class Nano(Sensor):
    """An Arduino Nano 33 BLE with the sketch of docs/generic_profile.md."""

    name = "Kinestream IMU"
    UUID = "5b0d000%d-6c1f-4b43-9a70-6b696e657374"
    advertised = (UUID % 0,)
    rate_hz = true_rate_hz = 119.0

    def __init__(self, address: str, seed: int = 1, **options: Any) -> None:
        super().__init__(address, seed, **options)
        self.services = {self.UUID % 0: [Characteristic(self.UUID % 1, ("notify",))]}

    def subscribed(self, uuid: str, on: bool) -> None:
        self.start() if on else self.stop()

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        (sample,) = samples
        acc, gyro = int16(sample[:3] / STANDARD_GRAVITY * 8192), int16(sample[3:] / DEGREE * 16.384)
        return [(self.UUID % 1, struct.pack("<I", int(on_for_s * 1e6)) + acc.tobytes() + gyro.tobytes())]


@pytest.mark.parametrize("address", ["ble://generic:%s", "ble://?profile=%s", "ble://Kinestream?profile=generic:%s"])
def test_a_user_defined_sensor_is_found_by_the_advertisement_in_its_file(
    bluez: BlueZ, tmp_path: Path, address: str
) -> None:
    (description,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "nano33.toml").write_text(description)
    bluez.add(Thingy(SECOND))
    bluez.add(Nano(FIRST))
    source = BleSource(address % (tmp_path / "nano33.toml"))
    chunks = read(source, (lambda chunks: samples(chunks) > 100, done))
    assert {(chunk.stream, chunk.channels, chunk.fs_hz) for chunk in chunks} == {("Kinestream IMU", ACC + GYRO, 119.0)}
    x = np.concatenate([chunk.x for chunk in chunks])
    assert np.linalg.norm(x[:, :3], axis=1).mean() == pytest.approx(STANDARD_GRAVITY, rel=0.2)
