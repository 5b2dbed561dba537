"""Source of live samples from the phyphox app: ``phone://IP:PORT?app=phyphox`` polls it for new readings."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

import aiohttp
from yarl import URL

from kinestream.core.errors import DecodeError, InputMismatch, SourceLost
from kinestream.core.evidence import Reception
from kinestream.core.signals import SampleChunk
from kinestream.core.source import LinkStatus

from .address import PhoneAddress
from .axis_convention import choose_conversion
from .link import Pulse, phone_link
from .phyphox import MAX_RESPONSE_BYTES, NOTHING, Buffers, Response, query, read_config, read_response
from .stream import PhoneStream

_LOG = logging.getLogger(__name__)

POLL_S = 0.1
"""Polling interval, the same as that of the app's web page; the app's server has only one thread."""
TIMEOUT_S = 5.0
WAIT_S = 30.0
"""Maximum wait for the phone's first response."""
MAX_BACKOFF_S = 5.0
SILENCE_S = 1.0
"""Time without readings after which the source checks whether the buffers were cleared."""
HOLE_S = 0.1
"""Minimum gap between two responses that shows that the app's buffers, which hold some seconds, have overflowed."""


class PhyphoxSource:
    """Source that polls a phone for its readings; each measurement is an epoch of the stream.

    Earlier readings are ignored. The source polls a phone that stops responding forever.

    Args:
        address: the phone's address.
        now: the host's clock, also the clock of the chunks' ``t``.
        wait_s: maximum wait for the first response.
        poll_s: the pause between two polls.

    >>> source = PhyphoxSource(PhoneAddress.parse("phone://192.168.1.5:8080"))
    >>> source.notices()
    ['phone://192.168.1.5:8080: no measurement yet; press play in phyphox']
    """

    live = True

    def __init__(
        self,
        address: PhoneAddress,
        *,
        now: Callable[[], float] = time.monotonic,
        wait_s: float = WAIT_S,
        poll_s: float = POLL_S,
    ) -> None:
        self.name = address.uri
        self._address, self._now, self._wait_s, self._poll_s = address, now, wait_s, poll_s
        self._base = URL.build(scheme="http", host=address.host, port=address.port)
        self._counts: Counter[str] = Counter()
        self._stream: PhoneStream | None = None
        self._epochs = 0
        self._pulse = Pulse()
        self._started = False
        self._closed = asyncio.Event()
        self._lost = 0
        self._reception = Reception(
            self._stream_name, expected="accelerometer, gyroscope"
        )  # without the present stream

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Yield the chunks.

        Raises:
            SourceLost: the phone never responded.
            InputMismatch: the open experiment has no accelerometer.
        """
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        # The app's servers mishandle persistent connections.
        connector = aiohttp.TCPConnector(force_close=True, limit=1)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            try:
                async for response, received_s, whole in self._responses(http):
                    self._counts += response.counts
                    self._reception = replace(self._reception, packets=self._reception.packets + 1)
                    if response.reason:
                        self._refuse(response.example, response.reason)
                    for chunk in self._take(response, received_s, whole):
                        yield chunk
            finally:
                await self._stop(http)

    async def _responses(self, http: aiohttp.ClientSession) -> AsyncIterator[tuple[Response, float, bool]]:
        """Yield the response to each poll, its arrival time, and whether no reading is missing before it."""
        progress = _Progress()
        session: str | None = None
        backoff_s, since_s = self._poll_s, self._now()
        while not self._closed.is_set():
            if news := self._pulse.news(self._now()):
                _LOG.warning("%s: %s", self._stream_name, news)
            try:
                if not progress.buffers:
                    progress.buffers = read_config(await self._get(http, "config"))
                response = read_response(await self._get(http, "get", progress.query(self._now())), progress.buffers)
                if session is None and self._address.start and not response.status.measuring:
                    await self._get(http, "control", {"cmd": "start"})
                    self._started = True
            except InputMismatch:
                if session is None:
                    raise
                self._counts["no_accelerometer"] += 1  # the user opened another experiment, and may return
                await self._pause(MAX_BACKOFF_S)
            except (aiohttp.ClientError, TimeoutError, DecodeError, OSError) as error:
                self._counts["malformed" if isinstance(error, DecodeError) else "unanswered"] += 1
                if isinstance(error, DecodeError):
                    self._reception = replace(self._reception, packets=self._reception.packets + 1)
                    self._refuse(error.packet, error.reason)
                if session is None and self._now() - since_s > self._wait_s:
                    raise SourceLost(self._unreachable(error)) from None
                if isinstance(error, aiohttp.ClientResponseError):
                    progress.buffers = ()  # a bad request names buffers that do not exist: another experiment is open
                await self._pause(backoff_s)
                backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)
            else:
                backoff_s, received_s = self._poll_s, self._now()
                if session not in (None, response.status.session):
                    self._end_epoch()
                    progress = _Progress()
                    session = response.status.session
                    continue
                session = response.status.session
                if progress.is_newer_than(response):
                    self._end_epoch()
                    progress.newest_s = dict.fromkeys(progress.newest_s, NOTHING)
                whole = progress.update(response, received_s)
                yield response, received_s, whole
                if not response.status.measuring:  # the phone's clock stands still; later readings are a new epoch
                    self._end_epoch()
                await self._pause(self._poll_s)

    async def _get(self, http: aiohttp.ClientSession, path: str, parameters: dict[str, str] | None = None) -> bytes:
        async with http.get(self._base / path, params=parameters) as response:
            response.raise_for_status()
            data = await response.content.read(MAX_RESPONSE_BYTES + 1)
            while not response.content.at_eof() and len(data) <= MAX_RESPONSE_BYTES:
                data += await response.content.read(MAX_RESPONSE_BYTES + 1 - len(data))
            if len(data) > MAX_RESPONSE_BYTES:
                raise DecodeError(f"a response of more than {MAX_RESPONSE_BYTES} bytes; expected fewer")
            return data

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            return

    def _take(self, response: Response, received_s: float, whole: bool) -> list[SampleChunk]:
        if not response.batch:
            return []
        self._pulse.beat(received_s)
        if self._stream is None:
            self._epochs += 1
            epoch = f"{self._stream_name}#{self._epochs}"
            self._stream = PhoneStream(self._stream_name, epoch, choose_conversion, prompt=True)
        return self._stream.push(response.batch, received_s, whole=whole)

    @property
    def _stream_name(self) -> str:
        return f"phyphox-{self._address.host}"

    def _end_epoch(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._counts += self._stream.counts()
            self._lost += self._stream.lost
            self._reception = self._with_stream(self._stream)
            self._stream = None

    def _refuse(self, example: bytes, reason: str) -> None:
        """Record a response that is malformed, or has malformed readings."""
        self._reception = replace(
            self._reception,
            malformed=self._reception.malformed + 1,
            malformed_example=example,
            malformed_reason=reason,
        )

    def _with_stream(self, stream: PhoneStream) -> Reception:
        """The reception with what a measurement received."""
        received = stream.reception()
        return replace(
            self._reception,
            samples=self._reception.samples + received.samples,
            newest_s=received.newest_s,
            sensor_hz=received.sensor_hz,
            unpaired=self._reception.unpaired + received.unpaired,
            remarks=received.remarks,
        )

    def receptions(self) -> list[Reception]:
        """Return what arrived from the phone, over all its measurements."""
        return [self._reception if self._stream is None else self._with_stream(self._stream)]

    def _unreachable(self, error: Exception) -> str:
        return (
            f"phyphox does not respond at {self._base}: {error or type(error).__name__}; open an experiment, "
            "allow remote access in its menu, use the address it shows, the same Wi-Fi, no guest network and no VPN"
        )

    async def _stop(self, http: aiohttp.ClientSession) -> None:
        """Stop the measurement if this source started it."""
        self._end_epoch()
        if self._started:
            self._started = False
            try:
                await self._get(http, "control", {"cmd": "stop"})
            except (aiohttp.ClientError, TimeoutError, DecodeError, OSError):
                self._counts["unanswered"] += 1

    def counts(self) -> Mapping[str, int]:
        """Return ``unanswered`` polls, ``malformed`` responses and the faults of readings, by kind, without zeros."""
        return +(self._counts + (self._stream.counts() if self._stream else Counter()))

    def notices(self) -> list[str]:
        """Return the rate, delay and losses of the measurement, for the user."""
        stream = self._stream
        if stream is None or stream.conversion is None:
            return [f"{self.name}: no measurement yet; press play in phyphox"] if not self._epochs else []
        return [
            f"{stream.name}: {stream.rate_hz:.2f} Hz, data {stream.time().age_ms:.0f} ms old on arrival, "
            f"about {self._lost + stream.lost} samples lost; anyone in the network can read this plain HTTP"
            + "".join(f"; {remark}" for remark in stream.remarks())
        ]

    def status(self) -> list[LinkStatus]:
        """Return the phone's link status."""
        return [phone_link(self._stream_name, self._stream, self._pulse, self._epochs, self._now())]

    async def aclose(self) -> None:
        """End the source soon; may be called twice."""
        self._closed.set()


