"""Source of samples from ZeroMQ senders: this program, or any other that uses the format of docs/wire.md."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence

import zmq
import zmq.asyncio

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.core.evidence import Reception
from kinestream.core.live_streams import MAX_STREAMS
from kinestream.core.signals import SampleChunk

from .address import ZmqAddress
from .connection_watch import ConnectionWatch
from .curve_keys import Doorkeeper, keys_for, secure_client, secure_server
from .reception_log import ReceptionLog, topic_stream
from .sender_time import SenderTime
from .sequence import SequenceTracker
from .topic_survey import QUEUE, TopicSurvey
from .wire import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, TOPIC, EndOfStream, decode

_LOG = logging.getLogger(__name__)

_NOBLOCK, _RCVMORE = int(zmq.NOBLOCK), int(zmq.RCVMORE)
"""Plain numbers, because ``recv_multipart`` spends a tenth of its time on enumeration look-ups."""

_TURN = 64
"""Number of messages after which other tasks get their turn."""

_FRAMES = 3

MAX_QUEUED_BYTES = 256_000_000
"""Bytes that messages of the largest size may take in the queue of each sender."""


class ZmqSource:
    """Source that receives from ``zmq+tcp://HOST:PORT[,HOST:PORT...]`` and waits for senders without a time limit.

    It ends when every stream has ended, or on ``aclose``. A chunk's ``received_s`` is the sender's, on the clock of
    ``t``: the clocks of the two machines may have started at different times, so the transport delay is unknown and
    is not part of a prediction's age.

    Args:
        uri: one or several places to receive from. ``stream=NAME`` selects a stream and may be repeated.
            ``mode=pull`` pulls from senders that push, which send each message to one puller, instead of subscribing.
            ``bind=1`` binds, and the senders connect. ``expect=N`` is the number of streams to expect, so that the
            source does not end with the first (default: the number of named streams, else of places to connect to).
            ``keys=DIR`` and ``server=NAME`` select the CURVE keys (``curve_keys``), ``insecure=1`` allows plain text
            beyond this machine. ``max_mb=MEGABYTES`` accepts messages of more than 1 MB.
        hwm: maximum number of messages queued while the reader is late, fewer where they might take more than
            ``MAX_QUEUED_BYTES``; the publisher drops further ones, and the source counts them.
        insecure: same as ``insecure=1`` in the address.
    Raises:
        ConfigError: the address is malformed, or reaches beyond this machine without keys.

    >>> source = ZmqSource("zmq+tcp://127.0.0.1:5556?stream=wrist")
    >>> source.live, source.counts()
    (False, {})
    """

    live = False
    """Messages may wait for a late pipeline: the socket's queue is bounded, and dropped messages are counted."""
    gathers = True

    def __init__(self, uri: str, *, hwm: int = 1000, insecure: bool = False) -> None:
        self.name = uri
        self._address = ZmqAddress.parse(uri, options=("stream", "mode", "bind", "expect", "max_mb"), insecure=insecure)
        self._pulls = self._address.choice("mode", ("subscribe", "pull")) == "pull"
        self._binds = self._address.choice("bind", ("0", "1")) == "1"
        self._streams = frozenset(self._address.values("stream"))
        self._keys = keys_for(self._address)
        most_mb = MAX_FRAME_BYTES // 1_000_000
        self._max_bytes = MAX_MESSAGE_BYTES * self._address.number("max_mb", 1, most_mb, 1)
        self._hwm = max(1, min(hwm, MAX_QUEUED_BYTES // self._max_bytes))
        places = 1 if self._binds else len(self._address.places)
        self._tracker = SequenceTracker(self._address.number("expect", 1, MAX_STREAMS, len(self._streams) or places))
        self._counts = Counter[str]()
        self._log = ReceptionLog(uri, self._streams)
        self._time = SenderTime()
        self._unseen = set(self._streams)
        """Selected streams that have not sent a message."""
        self._survey: TopicSurvey | None = None
        self._surveying: asyncio.Task[None] | None = None
        self._context: zmq.asyncio.Context | None = None
        self._socket: zmq.asyncio.Socket | None = None
        self._doorkeeper: Doorkeeper | None = None
        self._connections: ConnectionWatch | None = None
        self._closed = False

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        """Yield the chunks in the order sent; lost and malformed messages are counted and skipped."""
        socket = self._open()
        if not self._pulls:
            own = None if self._binds else lambda: self._socket_of(zmq.SUB, QUEUE, once=True)
            self._survey = TopicSurvey(own, socket, self._surveyed)
            self._surveying = asyncio.create_task(self._survey.run())
        direct = zmq.Socket.shadow(socket)  # receives without a future, which would triple the time per message
        taken = 0
        try:
            while not self._closed:
                try:
                    frames = [direct.recv(_NOBLOCK)]
                    while direct.get(_RCVMORE):
                        frame = direct.recv(_NOBLOCK)
                        if len(frames) <= _FRAMES:  # one too many is enough to see that it is malformed
                            frames.append(frame)
                except zmq.Again:
                    await self._wait(socket)
                    continue
                taken += 1
                if taken % _TURN == 0:
                    await asyncio.sleep(0)
                chunk = self._take(frames)
                if chunk is not None:
                    yield chunk
                elif self._tracker.all_ended:
                    return
        finally:
            await self.aclose()

    def counts(self) -> Mapping[str, int]:
        """Return what went wrong, by kind: ``not_received`` and ``late`` samples; ``restarted`` senders; ``malformed``,
        ``repeated`` and ``too_many_streams`` messages; ``refused_keys``. Kinds with a count of 0 are left out.

        ``not_received`` is not called ``lost``, because windowing counts the same jump in the numbers as ``lost`` and
        the two would add up. It also includes samples missing at the head and the tail of an epoch.
        """
        refused = self._doorkeeper.counts() if self._doorkeeper else {}
        return {**+self._tracker.counts, **self._counts, **refused}

    def receptions(self) -> Sequence[Reception]:
        """Return what each stream received; unwanted topics become known within 10 s of silence."""
        return self._log.receptions(self._time.remarks)

    def notices(self) -> list[str]:
        """Return a line if connections break again and again, as they do if a sender's messages are too large."""
        return self._connections.notices(self._max_bytes) if self._connections else []

    async def aclose(self) -> None:
        """Close the socket; may be called twice."""
        self._closed = True
        if self._surveying is not None:
            surveying, self._surveying = self._surveying, None
            surveying.cancel()
            await asyncio.gather(surveying, return_exceptions=True)
        if self._connections is not None and not self._connections.is_closed:
            await self._connections.close()
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None
        if self._doorkeeper is not None:
            self._counts.update(self._doorkeeper.counts())
            self._doorkeeper.close()
            self._doorkeeper = None
        if self._context is not None:
            self._context.term()
            self._context = None

    @property
    def endpoint(self) -> str:
        """The bound address, with the real port; empty before ``chunks`` or if the socket connects."""
        bound = self._socket.getsockopt(zmq.LAST_ENDPOINT) if self._binds and self._socket else b""
        return bound.decode() if isinstance(bound, bytes) else ""

    def _open(self) -> zmq.asyncio.Socket:
        self._context = zmq.asyncio.Context()
        socket = self._socket = self._socket_of(zmq.PULL if self._pulls else zmq.SUB, self._hwm)
        self._connections = ConnectionWatch(socket)
        if not self._pulls:
            for stream in self._streams or {""}:
                socket.setsockopt(zmq.SUBSCRIBE, TOPIC + stream.encode())
        return socket

    def _socket_of(self, kind: int, hwm: int, *, once: bool = False) -> zmq.asyncio.Socket:
        """Return a new socket at the places of the address.

        Args:
            once: connect only to senders that are there now. To one that starts later, such a socket could come before
                the socket for samples, and the sender would take it for the receiver that it waits for.
        """
        assert self._context is not None
        socket = self._context.socket(kind)
        if once:
            socket.setsockopt(zmq.RECONNECT_IVL, -1)
        socket.setsockopt(zmq.RCVHWM, hwm)
        socket.setsockopt(zmq.MAXMSGSIZE, self._max_bytes)
        socket.setsockopt(zmq.IPV6, self._address.is_ipv6)
        if self._binds:
            self._doorkeeper = secure_server(socket, self._keys)
        for place, endpoint in enumerate(self._address.endpoints):
            if not self._binds:
                secure_client(socket, self._keys, self._address.server(place))
            try:
                (socket.bind if self._binds else socket.connect)(endpoint)
            except zmq.ZMQError as error:
                verb = "listen at" if self._binds else "connect to"
                socket.close(linger=0)
                raise ConfigError(f"cannot {verb} '{endpoint}': {error.strerror}; choose another address") from None
        return socket

    async def _wait(self, socket: zmq.asyncio.Socket) -> None:
        try:
            await socket.poll()
        except asyncio.CancelledError:
            # Closing the socket cancels the wait; re-raise only if the task itself was cancelled.
            task = asyncio.current_task()
            if not self._closed or (task is not None and task.cancelling()):
                raise

    def _take(self, frames: list[bytes]) -> SampleChunk | None:
        try:
            message = decode(frames)
        except DecodeError as error:
            self._malformed(frames, error)
            return None
        if self._streams and message.stream not in self._streams:
            self._log.unwanted(frames)  # a subscription also matches longer topics with the same beginning
            return None
        self._hear(message.stream)
        if isinstance(message, EndOfStream):
            self._tracker.end(message)
            return None
        chunk = self._tracker.take(message)
        self._log.took(message.stream, len(message) if chunk is not None else 0)
        return chunk and self._time.repaired(chunk)

    def _malformed(self, frames: list[bytes], error: DecodeError) -> None:
        """Count a malformed message; one for someone else is unwanted, and malformed only where all come to us."""
        stream = topic_stream(frames)
        is_elsewhere = not frames[0].startswith(TOPIC)
        is_surveyed = is_elsewhere and not self._pulls
        is_for_others = bool(self._streams) and bool(stream) and stream not in self._streams
        if is_surveyed or (is_elsewhere and len(frames) > 1) or is_for_others:
            self._log.unwanted(frames)
        else:
            self._log.malformed(frames, error, stream)
            self._hear(stream)
        if is_surveyed:
            return
        self._counts["malformed"] += 1
        if self._counts["malformed"] == 1:
            _LOG.warning("%s: skipping this and all further malformed messages: %s", self.name, error)

    def _hear(self, stream: str) -> None:
        self._unseen.discard(stream)
        if self._survey is not None and not self._unseen:
            self._survey.heard()

    def _surveyed(self, frames: list[bytes]) -> None:
        """Note a message of a survey that the subscriptions do not cover."""
        stream = topic_stream(frames)
        if stream not in self._streams if self._streams else not frames[0].startswith(TOPIC):
            self._log.unwanted(frames)
