"""Joining of a device's sample groups, such as acceleration and angular rate with different times, into one stream.

The accelerometer leads. Each of its samples gets linearly interpolated values of every other group, as soon as the two
nearest samples of that group have arrived. Where they are missing, the sample is dropped and counted, never invented.
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
"""Maximum hole in a group that is interpolated."""

PATIENCE_S = 1.0
"""How far the leader may run ahead of another group before its samples are dropped as ``unpaired``."""


class Joined(NamedTuple):
    """Samples with the columns of all groups side by side."""

    t: NDArray[np.float64]
    """(n,) seconds, the leader's times"""
    x: NDArray[np.float32]
    """(n, channels)"""
    seq: int
    """Number of the first sample; a jump equals the number of samples the leader lost."""
    t_device: NDArray[np.float64] | None = None
    """(n,) seconds on the device's clock, where it has one."""

    def part(self, rows: slice) -> Joined:
        """Return a range of the samples."""
        device = None if self.t_device is None else self.t_device[rows]
        return Joined(self.t[rows], self.x[rows], self.seq + (rows.start or 0), device)


def leader(groups: tuple[Group, ...]) -> Group:
    """Return the group at whose times the others are joined: the accelerometer's, else the first."""
    return next((group for group in groups if ACC[0] in group.channels), groups[0])


class Joiner:
    """Resampler of a connection's groups at the leader's times.

    Args:
        groups: the streamed groups; the group with the accelerometer leads, else the first.

    >>> from kinestream.ingest.profile import Group
    >>> joiner = Joiner((Group("acc", ("acc_x",), 50.0), Group("gyro", ("gyro_x",), 50.0)))
    >>> joiner.push("acc", np.array([0.01]), np.array([[9.8]], np.float32), seq=0)
    []
    >>> [joined] = joiner.push("gyro", np.array([0.0, 0.02]), np.array([[1.0], [2.0]], np.float32), seq=0)
    >>> joined.x.tolist() == [[np.float32(9.8), 1.5]]
    True
    """

    def __init__(self, groups: tuple[Group, ...]) -> None:
        self.leader = leader(groups)
        self._others = tuple(group for group in groups if group is not self.leader)
        self.channels = tuple(name for group in (self.leader, *self._others) for name in group.channels)
        self.counts: Counter[str] = Counter()
        """``unpaired`` samples of the leader that were dropped, and ``interpolated`` ones that bridge a hole."""
        self._dropped = 0
        self._waiting: list[Joined] = []
        self._leader_s = -np.inf
        self._tracks = {group.name: _Track(group) for group in self._others}

    def push(
        self,
        group: str,
        t: NDArray[np.float64],
        x: NDArray[np.float32],
        seq: int,
        t_device: NDArray[np.float64] | None = None,
    ) -> list[Joined]:
        """Return the joined samples that these (n,) times and (n, columns) values complete, in order."""
        if not len(t):
            return []
        if group != self.leader.name:
            self._tracks[group].push(t, x)
            return list(self._ready())
        self._leader_s = float(t[-1])
        if not self._others:
            return [Joined(t, x, seq, t_device)]
        self._waiting.append(Joined(t, x, seq, t_device))
        return list(self._ready())

    def newest_s(self) -> dict[str, float]:
        """Return the newest time of each group, ``-inf`` before its first sample; empty if there is nothing to pair."""
        if not self._others:
            return {}
        return {self.leader.name: self._leader_s, **{name: track.newest_s for name, track in self._tracks.items()}}

    def close(self) -> None:
        """Count the samples that still wait for other groups as ``unpaired``."""
        self.counts["unpaired"] += sum(len(waiting.t) for waiting in self._waiting)
        self._waiting.clear()

    def _ready(self) -> Iterator[Joined]:
        tracks = tuple(self._tracks.values())
        complete_s = min(track.newest_s for track in tracks)
        while self._waiting:
            oldest = self._waiting[0]
            given_up_s = self._waiting[-1].t[-1] - PATIENCE_S
            n = int(np.searchsorted(oldest.t, max(complete_s, given_up_s), side="right"))
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
                # The numbers close the gap: samples dropped here are counted above, and are not lost by the radio.
                yield part._replace(seq=part.seq - self._dropped)
            else:
                self._dropped += stop - start


class _Track:
    """The newest samples of an interpolated group."""

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
        """Return the interpolated values at these times, and the distance in s of the samples around each.

        The distance is 0 at a sample and infinite outside the samples.
        """
        if not len(self._t):
            return np.zeros((len(t), self._x.shape[1]), np.float32), np.full(len(t), np.inf)
        right = np.searchsorted(self._t, t).clip(0, len(self._t) - 1)
        left = np.maximum(right - 1, 0)
        t0, t1 = self._t[left], self._t[right]
        step_s = np.where((t > t0) & (t < t1), t1 - t0, np.where((t == t0) | (t == t1), 0.0, np.inf))
        share = ((t - t0) / np.maximum(t1 - t0, 1e-9)).clip(0, 1).astype(np.float32)[:, None]
        values = self._x[left] * (1 - share) + self._x[right] * share
        return values.astype(np.float32, copy=False), step_s

    def forget(self, before_s: float) -> None:
        """Drop the samples that no later sample of the leader needs."""
        keep = max(0, int(np.searchsorted(self._t, before_s)) - 1)
        self._t, self._x = self._t[keep:], self._x[keep:]
