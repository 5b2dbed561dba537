"""The sending processes of the soak: misbehaving wearers over ZeroMQ or a relay, and a sender of malformed messages."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zmq

from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, SampleChunk
from kinestream.ingest import ZmqPublisher, encode
from kinestream.ingest.relay.journal import Journal
from kinestream.ingest.relay.sender import Relay

from .wearer import QUIET_S, MisbehavingWearer

AHEAD_S = 120.0
"""How far a sender may be ahead of the slowest, in simulated seconds."""
LOOK_S = 10.0
"""How often a sender looks where the others are, in simulated seconds."""
FAREWELL_S, LONG_FAREWELL_S = 1.0, 60.0
"""How long the end of a stream is repeated, by a sender whose queue is empty and by the flooder."""
STUCK_S = 30.0
"""How long a receiver may stand still before a sender stops without it."""
BACKLOG_MESSAGES = 600
"""Longest journal: two minutes of packets, so that the receiver's day is the senders' day."""
MALFORMED_PER_MINUTE = 4


@dataclass(frozen=True)
class Task:
    """What one sending process does; plain values, because it travels to the process."""

    index: int
    wearers: int
    hours: float
    seed: int
    spec: InputSpec
    port: int
    """Where to publish; of a relay, where its receiver is."""
    journal: Path | None = None
    """The folder of the relay's journal; None: publish over ZeroMQ."""


class Shared(NamedTuple):
    """Numbers that all processes see."""

    positions_s: Any
    """The simulated time of each sender; infinite once it has finished."""
    received: Any
    """The samples of each wearer that the receiver has handed out."""


class Pace:
    """The simulated time of all senders; holds back who is ahead."""

    def __init__(self, shared: Shared, index: int) -> None:
        self._positions_s, self._received, self._index = *shared, index
        self._hurries_until_s = self._next_look_s = 0.0

    def hurry(self, until_s: float) -> None:
        """Wait for no receiver until then."""
        self._hurries_until_s = until_s

    async def reach(self, now_s: float) -> None:
        """Return when ``now_s`` is not too far ahead."""
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + LOOK_S
        self._positions_s[self._index] = now_s
        while now_s > self._hurries_until_s and now_s > min(self._positions_s[:]) + AHEAD_S:
            await asyncio.sleep(0.002)

    async def all_received(self, samples: int) -> None:
        """Return when the receiver has handed out so many samples of this sender, or gets no further."""
        received, since_s = -1, time.monotonic()
        while received < samples and time.monotonic() - since_s < STUCK_S:
            await asyncio.sleep(0.01)
            if self._received[self._index] != received:
                received, since_s = self._received[self._index], time.monotonic()

    async def all_finished(self) -> None:
        """Return when no sender has anything left to send, and the receiver knows all of them."""
        while min(self._positions_s[:]) < math.inf or not min(self._received[:]):
            await asyncio.sleep(0.01)

    def finish(self) -> None:
        """Release all that wait."""
        self._positions_s[self._index] = math.inf


def send_wearer(task: Task, shared: Shared, report: Connection) -> None:
    """Run one wearer's sender to its end, and report its ledger."""
    stops = task.journal is None
    wearer = MisbehavingWearer(task.index, task.wearers, task.hours, task.seed, task.spec, stops=stops)
    pace = Pace(shared, task.index)
    run = _relay(task, wearer, pace) if task.journal else _publish(task, wearer, pace)
    own = asyncio.run(run)
    ledger = wearer.ledger
    report.send({"counts": ledger.close(), "harms": dict(ledger.harms), "epochs": ledger.epochs, "own": dict(own)})


async def _publish(task: Task, wearer: MisbehavingWearer, pace: Pace) -> Mapping[str, int]:
    publisher = await _publisher(task, wearer)
    for step in wearer.steps():
        await pace.reach(step.now_s)
        if step.chunk is not None:
            await publisher.send(step.chunk)
        elif step.kind == "flood":
            pace.hurry(step.until_s)
        else:
            await pace.all_received(wearer.ledger.counts["samples"])
            await publisher.aclose()
            publisher = await _publisher(task, wearer)
    pace.finish()
    if wearer.floods:
        await pace.all_finished()  # or the run would end while another sender stops and starts again
    else:
        await pace.all_received(wearer.ledger.counts["samples"])
    await publisher.aclose()
    return publisher.counts()


