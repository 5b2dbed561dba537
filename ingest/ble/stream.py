"""From the notifications of one connection to chunks: decoded, timed on the host's clock, joined. No radio here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from kinestream.errors import DecodeError
from kinestream.ingest.clock import HostClock, TimeStatus, host_clock
from kinestream.ingest.devices import Decoder, Packet
from kinestream.signals import SampleChunk

from .join import Joined, Joiner


class Stream:
    """The samples of one connection. The next connection gets a new one: no state, no clock and no number goes over.

    Args:
        name: of the stream, stable over connections.
        session: of this connection.
        decoder: set up by the start dialogue, so its groups are what the device agreed to.
    """

    def __init__(self, name: str, session: str, decoder: Decoder) -> None:
        self.name = name
        self.decoder = decoder
        self.battery_frac: float | None = None
        self.last_error: DecodeError | None = None
        self.lost = 0
        """Samples of all groups that were taken and never came."""
        self._session = session
        self._part = 0
        self._counts: Counter[str] = Counter()
        self._clocks = {group.name: host_clock(group.fs_hz, group.clock, group.on_change) for group in decoder.groups}
        self._begin()

    def _begin(self) -> None:
        self._joiner = Joiner(self.decoder.groups)
        self._next_seq = dict.fromkeys(self._clocks, 0)

    def push(self, characteristic: str, data: bytes, received_s: float) -> Iterator[SampleChunk]:
        """The chunks that a notification completed; bytes that make no sense are counted as ``malformed``."""
        try:
            packets = self.decoder.decode(characteristic, data)
        except DecodeError as error:
            self._counts["malformed"] += 1
            self.last_error = error
            return
        for packet in packets:
            if packet.battery_frac is not None:
                self.battery_frac = packet.battery_frac
            if len(packet.samples):
                yield from self._timed(packet, received_s)

    def _timed(self, packet: Packet, received_s: float) -> Iterator[SampleChunk]:
        clock = self._clocks.get(packet.group)
        if clock is None:  # a group that nobody asked for, e.g. left on by another program
            self._counts["not_wanted"] += len(packet.samples)
            return
        n = len(packet.samples)
        timed = clock.push(n, received_s, packet.device_time, packet.counter)
        if timed.fresh:
            self._counts.update(self._joiner.counts)
            self._part += 1
            self._begin()
        self.lost += timed.lost
        seq = self._next_seq[packet.group] + timed.lost
        self._next_seq[packet.group] = seq + n
        for joined in self._joiner.push(packet.group, timed.t, packet.samples, seq):
            yield self._chunk(joined, received_s)

    def _chunk(self, joined: Joined, received_s: float) -> SampleChunk:
        session = f"{self._session}.{self._part}" if self._part else self._session
        channels, fs_hz = self._joiner.channels, self._joiner.leader.fs_hz
        return SampleChunk(self.name, session, joined.t, joined.x, channels, fs_hz, joined.seq, received_s)

    def counts(self) -> Counter[str]:
        """``malformed`` notifications, samples ``unpaired``, ``interpolated`` or ``not_wanted``, clock events.

        Not the leader's lost samples: the jumps of the numbers tell windowing of them.
        """
        counts = self._counts + self._joiner.counts + self.decoder.counts
        for clock in self._clocks.values():
            status = clock.status()
            counts["clock_outliers"] += status.outliers
            counts["clock_jumps"] += status.jumps
        return +counts

    def time(self) -> TimeStatus | None:
        """How the leader's clock stands; None before it has one."""
        clock: HostClock | None = self._clocks.get(self._joiner.leader.name)
        return clock.status() if clock else None


def merged(chunks: list[SampleChunk]) -> list[SampleChunk]:
    """Neighbouring chunks of one session as one, where the numbers go on: fewer, larger chunks cost everyone less."""
    found: list[SampleChunk] = []
    run: list[SampleChunk] = []
    for chunk in chunks:
        if run and (chunk.session != run[-1].session or chunk.seq != run[-1].seq + len(run[-1])):
            found.append(_one(run))
            run = []
        run.append(chunk)
    if run:
        found.append(_one(run))
    return found


def _one(run: list[SampleChunk]) -> SampleChunk:
    if len(run) == 1:
        return run[0]
    last = run[-1]
    t = np.concatenate([chunk.t for chunk in run])
    x = np.concatenate([chunk.x for chunk in run])
    return SampleChunk(last.stream, last.session, t, x, last.channels, last.fs_hz, run[0].seq, last.received_s)
