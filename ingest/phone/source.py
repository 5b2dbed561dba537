"""Live samples from the Sensor Logger app: ``phone://``."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Literal

from kinestream.core.errors import DecodeError
from kinestream.core.signals import SampleChunk
from kinestream.core.source import LinkStatus

from .address import PhoneAddress
from .axis_convention import Convention, choose
from .invitation import invitation, push_urls
from .link import Pulse, phone_link
from .reorder import PATIENCE_S, Reorder, Turn
from .sensor_logger import Message
from .server import PushServer, TooMany
from .stream import PhoneStream

_LOG = logging.getLogger(__name__)

MAX_DEVICES = 16
MAX_SESSIONS = 64
"""Of so many earlier recordings of a phone it is known what came."""
MAX_READY = 4096
"""Chunks for a reader that falls behind; the oldest go, and the jump in their numbers tells."""
TICK_S = 0.25


class SensorLoggerSource:
    """Takes what phones push, each phone a stream and each recording in the app a session.

    It never ends of its own accord. It listens from the moment it is made.

    Args:
        address: where to listen.
        now: the host's clock; ``t`` of the chunks is on it.
        patience_s: how long a missing message is awaited.
    Raises:
        ConfigError: the port is taken, or this machine is in no network.
    """

    live = True

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
        self._devices: dict[str, _Device] = {}
        self._counts: Counter[str] = Counter()
        self._ready: deque[SampleChunk] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    def invitation(self, *, code: bool = True) -> str:
        """What to type into the phone, for the terminal."""
        return invitation(self.urls, self._server.port, code=code)

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Chunk after chunk, in order within each phone."""
        if self._closed:
            return
        await self._server.start(self._take)
        ticking = asyncio.create_task(self._tick())
        try:
            while True:
                while self._ready:
                    yield self._ready.popleft()
                if self._closed:
                    return
                self._wake.clear()
                await self._wake.wait()
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            await self.aclose()

    async def _tick(self) -> None:
        """Missing messages are given up even if nothing else comes."""
        while True:
            await asyncio.sleep(TICK_S)
            for device in self._devices.values():
                self._hand_out(device.due(self._now()))
                if news := device.pulse.news(self._now()):
                    _LOG.warning("%s: %s", device.name, news)

    def _take(self, message: Message, agent: str, received_s: float) -> None:
        self._counts += message.counts
        device = self._devices.get(message.device)
        if device is None:
            if not message.batch:
                self._counts["messages_without_motion"] += 1
                return
            if len(self._devices) >= MAX_DEVICES:
                raise TooMany(f"there are {MAX_DEVICES} phones already")
            device = self._devices[message.device] = _Device(self._name(message.device), self._open)
        device.system = _system(agent) or device.system
        self._hand_out(device.take(message, received_s))

    def _open(self, device: _Device, number: int) -> _Session:
        recipe = partial(choose, told=self._convention, system=device.system)
        return _Session(Reorder(self._patience_s), PhoneStream(device.name, f"{device.name}#{number}", recipe))

    def _name(self, device: str) -> str:
        """Short, but of no other phone's."""
        text = re.sub(r"[^A-Za-z0-9]", "", device) or "unnamed"
        taken = {known.name for known in self._devices.values()}
        names = (f"phone-{text[:n]}" for n in (6, 12, 64))
        return next((name for name in names if name not in taken), f"phone-{text[:64]}-{len(taken)}")

    def _hand_out(self, chunks: list[SampleChunk]) -> None:
        self._ready.extend(chunks)
        while len(self._ready) > MAX_READY:
            self._ready.popleft()
            self._counts["dropped_chunks"] += 1
        if chunks:
            self._wake.set()

    def counts(self) -> Mapping[str, int]:
        """Requests, messages and samples that were refused, repeated, late or lost, by kind; only what happened."""
        total = self._counts + self._server.counts
        for device in self._devices.values():
            total += device.counts()
        return +total

    def notices(self) -> list[str]:
        """Where to push to while nobody does, and how each phone stands, a line each."""
        if not self._server.reached:
            return [
                f"nothing came to {self.urls[0]} yet: the same Wi-Fi (no guest network, no VPN), "
                f"a firewall that lets TCP port {self._server.port} in, and in the app a recording that runs"
            ]
        told = [line for device in self._devices.values() for line in device.notices()]
        refused = self._server.counts["unauthorised"]
        if refused:
            told.append(f"{refused} requests with a wrong token were refused; the address is {self.urls[0]}")
        if not self._devices:
            told.append("a phone got here, but sent no motion: switch on Accelerometer, and Start Recording")
        return told

    def status(self) -> list[LinkStatus]:
        """How each phone stands now; before the first, that one is awaited."""
        links = [device.status(self._now()) for device in self._devices.values()]
        return links or [phone_link("phone", None, Pulse(), 0, self._now())]

    async def aclose(self) -> None:
        """Stop listening; may be called twice."""
        if not self._closed:
            self._closed = True
            self._wake.set()
            for device in self._devices.values():
                self._hand_out(device.close(self._now()))
        await self._server.close()