async def _publisher(task: Task, wearer: MisbehavingWearer) -> ZmqPublisher:
    to = f"tcp://127.0.0.1:{task.port}"
    if wearer.floods:
        publisher = ZmqPublisher(to, farewell_s=LONG_FAREWELL_S)
    else:
        publisher = ZmqPublisher(to, wait_for_slow=True, farewell_s=FAREWELL_S)
    await publisher.subscribed()
    return publisher


class _Played:
    """The wearer's messages as a source for a relay, which waits while the journal is long."""

    live = False

    def __init__(self, wearer: MisbehavingWearer, pace: Pace, journal: Journal) -> None:
        self.name, self._wearer, self._pace, self._journal = wearer.name, wearer, pace, journal

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        for step in self._wearer.steps():
            await self._pace.reach(step.now_s)
            while self._journal.newest - self._journal.delivered > BACKLOG_MESSAGES:
                await asyncio.sleep(0.002)
            if step.chunk is not None:
                yield step.chunk
        self._pace.finish()
        await self._pace.all_finished()  # a receiver of relays ends with the streams that it has seen

    def counts(self) -> Mapping[str, int]:
        return {}

    async def aclose(self) -> None:
        return


async def _relay(task: Task, wearer: MisbehavingWearer, pace: Pace) -> Mapping[str, int]:
    assert task.journal is not None
    with Journal(task.journal) as journal:
        return await Relay(f"tcp://127.0.0.1:{task.port}", journal).run(_Played(wearer, pace, journal))


def send_malformed(task: Task, shared: Shared, report: Connection) -> None:
    """Publish messages that only begin like ours, and some under other topics, and report how many."""
    report.send({"malformed": asyncio.run(_publish_malformed(task, Pace(shared, task.index)))})


async def _publish_malformed(task: Task, pace: Pace) -> int:
    rng = np.random.default_rng([task.seed, task.index])
    sent = 0
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.setsockopt(zmq.XPUB_NODROP, 1)
        socket.bind(f"tcp://127.0.0.1:{task.port}")
        while not socket.poll(0) or socket.recv() != b"\x01imu/":
            await asyncio.sleep(0.002)
        for minute in range(max(1, int(60 * task.hours - QUIET_S / 60))):
            await pace.reach(60.0 * minute)
            socket.send_multipart([b"eeg/somebody", b"else"])
            for frames in malformed(rng, MALFORMED_PER_MINUTE):
                socket.send_multipart(frames)
                sent += 1
        pace.finish()
    return sent


def malformed(rng: np.random.Generator, n: int) -> list[list[bytes]]:
    """Return ``n`` messages that violate the format, each in one way.

    >>> from kinestream.ingest import decode
    >>> from kinestream.core.errors import DecodeError
    >>> refused = 0
    >>> for frames in malformed(np.random.default_rng(0), 100):
    ...     try:
    ...         _ = decode(frames)
    ...     except DecodeError:
    ...         refused += 1
    >>> refused
    100
    """
    t, x = np.arange(5) / 50, np.zeros((5, 3), np.float32)
    labels = np.zeros(5, np.int16)
    topic, header, payload = encode(SampleChunk("wearer-0", "a", t, x, ACC, 50.0, 0, 0.1, labels, ("walking",)))
    noise = rng.bytes(len(header))
    ways = (
        [topic, header],
        [topic, header, payload, payload],
        [topic, header[:20], payload],
        [topic, b"JSON" + header[4:], payload],
        [topic, header[:4] + b"\x09" + header[5:], payload],
        [topic, header[:5] + b"\xff" + header[6:], payload],
        [topic, header[:24] + np.float64(np.nan).tobytes() + header[32:], payload],
        [topic, header[:40] + np.float64(np.inf).tobytes() + header[48:], payload],
        [topic, header.replace(b"acc_x m/s^2", b"acc_x ft/s2"), payload],
        [topic, header.replace(b"acc_y", b"acc_x"), payload],
        [topic, header + b"more", payload],
        [topic, header, payload[:-1]],
        [topic, header, payload + b"\0"],
        [topic, header, payload[:-2] + b"\x07\x00"],
        [topic + b"\n", header, payload],
        [topic, b"X" + noise[1:], payload],
        [topic, b"", b""],
    )
    return [ways[i] for i in rng.integers(0, len(ways), n)]
