"""The sampling rate of a device and a line under its newest arrivals, from arrival times only."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

BOUND = 0.02
"""Maximum distance of the true rate from the nominal one."""
BUCKET_S = 0.5
"""Span in which only the earliest arrival counts: the one that waited least for its connection event."""
WINDOW_S = 30.0
FIRST_S = 6.0
"""Device time that must be seen before the first search for the rate."""
EVERY_S, LATER_EVERY_S = 2.0, 10.0
"""Time between searches: one costs as much as a thousand arrivals, and a crystal drifts over minutes."""
STEADY = 0.06
"""Maximum distance of the slope between buckets from the slope over all: a single step changes only the latter."""
STEP_COST = 3.0
"""Cost of one bucket in ten that a rate explains only by a loss, in tenths of perfect phase agreement."""
BACK_COST = 3.0
"""Cost of a step back, in losses: it would mean more samples than the rate allows."""


class ArrivalRate:
    """Distinguishes a slow sensor from a sensor that loses packets.

    A sensor that is 1 % slow and one that loses a packet in a hundred deliver alike in the long run. But a slow sensor
    falls behind steadily, a loss in one step of exactly a packet's duration. So the right rate is the one at which the
    arrivals, folded to a packet's duration, lie closest together: a phase is blind to whole periods, hence to losses.
    If the connection interval is a multiple of the packet's duration, every arrival has the phase of the interval; then
    the rate that needs the fewest steps is better.

    Args:
        packet_s: nominal duration of a packet.
    """

    def __init__(self, packet_s: float) -> None:
        self._packet_s = packet_s
        self._buckets: deque[tuple[float, float]] = deque()  # (device time, lateness) of the earliest arrivals
        self._end = -math.inf
        self._due = -math.inf
        self._off, self._off_at = 0.0, -math.inf
        self.slow = 0.0
        """Share by which the period exceeds the nominal one."""

    def push(self, u: float, host: float) -> bool:
        """Add an arrival and return whether ``slow`` was re-estimated.

        Args:
            u: end of the packet by its position and the nominal rate, not counting losses.
            host: its arrival time.
        """
        late = host - u
        if u < self._end:
            before_u, before = self._buckets[-1]
            if late - before < self.slow * (u - before_u):
                self._buckets[-1] = (u, late)
            return False
        if not self._buckets:
            self._due = u + FIRST_S
        renewed = u >= self._due
        if renewed:
            self._estimate()
            self._due = u + (EVERY_S if self.span_s < 0.9 * WINDOW_S else LATER_EVERY_S)
        self._buckets.append((u, late))
        while self._buckets[0][0] < u - WINDOW_S:
            self._buckets.popleft()
        self._end = u + BUCKET_S
        return renewed

    @property
    def span_s(self) -> float:
        """Nominal time that the arrivals span."""
        return self._buckets[-1][0] - self._buckets[0][0] if self._buckets else 0.0

    def off(self) -> float:
        """Share by which arrivals are steadily slower than nominal; 0 if a silence or a stall explains the difference.

        Computed once per bucket, because every packet asks for it.
        """
        if self._off_at != self._end:
            self._off_at, self._off = self._end, self._measure_off()
        return self._off

    def _measure_off(self) -> float:
        u, late = np.array(self._buckets).T
        steady = float(np.median(np.diff(late) / np.diff(u)))
        level = late - (late[-1] - late[0]) / (u[-1] - u[0]) * u
        first, last = int(level[:2].argmin()), len(u) - 2 + int(level[-2:].argmin())  # either end may lie in a stall
        whole = float((late[last] - late[first]) / (u[last] - u[first]))
        return whole if abs(whole - steady) < STEADY else 0.0

    def lost_packets(self) -> int:
        """Number of packet durations by which the newest arrivals lie behind the oldest, at the estimated rate."""
        level = [late - self.slow * u for u, late in self._buckets]
        return max(0, round((min(level[-2:]) - min(level[:2])) / self._packet_s / (1 + self.slow)))

    def _estimate(self) -> None:
        buckets = np.array(self._buckets)
        u, late = buckets[:, 0] - buckets[0, 0], buckets[:, 1] - buckets[0, 1]
        points = min(max(int(16 * BOUND * u[-1] / self._packet_s), 100), 600)
        slow = np.linspace(-BOUND, BOUND, 2 * (points // 2) + 1)
        level = late - slow[:, None] * u  # (rates, buckets)
        turns = level / (self._packet_s * (1 + slow[:, None]))
        agreement = np.hypot(np.cos(2 * np.pi * turns).mean(axis=1), np.sin(2 * np.pi * turns).mean(axis=1))
        score = agreement - STEP_COST * _steps(turns) / len(u)
        best = int(score.argmax())
        self.slow = float(slow[best])
        if 0 < best < len(slow) - 1:  # the top of the parabola through the best and its neighbours
            left, top, right = agreement[best - 1 : best + 2]
            if left < top > right:
                self.slow += float((left - right) / (left - 2 * top + right)) / 2 * float(slow[1] - slow[0])


def _steps(turns: np.ndarray) -> np.ndarray:
    """How often each row leaves a band one turn high: 1 for a step up, ``BACK_COST`` for a step down."""
    lowest, highest = turns[:, 0].copy(), turns[:, 0].copy()
    cost = np.zeros(len(turns))
    for now in turns.T:
        up, down = now - lowest > 0.95, highest - now > 0.95
        cost += up + BACK_COST * down
        left = up | down
        lowest = np.where(left, now, np.minimum(lowest, now))
        highest = np.where(left, now, np.maximum(highest, now))
    return cost


class LowerLine:
    """A line of given slope under the arrivals of the newest seconds."""

    BUCKETS = 8
    """Number of newest non-empty buckets of ``BUCKET_S``: after a silence, those before it still count."""

    def __init__(self) -> None:
        self.slope = 1.0
        self.start()

    def start(self) -> None:
        """Forget the arrivals, not the slope."""
        self._points: deque[tuple[float, float]] = deque(maxlen=self.BUCKETS)
        self._end = -math.inf
        self._u0 = self._h0 = 0.0
        self._first_u: float | None = None
        self.span_s = 0.0
        """The device time seen so far."""

    def host(self, u: float) -> float:
        """The host's time at device time ``u``."""
        return self._h0 + (u - self._u0) * self.slope

    def push(self, u: float, host: float) -> float:
        """Add an arrival and return its distance above the previous line."""
        if self._first_u is None:
            self._first_u, self._u0, self._h0 = u, u, host
        self.span_s = u - self._first_u
        above = host - self.host(u)
        if u >= self._end:
            self._points.append((u, host))
            self._end = u + BUCKET_S
            self._u0, self._h0 = min(self._points, key=lambda point: point[1] - self.slope * point[0])
        elif host - self._points[-1][1] < self.slope * (u - self._points[-1][0]):
            self._points[-1] = (u, host)
            if above < 0:
                self._u0, self._h0 = u, host
        return above

    def shift(self, by: float) -> None:
        """Move the newest arrival to a device time later by ``by`` and forget the arrivals before it."""
        u, host = self._points[-1]
        self._points.clear()
        self._points.append((u + by, host))
        self._end += by
        self._u0, self._h0 = u + by, host
