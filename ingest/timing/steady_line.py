"""The line under the arrivals, and the times that are handed out along it."""

from __future__ import annotations

import math
from typing import Literal, Protocol

EASE_S = 2.0
"""How quickly what is handed out follows what is known now: a low-pass against a saw-tooth."""
MAX_CORRECTION = 0.01
"""Seconds a second by which times are stretched or squeezed to follow; windowing sees nearly even steps."""
MAX_CORRECTION_SETTLING = 0.05
"""The same in the first seconds, when the first packet's latency is still being unlearnt."""
RESTART_S = 0.5
"""Further off than this, following would take minutes: time begins anew."""
SETTLED_S = 5.0
"""The line is trusted when it rests on so much device time."""
JITTER_SHARE = 1 / 64
"""Weight of one packet in the average latency."""


class Line(Protocol):
    """``host = slope * u + b``, learnt from arrivals."""

    slope: float
    """Host seconds in one second of device time."""
    span_s: float
    """How much device time has been seen."""

    def start(self) -> None:
        """Forget everything."""

    def host(self, u: float) -> float:
        """The host's time at device time ``u``."""
        ...

    def push(self, u: float, host: float) -> float:
        """Take an arrival; by how much it lies above the line as it was before."""
        ...


class SteadyTime:
    """Hands out times along a line that is still being learnt: never back, and never in a hurry.

    Device time ``u`` is in seconds, more or less: a device's clock, or a sample's number times the nominal period.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.jitter_s = 0.0
        self.age_s = 0.0
        self.start()

    def start(self) -> None:
        """Forget the line; what comes follows nothing that was handed out."""
        self.line.start()
        self.started = False
        self._u = self._t = 0.0  # of the newest sample handed out
        self._first = True

    @property
    def settling(self) -> bool:
        return self.line.span_s < SETTLED_S

    @property
    def state(self) -> Literal["waiting", "settling", "fitted"]:
        return "waiting" if not self.started else "settling" if self.settling else "fitted"

    def push(self, u: float, received_s: float) -> float:
        """A packet whose last sample was taken at ``u`` arrived; by how much above the line."""
        self.started = True
        above = self.line.push(u, received_s)
        self.jitter_s += (max(above, 0.0) - self.jitter_s) * JITTER_SHARE
        return above

    def emit(self, u_first: float, step: float, n: int, received_s: float) -> tuple[float, float, bool]:
        """When ``n`` samples were taken, on the host's clock: the first one's time, how far apart they are, and whether
        they begin anew.

        The times are strictly ascending, also over calls, but where they begin anew.

        Args:
            u_first: device time of the first, later than all before; the others follow ``step`` apart.
        """
        fresh = False
        u_last = u_first + (n - 1) * step
        slope = self.line.slope
        if self._first:
            self._first = False
            first_t = self.line.host(u_first)
        elif abs(off := self.line.host(u_last) - self._t - (elapsed := u_last - self._u) * slope) > RESTART_S:
            fresh = True
            first_t = self.line.host(u_first)
        else:
            most = MAX_CORRECTION_SETTLING if self.settling else MAX_CORRECTION
            slope += min(max(-math.expm1(-elapsed / EASE_S) * off / elapsed, -most), most)
            first_t = self._t + (u_first - self._u) * slope
        self._u = u_last
        self._t = first_t + (n - 1) * step * slope
        self.age_s = max(received_s - self._t, 0.0)
        return first_t, step * slope, fresh
