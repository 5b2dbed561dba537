"""A line of given slope under the newest arrivals."""

from __future__ import annotations

import math
from collections import deque

BUCKET_S = 0.5
"""Span in which only the earliest arrival counts."""

RISE_S = 0.5
"""A line that would rise by more stays: arrivals this late are a backlog, or samples are missing."""


class LowerLine:
    """A line of given slope under the arrivals of the newest seconds.

    >>> line = LowerLine()
    >>> [round(line.push(u, 100 + u + late), 3) for u, late in ((0.0, 0.01), (0.1, 0.03), (0.2, 0.0))]
    [0.0, 0.02, -0.01]
    """

    BUCKETS = 8
    """Number of newest non-empty buckets of ``BUCKET_S``: after a silence, those before it still count."""

    def __init__(self) -> None:
        self.slope = 1.0
        """Host seconds per second of device time."""
        self.start()

    def start(self) -> None:
        """Forget the arrivals, not the slope."""
        self._points: deque[tuple[float, float]] = deque(maxlen=self.BUCKETS)
        self._end_s = -math.inf
        self._u0 = self._h0 = 0.0
        self._first_s: float | None = None
        self.span_s = 0.0
        """The time seen so far."""

    def host(self, u: float) -> float:
        """The host's time at device time ``u``."""
        return self._h0 + (u - self._u0) * self.slope

    def push(self, u: float, host: float) -> float:
        """Add an arrival and return its distance above the previous line."""
        if self._first_s is None:
            self._first_s, self._u0, self._h0 = host, u, host
        self.span_s = host - self._first_s
        above = host - self.host(u)
        if host >= self._end_s:
            self._points.append((u, host))
            self._end_s = host + BUCKET_S
            u0, h0 = min(self._points, key=lambda point: point[1] - self.slope * point[0])
            if h0 - self.host(u0) < RISE_S:
                self._u0, self._h0 = u0, h0
        elif host - self._points[-1][1] < self.slope * (u - self._points[-1][0]):
            self._points[-1] = (u, host)
            if above < 0:
                self._u0, self._h0 = u, host
        return above

    def turn(self, slope: float, u: float) -> None:
        """Forget the arrivals and go on from ``u`` with another slope: the device runs at another rate."""
        self.restart_at(u, self.host(u))
        self.slope = slope

    def anchor(self) -> tuple[float, float]:
        """A device time and the host's time on the line."""
        return self._u0, self._h0

    def restart_at(self, u: float, host: float) -> None:
        """Forget the arrivals; the line goes through this point."""
        self._points.clear()
        self._points.append((u, host))
        self._u0, self._h0 = u, host
