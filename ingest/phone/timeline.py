"""Mapping from a phone's clock to the host's: a lower envelope of the arrival times, shared by all its sensors."""

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
"""Maximum drift: the rate at which NTP slews a clock (RFC 5905); a phone's quartz is ten times better."""
AHEAD_S = 0.5
"""Minimum lead of a reading over the host's clock that shows that the phone's clock was set."""
BACK_S = 1.0
"""Minimum step back of the phone's time that shows that its clock was set; messages arrive in order."""
PAUSED_S = 1.0
"""Minimum delay of a prompt reading that shows that the phone's clock stood still."""
_KNOTS = 128
_LONG_AGO_S = 1e6


class Timeline:
    """Map from device times to strictly increasing host times, the same for all sensors and rates.

    The map is piecewise linear between the newest readings of the messages.

    Args:
        prompt: the phone sends its newest reading when polled, so readings never wait on the phone.

    >>> timeline = Timeline()
    >>> timeline.push(newest_s=5.0, received_s=100.0)
    False
    >>> timeline.host(np.array([4.5, 5.0])).tolist()
    [99.5, 100.0]
    """

    def __init__(self, prompt: bool = False) -> None:
        self._prompt = prompt
        self._line = Envelope(SLOPE_BOUND)
        self._steady = SteadyTime(self._line)
        self._knots: deque[tuple[float, float]] = deque(maxlen=_KNOTS)
        self._jumps = self._outliers = 0

    def push(self, newest_s: float, received_s: float) -> bool:
        """Add a message by its newest device time; return whether the map restarts with it."""
        if not self._knots:
            self._steady.start()
        elif newest_s <= self._knots[-1][0]:
            if newest_s > self._knots[-1][0] - BACK_S:
                self._outliers += 1
                return False
            return self._restart(newest_s, received_s)
        else:
            late_s = received_s - self._line.host(newest_s)
            if late_s < -AHEAD_S or (self._prompt and late_s > PAUSED_S):
                return self._restart(newest_s, received_s)
        return self._emit(newest_s, received_s)

    def _restart(self, newest_s: float, received_s: float) -> bool:
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
        """Recompute the map from all messages so far; allowed only before any chunk is emitted."""
        newest_s, _ = self._knots[-1]
        self._knots.clear()
        self._knots.append((newest_s, self._line.host(newest_s)))

    def host(self, device_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n,) seconds on the host's clock for (n,) device times up to the newest."""
        first_u, first_t = self._knots[0]
        knots = np.array([(first_u - _LONG_AGO_S, first_t - _LONG_AGO_S), *self._knots])
        return np.interp(device_s, knots[:, 0], knots[:, 1])

    def status(self, rate_hz: float) -> TimeStatus:
        """Return the state of the clock."""
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
