"""The sockets of BlueZ's notifications, read in rounds: arrival times, ends, and bleak's real backend."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from kinestream.core.signals import SampleChunk
from kinestream.ingest.ble.notify_socket import NotifySocket, stamps_arrivals
from kinestream.ingest.ble.source import BleSource
from tests.ble.sensors import Polar, Thingy
from tests.ingest.ble.test_source import FIRST, Step, done, epochs, read, samples

if TYPE_CHECKING:
    from tests.ble.bluez import BlueZ


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, NotifySocket]]:
    if not stamps_arrivals():
        pytest.skip("this system does not stamp packets of local sockets")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reader = NotifySocket(theirs.detach())
    yield ours, reader
    ours.close()
    reader.close()


def test_notifications_read_late_keep_their_arrival_times(pair: tuple[socket.socket, NotifySocket]) -> None:
    ours, reader = pair
    sent_ns: list[int] = []
    for data in (b"one", b"two", b"three"):
        sent_ns.append(time.monotonic_ns())
        ours.send(data)
        time.sleep(0.05)
    notifications = reader.read()
    assert [data for _, data in notifications] == [b"one", b"two", b"three"]
    for (at_ns, _), least_ns in zip(notifications, sent_ns, strict=True):
        assert -1e6 < at_ns - least_ns < 40e6
    assert reader.read() == []


def test_an_empty_notification_is_not_the_end(pair: tuple[socket.socket, NotifySocket]) -> None:
    ours, reader = pair
    ours.send(b"")
    ours.send(b"more")
    ours.close()
    assert [data for _, data in reader.read()] == [b"", b"more"]
    assert reader.read() == []


def test_a_wall_clock_that_is_set_moves_no_arrival_out_of_order(
    pair: tuple[socket.socket, NotifySocket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, reader = pair
    wall_ns, arrivals = time.time_ns, [time.monotonic_ns()]
    for hours in (0, 1, -1):
        ours.send(b"?")
        monkeypatch.setattr(time, "time_ns", lambda hours=hours: wall_ns() + hours * 3_600_000_000_000)
        ((at_ns, _),) = reader.read()
        arrivals.append(at_ns)
    arrivals.append(time.monotonic_ns())
    assert arrivals[1:] == sorted(arrivals[1:])
    assert arrivals[1] > arrivals[0] - 1e6


def test_bleaks_sockets_are_read_in_rounds_and_closed(bluez: BlueZ) -> None:
    """If this fails after an update of bleak, ``take_socket`` must follow it; without it only speed is lost."""
    thingy = Thingy(FIRST)
    bluez.add(thingy)
    source = BleSource("ble://thingy52")
    taken: list[bool] = []
    descriptors: list[int] = []

    def look() -> None:
        stream = source._links[0]._newest_stream  # pyright: ignore[reportPrivateUsage]
        taken.append(stream is not None and bool(stream._connection._sockets))  # pyright: ignore[reportPrivateUsage]
        descriptors.append(len(os.listdir("/proc/self/fd")))

    def epoch(number: int) -> Callable[[list[SampleChunk]], bool]:
        return lambda chunks: len(epochs(chunks)) == number

    drops: list[Step] = [(epoch(number), lambda: bluez.drop(thingy)) for number in range(1, 5)]
    read(source, (epoch(1), look), *drops, (epoch(5), look))
    assert taken == [True, True]
    assert descriptors[1] <= descriptors[0] + 3  # the stand-in, in this process, closes its own a second later


def test_notifications_that_wait_when_the_link_breaks_are_received(bluez: BlueZ) -> None:
    polar = Polar(FIRST)
    polar.per_packet = 2
    bluez.add(polar)
    source = BleSource("ble://polar?gyro=no")
    chunks = read(
        source,
        (lambda c: samples(c) > 40, lambda: bluez.drop(polar)),
        (lambda c: len(epochs(c)) == 2, done),
    )
    ((taken, lost),) = polar.links[:1]
    assert lost == 0
    assert sum(len(chunk) for chunk in chunks if chunk.session.endswith("#1")) == taken


def test_a_device_whose_link_breaks_over_sockets_is_read_over_d_bus(bluez: BlueZ) -> None:
    thingy = Thingy(FIRST)
    thingy.socket_breaks = True
    bluez.add(thingy)
    chunks = read(BleSource("ble://thingy52"), (lambda c: samples(c) > 20, done))
    assert epochs(chunks) == ["Thingy#2"]
