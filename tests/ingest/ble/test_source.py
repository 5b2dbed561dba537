"""The whole Bluetooth shell against a real D-Bus, bleak's real BlueZ backend and sensors that misbehave on demand."""

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
from kinestream.ingest.ble import streaming as life_module
from kinestream.ingest.ble.source import BleSource
from tests.ble.peripheral import Characteristic, Peripheral
from tests.ble.sensors import DEGREE, Polar, Sensor, Thingy, int16

if TYPE_CHECKING:
    from tests.ble.bluez import BlueZ

PAGE = Path(__file__).resolve().parents[3] / "docs" / "generic_profile.md"
FIRST, SECOND = "C0:00:00:00:00:01", "C0:00:00:00:00:02"

Step = tuple[Callable[[list[SampleChunk]], bool], Callable[[], Any]]


def sessions(chunks: list[SampleChunk]) -> list[str]:
    return list(dict.fromkeys(chunk.session for chunk in chunks))


def samples(chunks: list[SampleChunk]) -> int:
    return sum(map(len, chunks))


def read(source: BleSource, *steps: Step, patience_s: float = 15.0) -> list[SampleChunk]:
    """The source's chunks; whenever a step's condition holds, its action is done, and after the last one it ends."""
    left = list(steps)

    async def run() -> list[SampleChunk]:
        found: list[SampleChunk] = []
        try:
            async with asyncio.timeout(patience_s):
                async for chunk in source.chunks():
                    found.append(chunk)
                    while left and left[0][0](found):
                        await asyncio.to_thread(left.pop(0)[1])
                    if not left:
                        return found
        finally:
            await source.aclose()
        return found

    return asyncio.run(run())


def done() -> None:
    """The action of a last step."""


def test_a_polar_is_set_up_read_and_stopped(bluez: BlueZ) -> None:
    polar = Polar(FIRST)
    bluez.add(polar)
    source = BleSource("ble://polar")
    chunks = read(source, (lambda c: samples(c) > 100, done))
    assert sessions(chunks) == ["Polar Sense 12345678#1"]
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


def test_a_polar_that_a_crash_left_on_is_stopped_and_started_again(bluez: BlueZ) -> None:
    polar = Polar(FIRST)
    polar.on = {Polar.ACC, Polar.GYRO}
    bluez.add(polar)
    assert read(BleSource("ble://polar"), (lambda c: samples(c) > 20, done))


def test_a_lost_link_comes_back_as_a_new_session(bluez: BlueZ) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    source = BleSource("ble://thingy52")
    chunks = read(
        source,
        (lambda c: samples(c) > 30, lambda: bluez.drop(thingy)),
        (lambda c: len(sessions(c)) == 2 and samples(c) > 60, done),
    )
    assert sessions(chunks) == ["Thingy#1", "Thingy#2"]
    assert {chunk.stream for chunk in chunks} == {"Thingy"}
    assert next(chunk for chunk in chunks if chunk.session == "Thingy#2").seq == 0
    assert source.counts()["reconnects"] == 1


def test_a_device_told_to_sample_less_does_so_on_the_same_connection_and_goes_back(
    bluez: BlueZ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "STEADY_S", 0.5)
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    source = BleSource("ble://thingy52")
    chunks = read(
        source,
        (lambda c: samples(c) > 30, lambda: source.sense("Thingy", Sensing(25.0))),
        (lambda c: len(sessions(c)) == 2 and len(c) > 20, lambda: source.sense("Thingy", None)),
        (lambda c: len(sessions(c)) == 3 and samples(c) > 150, done),
    )
    assert sessions(chunks) == ["Thingy#1", "Thingy#2", "Thingy#3"]
    rates = {chunk.session: chunk.fs_hz for chunk in chunks}
    assert rates == {"Thingy#1": 50.0, "Thingy#2": 25.0, "Thingy#3": 50.0}
    t = np.concatenate([chunk.t for chunk in chunks if chunk.session == "Thingy#2"])
    assert np.diff(t[5:]).mean() == pytest.approx(1 / 25, rel=0.2)
    assert source.counts()["told_otherwise"] == 2
    assert "reconnects" not in source.counts()
    assert len(thingy.links) == 1


def polar_asked(
    bluez: BlueZ, monkeypatch: pytest.MonkeyPatch, sensing: Sensing
) -> tuple[Polar, BleSource, list[SampleChunk]]:
    """A Polar that is asked to run otherwise while it streams, until its second session has come in."""
    monkeypatch.setattr(link_module, "STEADY_S", 0.0)
    polar = Polar(FIRST)
    bluez.add(polar)
    source = BleSource("ble://polar")
    chunks = read(
        source,
        (lambda c: samples(c) > 60, lambda: source.sense(polar.name, sensing)),
        (lambda c: len(sessions(c)) == 2 and samples(c) > 120, done),
    )
    return polar, source, chunks


def test_a_gyroscope_is_put_to_sleep_in_the_device(bluez: BlueZ, monkeypatch: pytest.MonkeyPatch) -> None:
    polar, _, chunks = polar_asked(bluez, monkeypatch, Sensing(52.0, gyro=False))
    assert chunks[-1].channels == ACC
    assert not polar.on  # stopped in the end, as before


