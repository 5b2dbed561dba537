"""A straight line under the arrivals: the way from a device's time to the host's.

A packet arrives late by some latency, never early. So the line sought is the one that lies below every
(device time, arrival) pair and close to them: an edge of their lower convex hull (Moon, Skelly and Towsley,
"Estimation and removal of clock skew from network delay measurements", INFOCOM 1999). What the fastest
packets needed stays in it as a constant; no one-way measurement can see that part.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise

WINDOW_S = 60.0
BUCKET_S = 1.0
"""Of the arrivals in one such span of device time only the earliest, relative to the line, is kept."""
LATENCY_S = 0.25
"""What the earliest arrivals' latencies may differ by."""


class Envelope:
    """``host = a * u + b`` under the newest minute of arrivals, in bounded memory.

    A push costs constant time, but for one in a second, and those that lower the line: they go through the
    at most ``window_s`` points.

    Args:
        slope_bound: how far ``a`` may lie from 1, e.g. 200e-6 for a quartz clock, unless the arrivals plainly say else.
    """

    def __init__(self, slope_bound: float, window_s: float = WINDOW_S, bucket_s: float = BUCKET_S) -> None:
        self._slope_bound = slope_bound
        self._window_s, self._bucket_s = window_s, bucket_s
        self.start()

    def start(self) -> None:
        """Forget everything."""
        self._points: deque[tuple[float, float]] = deque()
        self._bucket_end = -float("inf")
        self._lowest = 0.0  # of the newest point above the line
        self.slope = 1.0
        """Host seconds in one second of device time."""
        self.span_s = 0.0
        """How much device time the line rests on."""
        self._u0 = self._h0 = 0.0

    def host(self, u: float) -> float:
        """The host's time at device time ``u``."""
        return self._h0 + (u - self._u0) * self.slope

    def device(self, host: float) -> float:
        """The device's time at the host's time."""
        return self._u0 + (host - self._h0) / self.slope

    def push(self, u: float, host: float) -> float:
        """Take an arrival, in order of ``u``; by how much it lies above the line as it was before."""
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
        """The edge of the lower hull over the middle of the window, its slope within bounds."""
        hull: list[tuple[float, float]] = []
        for u, h in self._points:
            while len(hull) > 1:
                (u1, h1), (u2, h2) = hull[-2], hull[-1]
                if (h2 - h1) * (u - u1) < (h - h1) * (u2 - u1):
                    break
                hull.pop()
            hull.append((u, h))
        middle = (self._points[0][0] + self._points[-1][0]) / 2
        slope = self.slope  # after a long silence there is one point, and no newer slope
        for (u1, h1), (u2, h2) in pairwise(hull):
            if u2 >= middle:
                slope = (h2 - h1) / (u2 - u1)
                break
        self.span_s = self._points[-1][0] - self._points[0][0]
        beyond = abs(slope - 1) - self._slope_bound
        # More than latencies can make of it, and the bound itself is wrong; but a backlog is no clock.
        if beyond > 0 and not (beyond * self.span_s > LATENCY_S and 0.6 < slope < 1.7):
            slope = 1 + math.copysign(self._slope_bound, slope - 1)
        self.slope = slope
        self._u0, self._h0 = min(hull, key=lambda point: point[1] - slope * point[0])
        self._lowest = self._points[-1][1] - self.host(self._points[-1][0])
