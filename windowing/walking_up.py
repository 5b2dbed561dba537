"""Which way is up for a worn sensor: where acceleration points, on average, while the wearer moves.

A wearer who walks, climbs or runs is upright, and over some steps the mean acceleration is that of gravity. Its
direction in the sensor's axes therefore shows how the sensor is worn, without labels. A posture is then a tilt from it:
lying differs from standing for any way of wearing the sensor.

The estimate is causal and depends on the stream alone: it advances in blocks counted from the start of a stretch, so it
is equal to the last bit however the stream is divided into chunks and whatever the hop is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.signals import Vector

BLOCK_S = 2.0
"""Length of a block: two to four steps, over which the acceleration of walking averages out."""
MOVING_RMS = 1.5
"""m/s^2, least RMS of acceleration without its mean in a block of movement: at most 3 % of blocks of sitting, standing
and lying reach it, 89 to 100 % of walking, stairs and running do (HAPT, WISDM 2019, SisFall, UMAFall)."""
LEAST_MEAN = 4.0
"""m/s^2, least length of a block's mean acceleration that shows a direction; a falling sensor measures less."""
KNOWN_BLOCKS = 6
"""Blocks of movement from which on the direction is known."""
TURNED_DEG, TURNED_BLOCKS = 50.0, 3
"""The sensor was turned if the last blocks of movement all lie further than this from the direction before them, and
all agree. Walking, stairs and running of one wearer lie closer."""
FAR, NEAR = math.cos(math.radians(TURNED_DEG)), math.cos(math.radians(TURNED_DEG / 2))
LONGEST_PAUSE_S = 600.0
"""Time without samples after which the sensor may have been taken off and put on in another way."""
CLOCK_SLACK_S = 5.0
"""A new epoch can begin this much before the last one ended, because its clock is fitted afresh."""


