"""From the notifications of one connection to chunks: decoded, timed on the host's clock, joined. No radio here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import DecodeError
from kinestream.core.signals import SampleChunk

from ..join import Joiner
from ..profile import Decoder
from ..timing.host_clock import host_clock
from ..timing.timed import HostClock, Timed, TimeStatus, host_times

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
        self._tracks = {
            group.name: _Track(host_clock(group.fs_hz, group.clock, group.on_change)) for group in decoder.groups
        }
        self._ready: list[SampleChunk] = []
        self._joiner = Joiner(decoder.groups)

    def push(self, characteristic: str, data: bytes, received_s: float) -> None:
        """Take a notification in; ``take`` gives what came of it.

        Bytes that make no sense are counted as ``malformed``. Samples are only collected here, because joining and
        handing on whole runs costs a fraction of doing it packet by packet.
        """
        try:
            packets = self.decoder.decode(characteristic, data)
        except DecodeError as error:
            self._counts["malformed"] += 1
            self.last_error = error
            return
        for packet in packets:
            if packet.battery_frac is not None:
                self.battery_frac = packet.battery_frac
            n = len(packet.samples)
            if not n:
                continue
            track = self._tracks.get(packet.group)
            if track is None:  # a group that nobody asked for, e.g. left on by another program
                self._counts["not_wanted"] += n
                continue
            timed = track.clock.push(n, received_s, packet.device_time, packet.counter)
            if timed.fresh:
                self.lost += timed.lost
                self._begin_anew()
            elif timed.lost:
                self.lost += timed.lost
                self._join(packet.group)
                track.seq += timed.lost
            track.timed.append(timed)
            track.x.append(packet.samples)
            track.received_s = received_s

    def take(self) -> list[SampleChunk]:
        """The chunks that are complete, in order."""
        self._join_all()
        ready, self._ready = self._ready, []
        return ready

    def _begin_anew(self) -> None:
        """Time began anew: what comes belongs to another session."""
        self._join_all()
        self._counts.update(self._joiner.counts)
        self._part += 1
        self._joiner = Joiner(self.decoder.groups)
        for track in self._tracks.values():
            track.seq = 0

    def _join_all(self) -> None:
        for group in self._tracks:
            self._join(group)

    def _join(self, group: str) -> None:
        """Hand on an unbroken run of a group."""
        track = self._tracks[group]
        if not track.timed:
            return
        t, t_device = host_times(track.timed)
        x = track.x[0] if len(track.x) == 1 else np.concatenate(track.x)
        session = f"{self._session}.{self._part}" if self._part else self._session
        channels, fs_hz = self._joiner.channels, self._joiner.leader.fs_hz
        self._ready += [
            SampleChunk(
                self.name,
                session,
                one.t,
                one.x,
                channels,
                fs_hz,
                one.seq,
                track.received_s,
                t_device=one.t_device,
            )
            for one in self._joiner.push(group, t, x, track.seq, t_device)
        ]
        track.seq += len(t)
        track.timed, track.x = [], []

    def counts(self) -> Counter[str]:
        """``malformed`` notifications, samples ``unpaired``, ``interpolated`` or ``not_wanted``, clock events.

        Not the leader's lost samples: the jumps of the numbers tell windowing of them.
        """
        counts = self._counts + self._joiner.counts + self.decoder.counts
        for track in self._tracks.values():
            status = track.clock.status()
            counts["clock_outliers"] += status.outliers
            counts["clock_jumps"] += status.jumps
        return +counts

    def time(self) -> TimeStatus | None:
        """How the leader's clock stands; None before it has one."""
        track = self._tracks.get(self._joiner.leader.name)
        return track.clock.status() if track else None


class _Track:
    """A group's clock, and its packets since the last that were handed on: they follow one another without a loss."""

    __slots__ = ("clock", "received_s", "seq", "timed", "x")

    def __init__(self, clock: HostClock) -> None:
        self.clock = clock
        self.seq = 0
        """Of the first sample that was not handed on, within the session."""
        self.timed: list[Timed] = []
        self.x: list[NDArray[np.float32]] = []
        self.received_s = 0.0
