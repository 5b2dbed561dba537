"""From a phone's clock to the host's: one line under the arrivals for all sensors of the phone."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from ..timing.envelope import Envelope
from ..timing.steady_line import SteadyTime
from ..timing.timed import TimeStatus

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLOPE_BOUND = 500e-6
"""As fast as network time turns a clock (RFC 5905); the quartz of a phone is ten times better."""
AHEAD_S = 0.5
"""Readings from further in the future than this show that the phone's clock was set."""
BACK_S = 1.0
"""So do readings from further back than this: messages come in order."""
PAUSED_S = 1.0
"""Where the newest reading cannot wait, one that is later than this shows that the phone's clock stood still."""
_KNOTS = 128
_LONG_AGO_S = 1e6


class Timeline:
    """Strictly ascending host times for device times; the same for all sensors, whatever their rates.

    Device time runs in straight pieces between the newest readings of the messages.

    Args:
        prompt: the newest reading is sent when it is asked for, so it cannot wait on the phone.
    """

    def __init__(self, prompt: bool = False) -> None:
        self._prompt = prompt
        self._line = Envelope(SLOPE_BOUND)
        self._steady = SteadyTime(self._line)
        self._knots: deque[tuple[float, float]] = deque(maxlen=_KNOTS)
        self._jumps = self._outliers = 0

    def push(self, newest_s: float, received_s: float) -> bool:
        """A message arrived whose newest reading is of this device time; whether time began anew with it."""
        if not self._knots:
            self._steady.start()
        elif newest_s <= self._knots[-1][0]:
            if newest_s > self._knots[-1][0] - BACK_S:
                self._outliers += 1
                return False
            return self._anew(newest_s, received_s)
        else:
            late_s = received_s - self._line.host(newest_s)
            if late_s < -AHEAD_S or (self._prompt and late_s > PAUSED_S):
                return self._anew(newest_s, received_s)
        return self._emit(newest_s, received_s)

    def _anew(self, newest_s: float, received_s: float) -> bool:
        self._steady.start()
        self._emit(newest_s, received_s)
        self._jumps += 1
        return True

    def _emit(self, newest_s: float, received_s: float) -> bool:
        first = not self._steady.started
        self._steady.push(newest_s, received_s)
        newest_t, _, fresh = self._steady.emit(newest_s, 1.0, 1, received_s)
        if first or fresh:
            self._knots.clear()
            self._jumps += fresh
        self._knots.append((newest_s, newest_t))
        return fresh

    def rebase(self) -> None:
        """Nothing was handed out yet: let the times follow what is known now."""
        newest_s, _ = self._knots[-1]
        self._knots.clear()
        self._knots.append((newest_s, self._line.host(newest_s)))

    def host(self, device_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) seconds on the host's clock at (n,) device times up to the newest."""
        first_u, first_t = self._knots[0]
        knots = np.array([(first_u - _LONG_AGO_S, first_t - _LONG_AGO_S), *self._knots])
        return np.interp(device_s, knots[:, 0], knots[:, 1])

    def status(self, rate_hz: float) -> TimeStatus:
        """How the clock stands."""
        steady, slope = self._steady, self._line.slope
        return TimeStatus(
            "device clock",
            steady.state,
            rate_hz,
            (slope - 1) * 1e6,
            steady.jitter_s * 1e3,
            steady.age_s * 1e3,
            0,
            0,
            self._outliers,
            self._jumps,
        )
