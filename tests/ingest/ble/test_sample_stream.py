"""Chunks do not depend on how many notifications are decoded at once."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest

from kinestream.core.signals import ACC, GYRO, SampleChunk
from kinestream.ingest.ble.sample_stream import SampleStream
from kinestream.ingest.devices import find_profile
from kinestream.ingest.devices.thingy52 import RAW
from kinestream.ingest.profile import Clock, Decoder, Group, Packet, Settings

Notification = tuple[str, bytes, float]


def thingy() -> tuple[Decoder, list[Notification]]:
    """Single samples at 200 Hz over a connection of 30 ms, some malformed, some lost, one silence."""
    rng = np.random.default_rng(1)
    notifications: list[Notification] = []
    for i in range(4000):
        data = rng.integers(-2000, 2000, 9).astype("<i2").tobytes()
        if rng.random() < 0.02 or 2000 <= i < 2400:
            continue
        data = data[:7] if rng.random() < 0.01 else data
        notifications.append((RAW, data, 0.03 * np.ceil(i / 200 / 0.03) + 1e-6 * i))
    return find_profile("thingy52").plan(Settings(rate_hz=200)).decoder(), notifications


def two_sensors() -> tuple[Decoder, list[Notification]]:
    """Accelerometer and gyroscope in packets of their own, stamped by the device, with losses and one restart."""
    clock = Clock(tick_s=1e-3)
    groups = (Group("acc", ACC, 100.0, clock), Group("gyro", GYRO, 50.0, clock))

    def decode(name: str, data: bytes) -> list[Packet]:
        values = np.frombuffer(data, "<f4", offset=4).reshape(-1, 3)
        return [Packet(name, values, device_time=struct.unpack_from("<I", data)[0])]

    rng = np.random.default_rng(2)
    notifications: list[Notification] = []
    for name, n, rate_hz in (("acc", 10, 100), ("gyro", 3, 50)):
        for k in range(int(20 * rate_hz / n)):
            at_s = k * n / rate_hz
            if rng.random() < 0.03:
                continue
            ticks = round(at_s * 1000) + (0 if at_s < 12 else 3_000_000)
            data = struct.pack("<I", ticks) + rng.normal(size=(n, 3)).astype("<f4").tobytes()
            notifications.append((name, data, at_s + n / rate_hz + float(rng.exponential(0.01))))
    handlers = {name: lambda data, name=name: decode(name, data) for name in ("acc", "gyro")}
    by_sensor = {name: sorted(at for kind, _, at in notifications if kind == name) for name in handlers}
    in_order = [(kind, data, by_sensor[kind].pop(0)) for kind, data, _ in notifications]
    return Decoder(groups, handlers), sorted(in_order, key=lambda notification: notification[2])


def chunks_of(decoder: Decoder, notifications: list[Notification], sizes: list[int]) -> list[SampleChunk]:
    """Take the chunks after every ``sizes[i]`` notifications, in turn."""
    stream = SampleStream("wrist", "wrist#1", decoder)
    chunks: list[SampleChunk] = []
    rest, turn = list(notifications), 0
    while rest:
        size = sizes[turn % len(sizes)]
        for notification in rest[:size]:
            stream.push(*notification)
        rest, turn = rest[size:], turn + 1
        chunks += stream.take()
    return chunks


def samples_of(chunks: list[SampleChunk]) -> tuple[list[tuple[str, int]], bytes, bytes, bytes]:
    """The epoch and number of every sample, and the bits of its times and values."""
    numbers = [(chunk.session, chunk.seq + k) for chunk in chunks for k in range(len(chunk))]
    device = [chunk.t_device for chunk in chunks if chunk.t_device is not None]
    t, x = (np.concatenate([getattr(chunk, name) for chunk in chunks]).tobytes() for name in ("t", "x"))
    return numbers, t, x, np.concatenate(device).tobytes() if device else b""


def test_samples_that_wait_for_another_sensor_at_the_end_are_counted() -> None:
    decoder, notifications = two_sensors()
    stream = SampleStream("wrist", "wrist#1", decoder)
    accelerometer = [notification for notification in notifications if notification[0] == "acc"][:3]
    for notification in accelerometer:
        stream.push(*notification)
    assert stream.take() == []
    stream.close()
    assert stream.counts()["unpaired"] == stream.reception().unpaired == 30


Sensor = Callable[[], tuple[Decoder, list[Notification]]]


@pytest.mark.parametrize("sensor", [thingy, two_sensors])
@pytest.mark.parametrize("sizes", [[8], [1, 50, 3], [700], [100_000]])
def test_the_same_notifications_give_the_same_samples_however_many_are_decoded_at_once(
    sensor: Sensor, sizes: list[int]
) -> None:
    decoder, notifications = sensor()
    expected = samples_of(chunks_of(decoder, notifications, [1]))
    decoder, _ = sensor()
    assert samples_of(chunks_of(decoder, notifications, sizes)) == expected
    assert len(expected[0]) > 1000
