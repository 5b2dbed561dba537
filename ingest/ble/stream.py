"""From the notifications of one connection to chunks: decoded, timed on the host's clock, joined. No radio here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.errors import DecodeError
from kinestream.ingest.clock import HostClock, TimeStatus, host_clock
from kinestream.ingest.devices import Decoder
from kinestream.ingest.join import Joiner
from kinestream.signals import SampleChunk

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
        self._clocks = {group.name: host_clock(group.fs_hz, group.clock, group.on_change) for group in decoder.groups}
        self._ready: list[SampleChunk] = []
        self._begin()

    def _begin(self) -> None:
        self._joiner = Joiner(self.decoder.groups)
        self._runs = {name: _Run() for name in self._clocks}

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
            clock = self._clocks.get(packet.group)
            if clock is None:  # a group that nobody asked for, e.g. left on by another program
                self._counts["not_wanted"] += n
                continue
            timed = clock.push(n, received_s, packet.device_time, packet.counter)
            self.lost += timed.lost
            if timed.fresh:
                self._join_all()
                self._counts.update(self._joiner.counts)
                self._part += 1
                self._begin()
            elif timed.lost:
                self._join(packet.group)
                self._runs[packet.group].seq += timed.lost
            run = self._runs[packet.group]
            run.t.append(timed.t)
            run.x.append(packet.samples)
            if timed.device_s is not None:
                run.t_device.append(timed.device_s - timed.device_step_s * np.arange(n - 1, -1, -1, dtype=np.float64))
            run.received_s = received_s

    def take(self) -> list[SampleChunk]:
        """The chunks that are complete, in order."""
        self._join_all()
        ready, self._ready = self._ready, []
        return ready

    def _join_all(self) -> None:
        for group in self._runs:
            self._join(group)

    def _join(self, group: str) -> None:
        """Hand on an unbroken run of a group."""
        run = self._runs[group]
        if not run.t:
            return
        t, x, t_device = (_whole(parts) for parts in (run.t, run.x, run.t_device))
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
                run.received_s,
                t_device=one.t_device,
            )
            for one in self._joiner.push(group, t, x, run.seq, t_device if run.t_device else None)
        ]
        run.seq += len(t)
        run.t, run.x, run.t_device = [], [], []

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


class _Run:
    """Packets of a group that follow one another without a loss."""

    __slots__ = ("received_s", "seq", "t", "t_device", "x")

    def __init__(self) -> None:
        self.seq = 0
        self.t: list[NDArray[np.float64]] = []
        self.x: list[NDArray[np.float32]] = []
        self.t_device: list[NDArray[np.float64]] = []
        self.received_s = 0.0


def _whole(parts: list[Any]) -> Any:
    """The arrays of a run as one."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0)