class _Session:
    """One recording in the app."""

    def __init__(self, reorder: Reorder[Message], stream: PhoneStream) -> None:
        self.reorder, self.stream = reorder, stream

    def push(self, turns: list[Turn[Message]], now_s: float) -> list[SampleChunk]:
        chunks: list[SampleChunk] = []
        for message, received_s, lost_before in turns:
            chunks += self.stream.push(message.batch, received_s, whole=not lost_before, now_s=now_s)
        return chunks

    def close(self, now_s: float) -> list[SampleChunk]:
        chunks = self.push(self.reorder.close(), now_s)
        self.stream.close()
        return chunks


class _Device:
    """One phone: one session runs, of the earlier ones it is known what came."""

    def __init__(self, name: str, opening: Callable[[_Device, int], _Session]) -> None:
        self.name = name
        self.system: Literal["ios", "android"] | None = None
        self._open = opening
        self._sessions: OrderedDict[str, _Session] = OrderedDict()  # the last one runs
        self._opened = 0
        self.pulse = Pulse()
        self._battery_frac: float | None = None
        self._counts: Counter[str] = Counter()  # of sessions that are forgotten

    def take(self, message: Message, now_s: float) -> list[SampleChunk]:
        self.pulse.beat(now_s)
        if message.battery_frac is not None:
            self._battery_frac = message.battery_frac
        chunks: list[SampleChunk] = []
        session = self._sessions.get(message.session)
        if session is None:
            if not message.batch:  # a test push has a session of its own, and is none
                self._counts["messages_without_motion"] += 1
                return []
            chunks = self.close(now_s)
            self._opened += 1
            session = self._sessions[message.session] = self._open(self, self._opened)
            if len(self._sessions) > MAX_SESSIONS:
                _, oldest = self._sessions.popitem(last=False)
                self._counts += oldest.reorder.counts + oldest.stream.counts()
        if not session.reorder.fits(message.number):
            raise DecodeError(f"message number {message.number} is far ahead of those before")
        return chunks + session.push(session.reorder.push(message.number, message, now_s), now_s)

    def due(self, now_s: float) -> list[SampleChunk]:
        session = self._running
        return session.push(session.reorder.due(now_s), now_s) if session else []

    def close(self, now_s: float) -> list[SampleChunk]:
        return self._running.close(now_s) if self._running else []

    @property
    def _running(self) -> _Session | None:
        return next(reversed(self._sessions.values()), None)

    def counts(self) -> Counter[str]:
        total = Counter(self._counts)
        for session in self._sessions.values():
            total += session.reorder.counts + session.stream.counts()
        return total

    def status(self, now_s: float) -> LinkStatus:
        stream = self._running.stream if self._running else None
        return phone_link(self.name, stream, self.pulse, self._opened, now_s, self._battery_frac)

    def notices(self) -> list[str]:
        session = self._running
        if session is None:
            return []
        stream = session.stream
        if stream.recipe is None:
            if not stream.sensors_seen:
                return [f"{self.name}: the first seconds are awaited"]
            return [
                f"{self.name}: {', '.join(stream.sensors_seen)} make no acceleration: "
                "switch on Accelerometer, and on an iPhone Gravity"
            ]
        age_ms = stream.time().age_ms
        return [
            f"{self.name}: {stream.recipe.assumed}; {stream.rate_hz:.2f} Hz, data {age_ms:.0f} ms old on arrival, "
            f"{session.reorder.counts['messages_lost']} messages with about {stream.lost} samples lost"
        ]


def _system(agent: str) -> Literal["ios", "android"] | None:
    """What the libraries say of themselves that apps speak HTTP with."""
    agent = agent.lower()
    if "darwin" in agent or "cfnetwork" in agent or "iphone" in agent:
        return "ios"
    return "android" if "okhttp" in agent or "android" in agent else None