def test_a_device_that_refuses_to_sample_less_goes_on_as_it_was(bluez: BlueZ, monkeypatch: pytest.MonkeyPatch) -> None:
    """This one offers 52 Hz only, though its kind has 26."""
    _, source, chunks = polar_asked(bluez, monkeypatch, Sensing(26.0))
    assert {chunk.fs_hz for chunk in chunks} == {52}
    assert source.counts()["failed_attempts"] == 1


def test_a_wish_that_does_not_last_is_not_told(bluez: BlueZ) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    source = BleSource("ble://thingy52")
    chunks = read(
        source,
        (lambda c: samples(c) > 30, lambda: source.sense("Thingy", Sensing(25.0))),
        (lambda c: samples(c) > 80, lambda: source.sense("Thingy", None)),
        (lambda c: samples(c) > 120, done),
    )
    assert sessions(chunks) == ["Thingy#1"]
    assert thingy.true_rate_hz == 50.0


def test_a_device_that_was_switched_off_is_awaited(bluez: BlueZ) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)

    def off_and_on() -> None:
        bluez.remove(thingy)
        time.sleep(0.7)
        bluez.add(thingy)

    chunks = read(
        BleSource("ble://thingy52"),
        (lambda c: samples(c) > 10, off_and_on),
        (lambda c: len(sessions(c)) == 2, done),
    )
    assert len(sessions(chunks)) == 2


def test_two_devices_with_equal_handles_and_names_stay_apart(bluez: BlueZ) -> None:
    one, other = Thingy(FIRST, seed=1), Thingy(SECOND, seed=2)
    bluez.add(one)
    bluez.add(other)

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
def test_an_error_that_passes_costs_nothing_but_time(bluez: BlueZ, member: str, error: str, text: str) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    source = BleSource("ble://thingy52")
    first = member != "StartDiscovery"
    if first:
        bluez.fail(member, error, text)
        read(source, (lambda c: samples(c) > 10, done))
    else:  # before the first link a person is told; after it, the search goes on
        steps = (
            (lambda c: samples(c) > 10, lambda: (bluez.fail(member, error, text), bluez.drop(thingy))),
            (lambda c: len(sessions(c)) == 2, done),
        )
        read(source, *steps)
        assert source.counts()["failed_attempts"] == 1
    assert not bluez.faults.pending


def test_a_link_that_stays_up_and_says_nothing_is_dropped_and_made_anew(
    bluez: BlueZ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life_module, "STALE_S", 0.6)
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    thingy.connected = lambda: setattr(thingy, "stalled", False)  # it sends again once it was connected anew
    source = BleSource("ble://thingy52")
    chunks = read(
        source,
        (lambda c: samples(c) > 30, lambda: setattr(thingy, "stalled", True)),
        (lambda c: len(sessions(c)) == 2, done),
    )
    assert len(sessions(chunks)) == 2
    assert source.counts()["stalled"] == 1


def test_bluetooth_switched_off_and_on_again_is_waited_out(bluez: BlueZ) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)

    def off_and_on() -> None:
        bluez.set_powered(False)
        time.sleep(0.7)
        bluez.set_powered(True)

    chunks = read(
        BleSource("ble://thingy52"),
        (lambda c: samples(c) > 10, off_and_on),
        (lambda c: len(sessions(c)) == 2, done),
    )
    assert len(sessions(chunks)) == 2


def test_before_the_first_link_a_person_is_told_at_once(bluez: BlueZ) -> None:
    with pytest.raises(DeviceRefused, match=r"no device of the kind polar was seen in 0.3 s \(nothing else"):
        read(BleSource("ble://polar?wait=0.3"))
    bluez.add(Peripheral(FIRST, "Television"))
    with pytest.raises(ConfigError, match=r"Television .* no kind of device that is recognised; say which"):
        read(BleSource("ble://Television"))
    bluez.add(Thingy(SECOND))
    bluez.fail("Connect", "org.bluez.Error.AuthenticationFailed", "Authentication Failed", times=4)
    with pytest.raises(DeviceRefused, match="wants to be paired first"):
        read(BleSource("ble://thingy52"))
    with pytest.raises(DeviceRefused, match=r"has no characteristic .* name the profile"):
        read(BleSource(f"ble://{FIRST}?profile=microbit"))
    bluez.set_powered(False)
    with pytest.raises(BluetoothUnavailable, match="Bluetooth is off"):
        read(BleSource("ble://thingy52"))


def test_packets_that_make_no_sense_are_counted_and_passed_over(bluez: BlueZ) -> None:
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    source = BleSource("ble://thingy52")
    chunks = read(
        source,
        (lambda c: samples(c) > 10, lambda: bluez.do(lambda: thingy.notify(Thingy.RAW, b"\x01\x02\x03"))),
        (lambda c: samples(c) > 30, done),
    )
    assert source.counts()["malformed"] == 1
    assert sessions(chunks) == ["Thingy#1"]


def test_settings_that_the_device_cannot_do_are_refused_with_those_it_can(bluez: BlueZ) -> None:
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
        (one,) = samples
        acc, gyro = int16(one[:3] / STANDARD_GRAVITY * 8192), int16(one[3:] / DEGREE * 16.384)
        return [(self.UUID % 1, struct.pack("<I", int(on_for_s * 1e6)) + acc.tobytes() + gyro.tobytes())]


@pytest.mark.parametrize("address", ["ble://generic:%s", "ble://?profile=%s", "ble://Kinestream?profile=generic:%s"])
def test_a_sensor_of_one_s_own_is_found_by_the_advertisement_in_its_description(
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
