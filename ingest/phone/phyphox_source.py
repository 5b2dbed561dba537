"""Live samples from the phyphox app: ``phone://IP:PORT?app=phyphox`` asks it for what is new, again and again."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping

import aiohttp
from yarl import URL

from kinestream.core.errors import DecodeError, InputMismatch, SourceLost
from kinestream.core.signals import SampleChunk
from kinestream.core.source import LinkStatus

from .address import PhoneAddress
from .axis_convention import choose
from .link import Pulse, phone_link
from .phyphox import MAX_ANSWER_BYTES, NOTHING, Answer, Buffers, question, read_answer, read_config
from .stream import PhoneStream

_LOG = logging.getLogger(__name__)

POLL_S = 0.1
"""The app's server has one thread and much else to do; its own page asks as often."""
TIMEOUT_S = 5.0
WAIT_S = 30.0
"""How long the phone may be unreachable before it was reached for the first time."""
MAX_BACKOFF_S = 5.0
SILENCE_S = 1.0
"""After so long without a reading it is looked whether the buffers were cleared."""
HOLE_S = 0.1
"""A longer hole between two answers: the app's buffers had overflowed, for they reach back some seconds."""


class PhyphoxSource:
    """Asks a phone for what it measured; each measurement is a session.

    What was measured before is left where it is. A phone that does not answer any more is asked for ever.

    Args:
        address: of the phone.
        now: the host's clock; ``t`` of the chunks is on it.
        wait_s: how long to try before the first answer.
        poll_s: the pause between two questions.
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
        self._sessions = 0
        self._pulse = Pulse()
        self._started = False
        self._closed = asyncio.Event()
        self._lost = 0

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Chunk after chunk.

        Raises:
            SourceLost: the phone never answered.
            InputMismatch: the experiment that is open has no accelerometer.
        """
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        # The app's servers are known to mishandle connections that are kept.
        connector = aiohttp.TCPConnector(force_close=True, limit=1)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            try:
                async for answer, received_s, whole in self._answers(http):
                    self._counts += answer.counts
                    for chunk in self._take(answer, received_s, whole):
                        yield chunk
            finally:
                await self._stop(http)

    async def _answers(self, http: aiohttp.ClientSession) -> AsyncIterator[tuple[Answer, float, bool]]:
        """What the phone says from poll to poll, when it came, and whether nothing is missing before it."""
        known = _Known()
        session: str | None = None
        backoff_s, since_s = self._poll_s, self._now()
        while not self._closed.is_set():
            if news := self._pulse.news(self._now()):
                _LOG.warning("%s: %s", self._stream_name, news)
            try:
                if not known.buffers:
                    known.buffers = read_config(await self._get(http, "config"))
                answer = read_answer(await self._get(http, "get", known.question(self._now())), known.buffers)
                if session is None and self._address.start and not answer.status.measuring:
                    await self._get(http, "control", {"cmd": "start"})
                    self._started = True
            except InputMismatch:
                if session is None:
                    raise
                self._counts["no_accelerometer"] += 1  # another experiment was opened; the right one may come back
                await self._pause(MAX_BACKOFF_S)
            except (aiohttp.ClientError, TimeoutError, DecodeError, OSError) as error:
                self._counts["malformed" if isinstance(error, DecodeError) else "unanswered"] += 1
                if session is None and self._now() - since_s > self._wait_s:
                    raise SourceLost(self._unreachable(error)) from None
                if isinstance(error, aiohttp.ClientResponseError):
                    known.buffers = ()  # buffers that do not exist are a bad request: another experiment is open
                await self._pause(backoff_s)
                backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)
            else:
                backoff_s, received_s = self._poll_s, self._now()
                if session not in (None, answer.status.session):
                    self._end_session()
                    known = _Known()
                    session = answer.status.session
                    continue
                session = answer.status.session
                if known.is_older_than(answer):
                    self._end_session()
                    known.newest_s = dict.fromkeys(known.newest_s, NOTHING)
                whole = known.take(answer, received_s)
                yield answer, received_s, whole
                if not answer.status.measuring:  # its clock stands still; what follows is another session
                    self._end_session()
                await self._pause(self._poll_s)

    async def _get(self, http: aiohttp.ClientSession, path: str, query: dict[str, str] | None = None) -> bytes:
        async with http.get(self._base / path, params=query) as response:
            response.raise_for_status()
            data = await response.content.read(MAX_ANSWER_BYTES + 1)
            while not response.content.at_eof() and len(data) <= MAX_ANSWER_BYTES:
                data += await response.content.read(MAX_ANSWER_BYTES + 1 - len(data))
            if len(data) > MAX_ANSWER_BYTES:
                raise DecodeError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
            return data

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            return

    def _take(self, answer: Answer, received_s: float, whole: bool) -> list[SampleChunk]:
        if not answer.batch:
            return []
        self._pulse.beat(received_s)
        if self._stream is None:
            self._sessions += 1
            self._stream = PhoneStream(self._stream_name, f"{self._stream_name}#{self._sessions}", choose, prompt=True)
        return self._stream.push(answer.batch, received_s, whole=whole)

    @property
    def _stream_name(self) -> str:
        return f"phyphox-{self._address.host}"

    def _end_session(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._counts += self._stream.counts()
            self._lost += self._stream.lost
            self._stream = None

    def _unreachable(self, error: Exception) -> str:
        return (
            f"phyphox does not answer at {self._base}: {error or type(error).__name__}; open an experiment, "
            "allow remote access in its menu, use the address it shows, the same Wi-Fi, no guest network and no VPN"
        )

    async def _stop(self, http: aiohttp.ClientSession) -> None:
        """Stop what was started here."""
        self._end_session()
        if self._started:
            self._started = False
            try:
                await self._get(http, "control", {"cmd": "stop"})
            except (aiohttp.ClientError, TimeoutError, DecodeError, OSError):
                self._counts["unanswered"] += 1

    def counts(self) -> Mapping[str, int]:
        """``unanswered`` questions, ``malformed`` answers, and what was wrong with readings; only what happened."""
        return +(self._counts + (self._stream.counts() if self._stream else Counter()))

    def notices(self) -> list[str]:
        """How the phone stands."""
        stream = self._stream
        if stream is None or stream.recipe is None:
            return [f"{self.name}: no measurement yet; press play in phyphox"] if not self._sessions else []
        return [
            f"{stream.name}: {stream.rate_hz:.2f} Hz, data {stream.time().age_ms:.0f} ms old on arrival, "
            f"about {self._lost + stream.lost} samples lost, plain HTTP without a token: anyone in the network can read"
        ]

    def status(self) -> list[LinkStatus]:
        """How the phone stands now."""
        return [phone_link(self._stream_name, self._stream, self._pulse, self._sessions, self._now())]

    async def aclose(self) -> None:
        """End soon; may be called twice."""
        self._closed.set()


class _Known:
    """What is known of the experiment that is open."""

    def __init__(self) -> None:
        self.buffers: tuple[Buffers, ...] = ()
        self.newest_s: dict[str, float] = {}
        """Of each sensor, when its newest reading was taken, on the phone's clock."""
        self._heard_s = math.inf
        self._probing = False

    def question(self, now_s: float) -> dict[str, str]:
        """What is new; or, after a silence, what is newest: cleared buffers begin at 0, and nothing of them is new."""
        self._probing = now_s - self._heard_s > SILENCE_S
        return question(self.buffers, {} if self._probing else self.newest_s)

    def is_older_than(self, answer: Answer) -> bool:
        """Whether times went back: the buffers were cleared."""
        return any(t < self.newest_s.get(sensor, t) for sensor, t in answer.newest_s.items())

    def take(self, answer: Answer, now_s: float) -> bool:
        """Remember what came; whether nothing is missing before it."""
        whole = True
        for sensor, readings in answer.batch.items():
            before_s = self.newest_s.get(sensor, NOTHING)
            whole &= before_s == NOTHING or readings.t_ns[0] / 1e9 - before_s < HOLE_S
        if not self.newest_s:
            self.newest_s = {one.sensor: answer.newest_s.get(one.sensor, NOTHING) for one in self.buffers}
        elif not self._probing:
            self.newest_s.update(answer.newest_s)
        if answer.batch or self._probing or self._heard_s == math.inf:
            self._heard_s = now_s
        return whole
