"""Turns the notifications of one epoch into chunks: decoded, timed on the host's clock, joined. No radio here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import DecodeError
from kinestream.core.evidence import Reception
from kinestream.core.signals import SampleChunk

from ..join import Joiner
from ..profile import Decoder
from ..profile.decoder import BATTERY_LEVEL
from ..timing.host_clock import host_clock
from ..timing.timed import HostClock, Timed, TimeStatus, host_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_RUN_S = 0.5
"""Runs longer than this are joined in parts, because a joiner keeps few seconds of each group."""
EXAMPLE_BYTES = 64
"""Longest part of a malformed packet that is kept to be shown."""


class SampleStream:
    """The samples of one epoch. The next epoch gets a new one: no state, clock or number carries over.

    Args:
        name: of the stream, stable over connections.
        epoch: the ``session`` of its chunks.
        decoder: configured by the start dialogue, so its groups are those the device agreed to.
        earlier: what the stream's earlier epochs received.
    """

    def __init__(self, name: str, epoch: str, decoder: Decoder, earlier: Reception | None = None) -> None:
        self.name = name
        self.decoder = decoder
        self.battery_frac: float | None = None
        self.last_error: DecodeError | None = None
        self.lost = 0
        """Samples of all groups that the device took but that never arrived."""
        self._epoch = epoch
        self._earlier = earlier or Reception(name)
        self._packets = self._samples = 0
        self._example = b""
        self._unwanted: Counter[str] = Counter()
        self._time_restarts = 0
        self._counts: Counter[str] = Counter()
        self._tracks = {
            group.name: _Track(host_clock(group.fs_hz, group.clock, group.on_change)) for group in decoder.groups
        }
        self._ready: list[SampleChunk] = []
        self._joiner = Joiner(decoder.groups)

    def push(self, characteristic: str, data: bytes, received_s: float) -> None:
        """Decode a notification; ``take`` returns its samples.

        Invalid bytes are counted as ``malformed``. Samples are only collected here, because joining whole runs costs
        a fraction of joining packet by packet.
        """
        self._packets += characteristic != BATTERY_LEVEL
        try:
            packets = self.decoder.decode(characteristic, data)
        except DecodeError as error:
            self._counts["malformed"] += 1
            self.last_error, self._example = error, data[:EXAMPLE_BYTES]
            return
        for packet in packets:
            if packet.battery_frac is not None:
                self.battery_frac = packet.battery_frac
            n = len(packet.samples)
            if not n:
                continue
            track = self._tracks.get(packet.group)
            if track is None:  # a group that was not requested, e.g. left on by another program
                self._counts["not_wanted"] += n
                self._unwanted[packet.group] += 1
                continue
            timed = track.clock.push(n, received_s, packet.device_time, packet.counter)
            if timed.restarted:
                self.lost += timed.lost
                self._restart_time()
            elif timed.lost:
                self.lost += timed.lost
                self._join_all()
                track.seq += timed.lost
            elif track.timed and timed.first_s - track.timed[0].first_s > LONGEST_RUN_S:
                self._join_all()
            track.timed.append(timed)
            track.x.append(packet.samples)
            track.received_s = received_s

    def take(self) -> list[SampleChunk]:
        """Return and remove the complete chunks, in order."""
        self._join_all()
        ready, self._ready = self._ready, []
        self._samples += sum(map(len, ready))
        return ready

    def close(self) -> None:
        """Count the samples that still wait for another sensor as ``unpaired``: the epoch is over."""
        self._joiner.close()

    def _restart_time(self) -> None:
        """Start another epoch, because the device's time restarted."""
        self._join_all()
        self.close()
        self._counts.update(self._joiner.counts)
        self._time_restarts += 1
        self._joiner = Joiner(self.decoder.groups)
        for track in self._tracks.values():
            track.seq = 0

    def _join_all(self) -> None:
        # The leader last: after a stall, its samples would seem to lack those of the others.
        for group in sorted(self._tracks, key=self._joiner.leader.name.__eq__):
            self._join(group)

    def _join(self, group: str) -> None:
        """Pass an unbroken run of a group to the joiner."""
        track = self._tracks[group]
        if not track.timed:
            return
        t, t_device = host_times(track.timed)
        x = track.x[0] if len(track.x) == 1 else np.concatenate(track.x)
        epoch = f"{self._epoch}.{self._time_restarts}" if self._time_restarts else self._epoch
        channels, fs_hz = self._joiner.channels, self._joiner.leader.fs_hz
        self._ready += [
            SampleChunk(
                self.name,
                epoch,
                joined.t,
                joined.x,
                channels,
                fs_hz,
                joined.seq,
                track.received_s,
                t_device=joined.t_device,
            )
            for joined in self._joiner.push(group, t, x, track.seq, t_device)
        ]
        track.seq += len(t)
        track.timed, track.x = [], []

    def counts(self) -> Counter[str]:
        """``malformed`` notifications, samples ``unpaired``, ``interpolated`` or ``not_wanted``, clock events.

        The leader's lost samples are left out: windowing sees them as jumps in the sample numbers.
        """
        counts = self._counts + self._joiner.counts + self.decoder.counts
        for track in self._tracks.values():
            status = track.clock.status()
            counts["clock_outliers"] += status.outliers
            counts["clock_jumps"] += status.jumps
        return +counts

    def reception(self) -> Reception:
        """What this epoch and the earlier ones received; readings of the battery are left out."""
        earlier, error, newest_s = self._earlier, self.last_error, self._joiner.newest_s()
        return Reception(
            self.name,
            packets=earlier.packets + self._packets,
            samples=earlier.samples + self._samples,
            malformed=earlier.malformed + self._counts["malformed"],
            malformed_example=self._example if error else earlier.malformed_example,
            malformed_reason=error.reason if error else earlier.malformed_reason,
            unwanted=self._unwanted + Counter(earlier.unwanted),
            newest_s=newest_s,
            sensor_hz={
                name: time.rate_hz for name in newest_s if (time := self._tracks[name].clock.status()).state == "fitted"
            },
            unpaired=earlier.unpaired + self._counts["unpaired"] + self._joiner.counts["unpaired"],
            expected=", ".join(self._tracks),
        )

    def time(self) -> TimeStatus | None:
        """The state of the leader's clock; None before it has one."""
        track = self._tracks.get(self._joiner.leader.name)
        return track.clock.status() if track else None


class _Track:
    """A group's clock and its packets not yet joined: an unbroken run without a loss."""

    __slots__ = ("clock", "received_s", "seq", "timed", "x")

    def __init__(self, clock: HostClock) -> None:
        self.clock = clock
        self.seq = 0
        """Number of the first sample not yet joined, within the epoch."""
        self.timed: list[Timed] = []
        self.x: list[NDArray[np.float32]] = []
        self.received_s = 0.0
