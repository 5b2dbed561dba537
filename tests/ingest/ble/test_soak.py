"""Half an hour of a bad link at sixty times real time: two hundred disconnects and one packet in a hundred lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from kinestream.ingest.ble import link as link_module
from kinestream.ingest.ble.source import BleSource
from tests.ble.timed_polar import TimedPolar

if TYPE_CHECKING:
    from tests.ble.bluez import BlueZ

SPEED = 60
SIMULATED_S = 1800.0
DISCONNECTS = 200


def test_every_sample_of_a_bad_half_hour_is_received_or_reported_lost(
    bluez: BlueZ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "PAUSES_S", (0.0,))
    polar = TimedPolar("C0:00:00:00:00:01", loss=0.01, speed=SPEED)
    bluez.add(polar)
    source = BleSource("ble://polar?gyro=no", now_ns=polar.now_ns)
    received: Counter[int] = Counter()
    lost: Counter[int] = Counter()
    broken = 0

    async def break_the_link() -> None:
        nonlocal broken
        while broken < DISCONNECTS:
            await asyncio.sleep(SIMULATED_S / DISCONNECTS / SPEED)
            if not polar.streaming:
                continue  # not reconnected yet
            await asyncio.to_thread(bluez.do, polar.finish)
            await asyncio.sleep(0.01)  # packets in flight arrive
            await asyncio.to_thread(bluez.drop, polar)
            broken += 1
        await asyncio.sleep(0.5)  # the last packets pass through the source

    async def run() -> None:
        breaker = asyncio.create_task(break_the_link())
        breaker.add_done_callback(lambda _: reader.cancel())

        async def read() -> None:
            async for chunk in source.chunks():
                epoch = int(chunk.session.rpartition("#")[2])
                lost[epoch] += chunk.seq - received[epoch] - lost[epoch]
                received[epoch] += len(chunk)

        reader = asyncio.create_task(read())
        try:
            await reader
        except asyncio.CancelledError:
            pass
        finally:
            breaker.cancel()
            await source.aclose()

    asyncio.run(run())
    assert broken == DISCONNECTS
    assert not source.counts().get("clock_jumps")
    for epoch, (sent, swallowed) in enumerate(polar.links[:DISCONNECTS], 1):
        assert (received[epoch], lost[epoch]) == (sent - swallowed, swallowed), f"on link {epoch}"
    assert sum(lost.values()) > 0
    assert source.counts()["reconnects"] >= DISCONNECTS - 1