class _Progress:
    """Buffers and newest readings of the open experiment."""

    def __init__(self) -> None:
        self.buffers: tuple[Buffers, ...] = ()
        self.newest_s: dict[str, float] = {}
        """The time of each sensor's newest reading, on the phone's clock."""
        self._heard_s = math.inf
        self._probing = False

    def query(self, now_s: float) -> dict[str, str]:
        """Return the query for new readings or, after a silence, for the newest time of each sensor.

        The latter detects cleared buffers: their times restart at 0, so that a query for new readings finds nothing.
        """
        self._probing = now_s - self._heard_s > SILENCE_S
        return query(self.buffers, {} if self._probing else self.newest_s)

    def is_newer_than(self, response: Response) -> bool:
        """Return whether the times went back, because the buffers were cleared."""
        return any(t < self.newest_s.get(sensor, t) for sensor, t in response.newest_s.items())

    def update(self, response: Response, now_s: float) -> bool:
        """Record a response; return whether no reading is missing before it."""
        whole = True
        for sensor, readings in response.batch.items():
            before_s = self.newest_s.get(sensor, NOTHING)
            whole &= before_s == NOTHING or readings.t_ns[0] / 1e9 - before_s < HOLE_S
        if not self.newest_s:
            self.newest_s = {buffer.sensor: response.newest_s.get(buffer.sensor, NOTHING) for buffer in self.buffers}
        elif not self._probing:
            self.newest_s.update(response.newest_s)
        if response.batch or self._probing or self._heard_s == math.inf:
            self._heard_s = now_s
        return whole
