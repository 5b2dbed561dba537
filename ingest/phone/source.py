"""Source of live samples from the Sensor Logger app: ``phone://``."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

from kinestream.core.evidence import Reception
from kinestream.core.signals import SampleChunk
from kinestream.core.source import LinkStatus

from .address import PhoneAddress
from .axis_convention import Convention
from .device import Device, system_of
from .heard import Heard
from .invitation import invitation, push_urls
from .link import Pulse, phone_link
from .reorder import PATIENCE_S
from .sensor_logger import Message
from .server import PushServer, TooManyDevices

_LOG = logging.getLogger(__name__)

MAX_DEVICES = 16
FORGOTTEN_S = 60.0
"""Silence after which a phone gives its place to another, when there are too many."""
MAX_READY = 4096
"""Maximum number of chunks for a slow reader; the oldest are dropped, which their sample numbers show."""
MAX_READY_BYTES = 64 * 2**20
"""The same in bytes."""
TICK_S = 0.25


class SensorLoggerSource:
    """Source that receives the pushes of phones: a stream per phone, an epoch per recording in the app.

    It listens from its construction until ``aclose``.

    Args:
        address: the address to listen on.
        now: the host's clock, also the clock of the chunks' ``t``.
        patience_s: maximum wait for a missing message.
    Raises:
        ConfigError: the port is in use, or this machine is not in a network.

    >>> async def open_and_close():
    ...     source = SensorLoggerSource(PhoneAddress.parse("phone://?host=127.0.0.1&port=0&token=k3x9abcd"))
    ...     await source.aclose()
    ...     return source.urls[0].endswith("/k3x9abcd"), source.counts()
    >>> asyncio.run(open_and_close())
    (True, Counter())
    """

    live = True
    gathers = True

    def __init__(
        self, address: PhoneAddress, *, now: Callable[[], float] = time.monotonic, patience_s: float = PATIENCE_S
    ) -> None:
        self.name = "phone://"
        self._convention: Convention | None = address.convention
        self._now, self._patience_s = now, patience_s
        self._server = PushServer(address.host, address.port, address.token, now)
        try:
            self.urls = push_urls(address.host, self._server.port, address.token)
        except BaseException:
            self._server.close_listener()
            raise
        self._devices: dict[str, Device] = {}
        self._counts: Counter[str] = Counter()
        self._stray = Heard()  # messages without motion of phones that sent none
        self._ready: deque[SampleChunk] = deque()
        self._ready_bytes = 0
        self._wake = asyncio.Event()
        self._closed = False

    def invitation(self, *, code: bool = True) -> str:
        """Return the instructions for the phone, for the terminal."""
        return invitation(self.urls, self._server.port, code=code)

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Yield the chunks, in order within each phone."""
        if self._closed:
            return
        await self._server.start(self._take)
        ticking = asyncio.create_task(self._tick())
        try:
            while True:
                while self._ready:
                    chunk = self._ready.popleft()
                    self._ready_bytes -= _bytes_of(chunk)
                    yield chunk
                if self._closed:
                    return
                self._wake.clear()
                await self._wake.wait()
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            await self.aclose()

    async def _tick(self) -> None:
        """Give up missing messages, and report lost phones, also when no message arrives."""
        while True:
            await asyncio.sleep(TICK_S)
            for device in self._devices.values():
                self._emit(device.due(self._now()))
                if news := device.pulse.news(self._now()):
                    _LOG.warning("%s: %s", device.name, news)

    def _take(self, message: Message, agent: str, received_s: float) -> None:
        self._counts += message.counts
        device = self._devices.get(message.device)
        if device is None:
            if not message.batch:
                self._stray.add(message)
                self._counts["messages_without_motion"] += 1
                return
            if len(self._devices) >= MAX_DEVICES and not self._make_room():
                raise TooManyDevices(f"{MAX_DEVICES} phones are connected already")
            device = self._devices[message.device] = Device(
                self._name(message.device), self._convention, self._patience_s
            )
        device.system = system_of(agent) or device.system
        self._emit(device.take(message, received_s))

    def _make_room(self) -> bool:
        """Forget the phone that is silent for longest, if it is for long."""
        silences = {name: device.pulse.silence_s(self._now()) or 0.0 for name, device in self._devices.items()}
        longest = max(silences, key=lambda name: silences[name])
        if silences[longest] < FORGOTTEN_S:
            return False
        device = self._devices.pop(longest)
        self._emit(device.close(self._now()))
        self._counts += device.counts()
        return True

    def _name(self, device: str) -> str:
        """Return a short unique name for the phone."""
        text = re.sub(r"[^A-Za-z0-9]", "", device) or "unnamed"
        taken = {other.name for other in self._devices.values()}
        names = (f"phone-{text[:n]}" for n in (6, 12, 64))
        return next((name for name in names if name not in taken), f"phone-{text[:64]}-{len(taken)}")

    def _emit(self, chunks: list[SampleChunk]) -> None:
        self._ready.extend(chunks)
        self._ready_bytes += sum(map(_bytes_of, chunks))
        while len(self._ready) > MAX_READY or self._ready_bytes > MAX_READY_BYTES:
            self._ready_bytes -= _bytes_of(self._ready.popleft())
            self._counts["dropped_chunks"] += 1
        if chunks:
            self._wake.set()

    def counts(self) -> Mapping[str, int]:
        """Return the refused, repeated, late or lost requests, messages and samples, by kind, without zeros."""
        total = self._counts + self._server.counts
        for device in self._devices.values():
            total += device.counts()
        return +total

    def notices(self) -> list[str]:
        """Return the state of each phone, or how to connect the first, a line each."""
        if not self._server.reached:
            return [
                f"no request at {self.urls[0]} yet; check: same Wi-Fi (no guest network, no VPN), "
                f"firewall open for TCP port {self._server.port}, recording started in the app"
            ]
        lines = [line for device in self._devices.values() for line in device.notices()]
        refused = self._server.counts["unauthorised"]
        if refused:
            lines.append(f"{refused} requests with a wrong token were refused; the address is {self.urls[0]}")
        if not self._devices:
            lines.append("a phone connected but sent no motion: switch on Accelerometer, and Start Recording")
        return lines

    def receptions(self) -> list[Reception]:
        """Return what arrived from each phone and watch; under the source's name, what none of them sent."""
        server = self._server
        stray = self._stray.reception(Reception(self.name))
        if server.refused:
            stray = replace(
                stray,
                packets=stray.packets + server.refused,
                malformed=stray.malformed + server.refused,
                malformed_example=server.example,
                malformed_reason=server.reason,
            )
        received = [reception for device in self._devices.values() for reception in device.receptions()]
        return [*received, stray] if stray.packets or not received else received

    def status(self) -> list[LinkStatus]:
        """Return the link status of each phone; before the first, of a phone that is awaited."""
        links = [link for device in self._devices.values() for link in device.status(self._now())]
        return links or [phone_link(self.name, None, Pulse(), 0, self._now())]

    async def aclose(self) -> None:
        """Stop listening; may be called twice."""
        if not self._closed:
            self._closed = True
            self._wake.set()
            for device in self._devices.values():
                self._emit(device.close(self._now()))
        await self._server.close()


def _bytes_of(chunk: SampleChunk) -> int:
    return chunk.x.nbytes + chunk.t.nbytes
