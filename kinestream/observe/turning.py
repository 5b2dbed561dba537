"""The scale of a gyroscope, judged while its wearer moves: it must turn gravity as the accelerometer saw it turn."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .rotation import GYRO_UNITS, SHARES, disagreements_deg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SLICE_S = 0.4
"""Length of a moment in which a sensor may rest."""
QUIET = 0.03
"""Largest spread of the acceleration at rest, as a share of gravity."""
LONGEST_S = 4.0
"""Longest movement between two rests: a gyroscope's bias must not matter."""
LEAST_DEG = 30.0
"""Smallest turn of gravity that counts."""
UNTURNED_DEG = 1.0
"""From one rest to the next, a sensor that was not turned stays within this angle."""
EVENTS, REMEMBERED = 3, 12
"""Movements needed to judge, and movements that count."""
WRONG, RIGHT = 0.35, 0.15
"""Remaining error, as a share of the turn: the rates as they are leave more than the first; scaled, less than the
second."""
SCALE_OK = (0.75, 1.33)
"""Scales within these limits may be the movement's imprecision."""

CANDIDATES = np.concatenate([SHARES, 1 / np.array(list(GYRO_UNITS.values()))])
CANDIDATES = np.concatenate([CANDIDATES, -CANDIDATES])
"""Scales that are tried: shares of the true turning, and other units; negative with all signs reversed."""
_AS_IT_IS = int(np.argmin(np.abs(CANDIDATES - 1.0)))


class Turning(NamedTuple):
    """What the movements so far say about the gyroscope."""

    movements: int = 0
    """Movements between two rests that turned gravity far enough to judge, the oldest forgotten."""
    share: float | None = None
    """The gyroscope surely reports this share of the true turning; None: it agrees, or too little is known."""


NO_TURNING = Turning()


class TurnWatch:
    """Compares the turning that a gyroscope reports with the turning of gravity from one rest to the next.

    Args:
        fs_hz: about the rate of the samples.

    >>> watch = TurnWatch(50.0)
    >>> watch.push(np.zeros((100, 3)) + [0, 0, 9.8], np.zeros((100, 3)), 2.0)
    >>> watch.turning()
    Turning(movements=0, share=None)
    """

    def __init__(self, fs_hz: float) -> None:
        self._n = max(4, round(SLICE_S * fs_hz))
        self._rest: Floats | None = None  # gravity when the sensor last rested
        self._since: list[Floats] = []  # (n, 3) angular rates since the middle of that rest
        self._since_s: list[float] = []  # the time that each of them took
        self._bias = np.zeros(3)
        self._errors: deque[Floats] = deque(maxlen=REMEMBERED)

    def break_off(self) -> None:
        """Forget the movement in progress: samples are missing."""
        self._rest = None
        self._since, self._since_s = [], []

    def push(self, acc: Floats, gyro: Floats, span_s: float) -> None:
        """Take the next block of at least one sample.

        Args:
            acc, gyro: (n, 3) in any unit, evenly spaced.
            span_s: the time that the block takes.
        """
        n, step_s = self._n, span_s / len(acc)
        if self._rest is not None and self._rests_on(acc, gyro):
            return
        count = len(acc) // n
        used = acc[: count * n].reshape(count, n, 3)
        means = used.mean(axis=1)
        spread = np.sqrt(used.var(axis=1).sum(axis=1))
        quiet = spread < QUIET * np.linalg.norm(means, axis=1)
        at = 0
        for i in np.flatnonzero(quiet):
            middle = int(i) * n + n // 2
            self._add(gyro[at:middle], step_s)
            at = middle
            self._rested(means[i], gyro[i * n : (i + 1) * n].mean(axis=0))
        self._add(gyro[at:], step_s)

    def _rests_on(self, acc: Floats, gyro: Floats) -> bool:
        """Whether the sensor rests throughout the block as it did before, which needs no closer look."""
        assert self._rest is not None
        gravity = acc.mean(axis=0)
        off = acc - gravity
        if float(np.vdot(off, off)) / len(acc) > (QUIET * float(np.linalg.norm(gravity))) ** 2:
            return False
        if _apart_deg(self._rest, gravity) >= UNTURNED_DEG:
            return False
        self._rested(gravity, gyro.mean(axis=0))
        return True

    def _add(self, gyro: Floats, step_s: float) -> None:
        if self._rest is None or not len(gyro):
            return
        self._since.append(gyro)
        self._since_s.append(len(gyro) * step_s)
        if sum(self._since_s) > LONGEST_S:
            self.break_off()

    def _rested(self, gravity: Floats, rates: Floats) -> None:
        before, gyro, took_s = self._rest, self._since, sum(self._since_s)
        self._rest, self._since, self._since_s = gravity, [], []
        if before is None:
            return
        turned_deg = _apart_deg(before, gravity)
        if turned_deg < UNTURNED_DEG:
            self._bias += 0.1 * (rates - self._bias)
        elif turned_deg >= LEAST_DEG and gyro:
            rows = np.concatenate(gyro) - self._bias
            t = np.linspace(0.0, took_s, len(rows))
            errors = disagreements_deg(before, gravity, rows, t, 1 / CANDIDATES)
            self._errors.append(np.minimum(errors / turned_deg, 1.0))

    def turning(self) -> Turning:
        """Return what the movements so far say."""
        movements = len(self._errors)
        if movements < EVENTS:
            return Turning(movements)
        errors = np.median(np.array(self._errors), axis=0)
        best = int(np.argmin(errors))
        share = float(CANDIDATES[best])
        sure = errors[_AS_IT_IS] > WRONG and errors[best] < RIGHT
        is_off = not SCALE_OK[0] <= share <= SCALE_OK[1]
        return Turning(movements, share if sure and is_off else None)


def _apart_deg(a: Floats, b: Floats) -> float:
    """The angle between two vectors, cheaper than ``angle_deg`` and exact enough above a tenth of a degree."""
    ax, ay, az = a.tolist()
    bx, by, bz = b.tolist()
    length = math.sqrt((ax * ax + ay * ay + az * az) * (bx * bx + by * by + bz * bz))
    cosine = (ax * bx + ay * by + az * bz) / length if length else 0.0
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
