"""A straight line under the arrivals, which maps a device's time to the host's.

A packet arrives late by some latency, never early. So the right line lies below every (device time, arrival) pair and
close to them: an edge of their lower convex hull (Moon, Skelly and Towsley, "Estimation and removal of clock skew from
network delay measurements", INFOCOM 1999). The latency of the fastest packets remains as a constant, which no one-way
measurement can see.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise

WINDOW_S = 60.0
BUCKET_S = 1.0
"""Span of device time of which the line keeps only the earliest arrival, relative to itself."""
LATENCY_S = 0.25
"""Maximum difference between the latencies of the earliest arrivals."""


class Envelope:
    """``host = a * u + b`` under the newest minute of arrivals, in bounded memory.

    A push takes constant time, except for one per second and those that lower the line: they visit at most
    ``window_s / bucket_s`` points.

    Args:
        slope_bound: maximum distance of ``a`` from 1, e.g. 200e-6 for a quartz clock, unless the arrivals clearly
            contradict it.
        window_s: device time that the line covers.
        bucket_s: see ``BUCKET_S``.
        latency_s: see ``LATENCY_S``.

    >>> line = Envelope(slope_bound=200e-6)
    >>> [round(line.push(u, u + 100 + late), 3) for u, late in ((0.0, 0.01), (0.1, 0.03), (0.2, 0.01))]
    [0.0, 0.02, 0.0]
    >>> round(line.host(1.0), 3)
    101.01
    """

    def __init__(
        self,
        slope_bound: float,
        window_s: float = WINDOW_S,
        bucket_s: float = BUCKET_S,
        latency_s: float = LATENCY_S,
    ) -> None:
        self._slope_bound, self._latency_s = slope_bound, latency_s
        self._window_s, self._bucket_s = window_s, bucket_s
        self.start()

    def start(self) -> None:
        """Forget all arrivals."""
        self._points: deque[tuple[float, float]] = deque()
        self._bucket_end = -float("inf")
        self._lowest = 0.0  # height of the newest point above the line
        self.slope = 1.0
        """Host seconds per second of device time."""
        self.span_s = 0.0
        """Device time that the line rests on."""
        self._u0 = self._h0 = 0.0

    def host(self, u: float) -> float:
        """The host's time at device time ``u``."""
        return self._h0 + (u - self._u0) * self.slope

    def device(self, host: float) -> float:
        """The device's time at the host's time."""
        return self._u0 + (host - self._h0) / self.slope

    def push(self, u: float, host: float) -> float:
        """Add an arrival, in order of ``u``, and return its distance above the previous line."""
        if not self._points:
            self._u0, self._h0 = u, host
        above = host - self.host(u)
        if u >= self._bucket_end:
            self._points.append((u, host))
            while self._points[0][0] < u - self._window_s:
                self._points.popleft()
            self._bucket_end = u + self._bucket_s
            self._lowest = above
            self._fit()
        elif above < self._lowest:
            self._points[-1] = (u, host)
            self._lowest = above
            if above < 0:
                self._fit()
        return above

    def _fit(self) -> None:
        """Fit the line to the edge of the lower hull at the middle of the window, with its slope within bounds."""
        hull: list[tuple[float, float]] = []
        for u, h in self._points:
            while len(hull) > 1:
                (u1, h1), (u2, h2) = hull[-2], hull[-1]
                if (h2 - h1) * (u - u1) < (h - h1) * (u2 - u1):
                    break
                hull.pop()
            hull.append((u, h))
        middle = (self._points[0][0] + self._points[-1][0]) / 2
        slope = self.slope  # stays after a long silence, which leaves one point
        for (u1, h1), (u2, h2) in pairwise(hull):
            if u2 >= middle:
                slope = (h2 - h1) / (u2 - u1)
                break
        self.span_s = self._points[-1][0] - self._points[0][0]
        beyond = abs(slope - 1) - self._slope_bound
        # Beyond what latencies explain, the bound itself must be wrong; but a backlog is not a clock.
        if beyond > 0 and not (beyond * self.span_s > self._latency_s and 0.6 < slope < 1.7):
            slope = 1 + math.copysign(self._slope_bound, slope - 1)
        self.slope = slope
        self._u0, self._h0 = min(hull, key=lambda point: point[1] - slope * point[0])
        self._lowest = self._points[-1][1] - self.host(self._points[-1][0])
