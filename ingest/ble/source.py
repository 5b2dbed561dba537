"""Live samples from Bluetooth sensors: ``ble://polar``, ``ble://NAME``, several with commas."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

from kinestream.core.signals import SampleChunk, Sensing
from kinestream.core.source import LinkStatus

from ..timing.timed import timed_link
from .address import BleAddress
from .inbox import Inbox
from .link import Link
from .radio import Radio
from .sample_stream import Stream
from .streaming import Life

TURN_S = 0.04
"""How long arrivals are collected before they are decoded together, the most by which this delays a sample.

Waking for each of them, even only to find that more is to come, costs more than decoding it. 0.04 s is about one
connection interval.
"""


class BleSource:
    """Keeps links to all devices of a ``ble://`` address and hands on their samples, each device a stream.

    It never ends of its own accord: a device that goes away is looked for until it is back, and what it sends
    then belongs to a new session.

    Args:
        uri: see ``BleAddress``.
        now_ns: the host's clock, by which arrivals are stamped; ``t`` of the chunks is on it.
    Raises:
        ConfigError: the address, or a setting in it, makes no sense; found when it is made, or for settings that
            only the device itself can refuse, while the chunks are read.
    """

    live = True

    def __init__(self, uri: str, *, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.name = uri
        self._now_ns = now_ns
        self._address = BleAddress.parse(uri)
        for target in self._address.targets:
            if target.profile is not None:
                target.profile.plan(self._address.settings)  # refuses what no such device can do
        self._links: list[Link] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._streams: dict[Link, tuple[Life, Stream]] = {}
        self._closed_counts: Counter[str] = Counter()

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Chunk after chunk, in order within each device.

        Raises:
            BluetoothUnavailable, DeviceRefused: there is no first connection to be had.
            ConfigError: a device cannot be set as asked.
        """
        radio, taken = Radio(self._address.adapter), set[str]()
        self._links = [
            Link(target, self._address.settings, radio, taken, Inbox(), self._address.wait_s, self._now_ns)
            for target in self._address.targets
        ]
        self._keepers = [asyncio.create_task(link.keep()) for link in self._links]
        try:
            while True:
                await asyncio.sleep(TURN_S)
                for link in self._links:
                    for chunk in self._take(link):
                        yield chunk
                for keeper in self._keepers:
                    if keeper.done():
                        keeper.result()  # raises what ended it
                        return
        finally:
            await self.aclose()

    def _take(self, link: Link) -> list[SampleChunk]:
        """What arrived from a device, decoded."""
        found: list[SampleChunk] = []
        stream = None
        for life, characteristic, data, received_ns in link.inbox.take():
            if stream is None or life is not self._streams[link][0]:
                found += stream.take() if stream else []
                stream = self._stream(link, life)
            stream.push(characteristic, data, received_ns / 1e9)
        if stream:
            found += stream.take()
            link.battery_frac = stream.battery_frac if stream.battery_frac is not None else link.battery_frac
        return found

    def _stream(self, link: Link, life: Life) -> Stream:
        if link in self._streams:
            known, stream = self._streams[link]
            if known is life:
                return stream
            # The inbox is in order, so nothing of the earlier connection is still to come.
            self._closed_counts += stream.counts()
            name = stream.name
        else:
            others = {stream.name for _, stream in self._streams.values()}
            name = link.name if link.name not in others else f"{link.name} {link.address}"
        stream = Stream(name, f"{name}#{life.number}", life.decoder)
        self._streams[link] = (life, stream)
        return stream

    def sense(self, stream: str, sensing: Sensing | None) -> None:
        """Have that stream's device sample less, where its profile can, or again as it was set up."""
        for link, (_, known) in self._streams.items():
            if known.name == stream:
                link.sense(sensing)

    def counts(self) -> Mapping[str, int]:
        """What was dropped, malformed, joined over holes or reconnected, by kind; only what happened."""
        total = Counter(self._closed_counts)
        for _, stream in self._streams.values():
            total += stream.counts()
        for link in self._links:
            total += link.counts
            total["dropped_notifications"] += link.inbox.dropped
        return +total

    def notices(self) -> list[str]:
        """How each device stood, a line each."""
        told: list[str] = []
        for link in self._links:
            status = link.status()
            parts = [status.state]
            if status.reconnects:
                parts.append(f"{status.reconnects} reconnect{'s' * (status.reconnects != 1)}")
            if status.battery_frac is not None:
                parts.append(f"battery {status.battery_frac:.0%}")
            _, stream = self._streams.get(link, (None, None))
            if stream and (time := stream.time()):
                parts.append(
                    f"time by {time.kind}, {time.rate_hz:.2f} Hz, data {time.age_ms:.0f} ms old on arrival, "
                    f"{stream.lost} samples lost since it connected"
                )
            if stream and stream.last_error:
                parts.append(f"last malformed: {stream.last_error}")
            told.append(f"{stream.name if stream else status.name}: {', '.join(parts)}")
        return told

    def status(self) -> list[LinkStatus]:
        """How each link stands now, and how its samples are timed."""
        return [self._with_time(link) for link in self._links]

    def _with_time(self, link: Link) -> LinkStatus:
        status = link.status()
        _, stream = self._streams.get(link, (None, None))
        time = stream.time() if stream else None
        if stream is None or time is None:
            return status
        return timed_link(replace(status, name=stream.name), time)

    async def aclose(self) -> None:
        """Stop the devices' streams and disconnect; takes up to some seconds."""
        keepers, self._keepers = self._keepers, []
        for link in self._links:
            link.close()
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
