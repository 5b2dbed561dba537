"""Sample times along a line that is still being fitted to the arrivals."""

from __future__ import annotations

import math
from typing import Literal, Protocol

EASE_S = 2.0
"""Time constant with which sample times follow the line: a low-pass against a saw-tooth."""
MAX_CORRECTION = 0.01
"""Maximum correction, in seconds per second of stretch or squeeze; windowing sees nearly even steps."""
MAX_CORRECTION_SETTLING = 0.05
"""The same in the first seconds, while the first packet's latency is being corrected."""
NEAR_S, EASE_FAR_S = 0.05, 0.2
"""Times further off than ``NEAR_S`` are corrected by the rest in about ``EASE_FAR_S``, where the line allows it."""
RESTART_S = 0.5
"""Maximum error to follow; correcting a larger one would take minutes, so time restarts."""
SETTLED_S = 5.0
"""Device time that the line must span to be reliable."""
JITTER_SHARE = 1 / 64
"""Weight of one packet in the average jitter."""


class Line(Protocol):
    """``host = slope * u + b``, fitted to arrivals."""

    slope: float
    """Host seconds per second of device time."""
    span_s: float
    """The device time seen so far."""

    def start(self) -> None:
        """Forget all arrivals."""

    def host(self, u: float) -> float:
        """The host's time at device time ``u``."""
        ...

    def push(self, u: float, host: float) -> float:
        """Add an arrival and return its distance above the previous line."""
        ...


class SteadyTime:
    """Assigns times along a line that is still being fitted: never backwards, and never with a jump.

    Device time ``u`` is in nominal seconds: a device's clock, or a sample's number times the nominal period.

    Args:
        line: maps device time to the host's.
        catch_up: maximum correction of times more than ``NEAR_S`` off, in seconds per second; 0: the usual one.
    """

    def __init__(self, line: Line, catch_up: float = 0.0) -> None:
        self.line = line
        self._catch_up = catch_up
        self.restart_s = RESTART_S
        """Maximum error to follow."""
        self.jitter_s = 0.0
        self.age_s = 0.0
        self.start()

    def start(self) -> None:
        """Forget the line; the next times are independent of earlier ones."""
        self.line.start()
        self.started = False
        self._u = self._t = 0.0  # of the newest sample timed
        self._first = True

    @property
    def settling(self) -> bool:
        """Whether the line spans too little device time to be reliable."""
        return self.line.span_s < SETTLED_S

    @property
    def state(self) -> Literal["waiting", "settling", "fitted"]:
        """The state of ``TimeStatus``."""
        return "waiting" if not self.started else "settling" if self.settling else "fitted"

    def push(self, u: float, received_s: float) -> float:
        """Add the arrival of a packet whose last sample was taken at ``u``; return its distance above the line."""
        self.started = True
        above = self.line.push(u, received_s)
        self.jitter_s += (max(above, 0.0) - self.jitter_s) * JITTER_SHARE
        return above

    def off(self, u_last: float) -> float:
        """How far the time of the sample at ``u_last`` would lie before the line, without a correction."""
        return self.line.host(u_last) - self._t - (u_last - self._u) * self.line.slope

    def emit(
        self, u_first: float, step: float, n: int, received_s: float, restart: bool = False
    ) -> tuple[float, float, bool]:
        """The times of ``n`` samples on the host's clock.

        Times ascend strictly, also across calls, except after a restart.

        Args:
            u_first: device time of the first sample, later than all before.
            step: device time between two samples.
            n: number of samples.
            received_s: arrival time of their packet.
            restart: times may step back to the line.
        Returns:
            The time of the first sample, the time between two samples, and whether time restarted.
        """
        restarted = False
        u_last = u_first + (n - 1) * step
        slope = self.line.slope
        if self._first:
            self._first = False
            first_t = self.line.host(u_first)
        elif restart or abs(off := self.off(u_last)) > self.restart_s:
            restarted = True
            first_t = self.line.host(u_first)
        else:
            elapsed_s = (u_last - self._u) * slope
            limit = MAX_CORRECTION_SETTLING if self.settling else MAX_CORRECTION
            correction = min(max(-math.expm1(-elapsed_s / EASE_S) * off / elapsed_s, -limit), limit)
            if self._catch_up and abs(off) > NEAR_S:
                far = min((abs(off) - NEAR_S) / max(EASE_FAR_S, elapsed_s), self._catch_up)
                correction = math.copysign(max(abs(correction), far), off)
            slope *= 1 + correction
            first_t = self._t + (u_first - self._u) * slope
        self._u = u_last
        self._t = first_t + (n - 1) * step * slope
        self.age_s = max(received_s - self._t, 0.0)
        return first_t, step * slope, restarted