class WalkingUp:
    """The estimate for one stream.

    Args:
        fs_hz: rate of the grid.
        steady: whether the sensor is known to stay as it is worn, as in one recording of a dataset; nothing but
            movement then changes the estimate.

    >>> walking = np.tile([[0.0, 6.0, 0.0], [0.0, 13.6, 0.0]], (700, 1))
    >>> estimate = WalkingUp(fs_hz=50.0)
    >>> estimate.begin(t0_s=0.0)
    >>> estimate.push(walking)
    >>> estimate.at(500), estimate.at(600)
    (None, (0.0, 1.0, 0.0))
    """

    def __init__(self, fs_hz: float, *, steady: bool = False) -> None:
        self._fs_hz = fs_hz
        self._steady = steady
        self.block = max(2, round(BLOCK_S * fs_hz))
        """Samples in a block."""
        self._part = np.empty((self.block, 3))  # the block that is being filled
        self._forget()
        self._end_s = math.nan  # time of the newest sample
        self._t0_s = 0.0
        self._size = 0  # samples of this stretch
        # Estimates by the sample they hold from, with the blocks of movement seen until then.
        self._pending: list[tuple[int, Vector | None, int]] = []
        self._up: Vector | None = None
        self.resets = 0
        """How often a known direction was given up: the sensor was turned, paused for long, or its clock set back."""
        self._moved = 0
        self.moved = 0
        """Blocks of movement before the sample that ``at`` was last asked for; never set back."""

    def _forget(self) -> None:
        self._total: Vector = (0.0, 0.0, 0.0)  # of unit vectors
        self._blocks = 0
        self._newest: list[Vector] = []

    def begin(self, t0_s: float) -> None:
        """Continue with a new stretch that starts at ``t0_s``; the estimate survives a short pause."""
        if not self._steady and not -CLOCK_SLACK_S <= t0_s - self._end_s <= LONGEST_PAUSE_S:
            self.resets += self._blocks >= KNOWN_BLOCKS
            self._forget()
        self._t0_s, self._size = t0_s, 0
        self._pending = []
        self._up, self.moved = self._direction(), self._moved

    def push(self, acc: NDArray[Any]) -> None:
        """Add the next samples of the stretch.

        Args:
            acc: (n, 3) m/s^2, gravity included.
        """
        done = 0
        while done < len(acc):
            filled = self._size % self.block
            taken = min(self.block - filled, len(acc) - done)
            self._part[filled : filled + taken] = acc[done : done + taken]
            done += taken
            self._size += taken
            if filled + taken == self.block and self._add_block():
                self._pending.append((self._size, self._direction(), self._moved))
        self._end_s = self._t0_s + self._size / self._fs_hz

    def at(self, end: int) -> Vector | None:
        """Return up as a unit vector in the sensor's axes, known from the first ``end`` samples of the stretch.

        None while too little movement was seen. ``end`` must not decrease within a stretch.
        """
        while self._pending and self._pending[0][0] <= end:
            _, self._up, self.moved = self._pending.pop(0)
        return self._up

    @property
    def newest(self) -> Vector | None:
        """Up as all samples so far show it; None while too little movement was seen."""
        return self._direction()

    def _add_block(self) -> bool:
        """Add the full block; return whether it was one of movement."""
        flat = self._part.ravel()
        x, y, z = (self._part.sum(axis=0) / self.block).tolist()
        square = x * x + y * y + z * z
        variance = float(flat @ flat) / self.block - square
        if variance < MOVING_RMS**2 or square < LEAST_MEAN**2:
            return False
        direction = _unit((x, y, z))
        self._newest = [*self._newest, direction][-TURNED_BLOCKS:]
        if self._was_turned():
            self.resets += self._blocks >= KNOWN_BLOCKS
            self._total, self._blocks = _sum(self._newest[:-1]), TURNED_BLOCKS - 1
        self._total = _sum([self._total, direction])
        self._blocks += 1
        self._moved += 1
        return True

    def _was_turned(self) -> bool:
        if self._steady or self._blocks < TURNED_BLOCKS or len(self._newest) < TURNED_BLOCKS:
            return False
        earlier = _sum(self._newest[:-1])
        before = _unit((self._total[0] - earlier[0], self._total[1] - earlier[1], self._total[2] - earlier[2]))
        together = _unit(_sum(self._newest))
        return all(_dot(block, before) < FAR and _dot(block, together) > NEAR for block in self._newest)

    def _direction(self) -> Vector | None:
        return _unit(self._total) if self._blocks >= KNOWN_BLOCKS else None

    def state(self) -> dict[str, Any]:
        """Return everything needed to continue elsewhere: plain values and arrays."""
        return {
            "part": self._part[: self._size % self.block].copy(),
            "total": self._total,
            "blocks": self._blocks,
            "newest": list(self._newest),
            "end_s": self._end_s,
            "t0_s": self._t0_s,
            "size": self._size,
            "pending": list(self._pending),
            "up": self._up,
            "resets": self.resets,
            "moved": (self._moved, self.moved),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where ``state`` was taken."""
        self._part[: len(state["part"])] = state["part"]
        self._total, self._blocks = tuple(state["total"]), state["blocks"]
        self._newest = [tuple(direction) for direction in state["newest"]]
        self._end_s, self._t0_s, self._size = state["end_s"], state["t0_s"], state["size"]
        self._pending = [(end, None if up is None else tuple(up), moved) for end, up, moved in state["pending"]]
        self._up = None if state["up"] is None else tuple(state["up"])
        self.resets = state["resets"]
        self._moved, self.moved = state["moved"]


# A block costs a few microseconds in plain numbers; as arrays of three it would cost ten times that.


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _sum(vectors: list[Vector]) -> Vector:
    x, y, z = map(sum, zip(*vectors, strict=True))
    return x, y, z


def _unit(vector: Vector) -> Vector:
    length = math.sqrt(_dot(vector, vector)) or 1.0
    return vector[0] / length, vector[1] / length, vector[2] / length
