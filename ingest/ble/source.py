"""Live samples from Bluetooth sensors: ``ble://polar``, ``ble://NAME``, several separated by commas."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

from kinestream.core.evidence import Reception
from kinestream.core.signals import SampleChunk, Sensing
from kinestream.core.source import LinkStatus

from ..timing.timed import timed_link
from .address import BleAddress
from .inbox import Inbox
from .link import Link
from .radio import Radio
from .sample_stream import SampleStream
from .streaming import DeviceStream

READ_INTERVAL_S = 0.04
"""Time between two rounds of reading and decoding; delays a sample by at most this much.

Waking for every notification costs more than decoding it. 0.04 s is about one connection interval.
"""


class BleSource:
    """Stays connected to all devices of a ``ble://`` address and delivers their samples, one stream per device.

    It never ends by itself: it reconnects to a lost device until the device is back, and the samples then belong to a
    new epoch.

    Args:
        uri: see ``BleAddress``.
        now_ns: the host's clock, which stamps arrivals; ``t`` of the chunks is on it.
    Raises:
        ConfigError: the address or one of its settings is invalid. Settings that only the device itself can refuse
            are reported while the chunks are read.

    >>> BleSource("ble://polar,thingy52?rate=52").name
    'ble://polar,thingy52?rate=52'
    """

    live = True

    def __init__(self, uri: str, *, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.name = uri
        self._now_ns = now_ns
        self._address = BleAddress.parse(uri)
        for target in self._address.targets:
            if target.profile is not None:
                target.profile.plan(self._address.settings)  # refuses settings that no such device supports
        self._links: list[Link] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._streams: dict[Link, tuple[DeviceStream, SampleStream]] = {}
        self._closed_counts: Counter[str] = Counter()
        self._round = asyncio.Event()  # a round of reading has ended

    @property
    def gathers(self) -> bool:
        """Whether the address names several devices."""
        return len(self._address.targets) > 1

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Yield chunks, in order within each device.

        Raises:
            BluetoothUnavailable, DeviceRefused: the first connection failed.
            ConfigError: a device does not support the requested settings.
        """
        radio, taken = Radio(self._address.adapter), set[str]()
        self._links = [
            Link(target, self._address.settings, radio, taken, Inbox(), self._address.wait_s, self._now_ns)
            for target in self._address.targets
        ]
        self._keepers = [asyncio.create_task(link.keep()) for link in self._links]
        self._keepers.append(asyncio.create_task(self._read_links()))
        try:
            while True:
                await self._round.wait()
                self._round.clear()
                for link in self._links:
                    for chunk in self._take(link):
                        yield chunk
                for keeper in self._keepers:
                    if keeper.done():
                        keeper.result()  # raises the error that ended it
                        return
        finally:
            await self.aclose()

    async def _read_links(self) -> None:
        """Read all links regularly, also while no one takes the chunks: a socket holds few notifications."""
        try:
            while True:
                await asyncio.sleep(READ_INTERVAL_S)
                for link in self._links:
                    link.read()
                self._round.set()
        finally:
            self._round.set()

    def _take(self, link: Link) -> list[SampleChunk]:
        """Decode the notifications waiting from a device."""
        chunks: list[SampleChunk] = []
        stream = None
        for device_stream, characteristic, data, received_ns in link.inbox.take():
            if stream is None or device_stream is not self._streams[link][0]:
                chunks += stream.take() if stream else []
                stream = self._stream(link, device_stream)
            stream.push(characteristic, data, received_ns / 1e9)
        if stream:
            chunks += stream.take()
            link.battery_frac = stream.battery_frac if stream.battery_frac is not None else link.battery_frac
        return chunks

    def _stream(self, link: Link, device_stream: DeviceStream) -> SampleStream:
        if link in self._streams:
            known, stream = self._streams[link]
            if known is device_stream:
                return stream
            # The inbox is in order, so all notifications of the earlier epoch have been decoded.
            stream.close()
            self._closed_counts += stream.counts()
            name, earlier = stream.name, stream.reception()
        else:
            others = {stream.name for _, stream in self._streams.values()}
            name, earlier = link.name if link.name not in others else f"{link.name} {link.address}", None
        stream = SampleStream(name, f"{name}#{device_stream.number}", device_stream.decoder, earlier)
        self._streams[link] = (device_stream, stream)
        return stream

    def sense(self, stream: str, sensing: Sensing | None) -> None:
        """Request a slower sensor from a stream's device, if its profile supports it; None: its original settings."""
        for link, (_, known) in self._streams.items():
            if known.name == stream:
                link.sense(sensing)

    def counts(self) -> Mapping[str, int]:
        """Non-zero counts by kind: dropped, malformed, joined over holes, reconnects."""
        total = Counter(self._closed_counts)
        for _, stream in self._streams.values():
            total += stream.counts()
        for link in self._links:
            total += link.counts
            total["dropped_notifications"] += link.inbox.dropped
        return +total

    def receptions(self) -> list[Reception]:
        """What each device sent, over all its epochs."""
        receptions: list[Reception] = []
        for link in self._links:
            _, stream = self._streams.get(link, (None, None))
            received = stream.reception() if stream else Reception(link.name)
            receptions.append(replace(received, asked_hz=link.asked_hz, remarks=link.remarks()))
        return receptions

    def notices(self) -> list[str]:
        """The state of each device, one line each."""
        lines: list[str] = []
        for link in self._links:
            status = link.status()
            parts = [status.state, *link.remarks()]
            if status.reconnects:
                parts.append(f"{status.reconnects} reconnect{'s' * (status.reconnects != 1)}")
            if status.battery_frac is not None:
                parts.append(f"battery {status.battery_frac:.0%}")
            _, stream = self._streams.get(link, (None, None))
            if stream and (time := stream.time()):
                # Arrivals alone prove no loss.
                holes = f"{time.gaps} gaps in time" if time.kind == "arrivals" else f"{stream.lost} samples lost"
                parts.append(
                    f"time by {time.kind}, {time.rate_hz:.2f} Hz, data {time.age_ms:.0f} ms old on arrival, "
                    f"{holes} since connecting"
                )
            if stream and stream.last_error:
                parts.append(f"last malformed: {stream.last_error}")
            lines.append(f"{stream.name if stream else status.name}: {', '.join(parts)}")
        return lines

    def status(self) -> list[LinkStatus]:
        """The current state of each link, including its clock."""
        return [self._with_time(link) for link in self._links]

    def _with_time(self, link: Link) -> LinkStatus:
        status = link.status()
        _, stream = self._streams.get(link, (None, None))
        time = stream.time() if stream else None
        if stream is None or time is None:
            return status
        return timed_link(replace(status, name=stream.name), time)

    async def aclose(self) -> None:
        """Stop the devices' streams and disconnect; may take several seconds."""
        keepers, self._keepers = self._keepers, []
        for link in self._links:
            link.close()
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
