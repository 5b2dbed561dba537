"""One stream out of a device that sends acceleration and angular rate apart, each at times of its own.

The accelerometer leads. Every sample of it gets the straight line between the two nearest samples of each other
group, as soon as those are there. Where they are missing, the sample is left out and counted, never made up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kinestream.core.signals import ACC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .profile import Group

HOLE_S = 0.25
"""Over a longer hole in a group nothing is drawn."""

PATIENCE_S = 1.0
"""How far one group may run ahead of another before it goes on alone."""


class Joined(NamedTuple):
    """Samples with all groups' columns side by side."""

    t: NDArray[np.float64]
    """(n,) seconds, the leader's times"""
    x: NDArray[np.float32]
    """(n, channels)"""
    seq: int
    """Number of the first; a jump says how many the leader lost."""
    t_device: NDArray[np.float64] | None = None
    """(n,) seconds on the device's own clock, where it has one."""

    def part(self, which: slice) -> Joined:
        """Some consecutive ones of the samples."""
        device = None if self.t_device is None else self.t_device[which]
        return Joined(self.t[which], self.x[which], self.seq + (which.start or 0), device)


class Joiner:
    """Lays the groups of one connection on the leader's times.

    Args:
        groups: those that are streamed; the one with the accelerometer leads, else the first.
    """

    def __init__(self, groups: tuple[Group, ...]) -> None:
        self.leader = next((group for group in groups if ACC[0] in group.channels), groups[0])
        self._others = tuple(group for group in groups if group is not self.leader)
        self.channels = tuple(name for group in (self.leader, *self._others) for name in group.channels)
        self.counts: Counter[str] = Counter()
        """``unpaired`` samples of the leader that had to be left out, ``interpolated`` ones drawn over a hole."""
        self._left_out = 0
        self._waiting: list[Joined] = []
        self._tracks = {group.name: _Track(group) for group in self._others}

    def push(
        self,
        group: str,
        t: NDArray[np.float64],
        x: NDArray[np.float32],
        seq: int,
        t_device: NDArray[np.float64] | None = None,
    ) -> list[Joined]:
        """The joined samples that these (n,) times and (n, columns) values complete, in order."""
        if not len(t):
            return []
        if group != self.leader.name:
            self._tracks[group].push(t, x)
        elif not self._others:
            return [Joined(t, x, seq, t_device)]
        else:
            self._waiting.append(Joined(t, x, seq, t_device))
        return list(self._ready())

    def close(self) -> None:
        """Nothing more will come: what still waits for its partners is ``unpaired``."""
        self.counts["unpaired"] += sum(len(waiting.t) for waiting in self._waiting)
        self._waiting.clear()

    def _ready(self) -> Iterator[Joined]:
        tracks = tuple(self._tracks.values())
        known_s = min(track.newest_s for track in tracks)
        while self._waiting:
            oldest = self._waiting[0]
            given_up_s = self._waiting[-1].t[-1] - PATIENCE_S
            n = int(np.searchsorted(oldest.t, max(known_s, given_up_s), side="right"))
            if not n:
                return
            if n == len(oldest.t):
                del self._waiting[0]
            else:
                self._waiting[0] = oldest.part(slice(n, None))
            yield from self._paired(oldest.part(slice(0, n)), tracks)

    def _paired(self, samples: Joined, tracks: tuple[_Track, ...]) -> Iterator[Joined]:
        t = samples.t
        columns = [samples.x]
        good = np.ones(len(t), bool)
        for track in tracks:
            values, step_s = track.at(t)
            columns.append(values)
            good &= step_s <= HOLE_S
            self.counts["interpolated"] += int((good & (step_s > track.hole_s)).sum())
            track.forget(t[-1])
        self.counts["unpaired"] += int((~good).sum())
        joined = samples._replace(x=np.concatenate(columns, axis=1))
        cuts = [0, *(np.flatnonzero(np.diff(good)) + 1).tolist(), len(t)]
        for start, stop in pairwise(cuts):
            if good[start]:
                part = joined.part(slice(start, stop))
                # The numbers go on over what is left out here: it is counted, and no loss of the radio's.
                yield part._replace(seq=part.seq - self._left_out)
            else:
                self._left_out += stop - start


class _Track:
    """The newest samples of a group that is interpolated."""

    def __init__(self, group: Group) -> None:
        self.hole_s = 1.5 / group.fs_hz
        self._t = np.empty(0)
        self._x = np.empty((0, len(group.channels)), np.float32)

    @property
    def newest_s(self) -> float:
        return float(self._t[-1]) if len(self._t) else -np.inf

    def push(self, t: NDArray[np.float64], x: NDArray[np.float32]) -> None:
        self._t = np.concatenate([self._t, t])
        self._x = np.concatenate([self._x, x])
        oldest = np.searchsorted(self._t, self._t[-1] - 10 * PATIENCE_S)
        self._t, self._x = self._t[oldest:], self._x[oldest:]

    def at(self, t: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """The line at these times, and how far apart the two samples are that it joins (infinity: there are none)."""
        if not len(self._t):
            return np.zeros((len(t), self._x.shape[1]), np.float32), np.full(len(t), np.inf)
        right = np.searchsorted(self._t, t).clip(0, len(self._t) - 1)
        left = np.maximum(right - 1, 0)
        t0, t1 = self._t[left], self._t[right]
        step_s = np.where((t > t0) & (t < t1), t1 - t0, np.where((t == t0) | (t == t1), 0.0, np.inf))
        share = ((t - t0) / np.maximum(t1 - t0, 1e-9)).clip(0, 1).astype(np.float32)[:, None]
        drawn = self._x[left] * (1 - share) + self._x[right] * share
        return drawn.astype(np.float32, copy=False), step_s

    def forget(self, before_s: float) -> None:
        """Drop what no later sample of the leader needs."""
        keep = max(0, int(np.searchsorted(self._t, before_s)) - 1)
        self._t, self._x = self._t[keep:], self._x[keep:]
