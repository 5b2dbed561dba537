"""Measured rate of a phone's sensor."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from ..join import HOLE_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_STEPS = 5
"""Minimum number of steps for a measured rate."""
RECENT_S = 3.0
"""The rate is that of the last seconds."""
MAX_PARTS = 1000
"""Maximum number of messages that count as the last seconds, whatever their times say."""


class SensorRate:
    """Steps between readings over their total duration, of the last seconds, without holes.

    >>> rate = SensorRate()
    >>> rate.add(np.arange(20) * 10**7, before_ns=None, broken=False)
    >>> rate.hz
    100.0
    """

    def __init__(self) -> None:
        self._parts: deque[tuple[int, int]] = deque()
        self._steps = 0
        self._span_ns = 0
        self._all_steps = self._all_span_ns = 0

    def add(self, t_ns: NDArray[np.int64], before_ns: int | None, broken: bool) -> None:
        """Add ascending readings.

        Args:
            before_ns: the reading before them; None if they are the first.
            broken: readings may be missing in between.
        """
        if before_ns is not None and not broken:
            t_ns = np.concatenate([[before_ns], t_ns])
        steps_ns = np.diff(t_ns)
        steps_ns = steps_ns[steps_ns > 0]
        self._all_steps += len(steps_ns)
        self._all_span_ns += int(steps_ns.sum())
        steps_ns = steps_ns[steps_ns < HOLE_S * 1e9]
        if not len(steps_ns):
            return
        self._parts.append((len(steps_ns), int(steps_ns.sum())))
        self._steps += len(steps_ns)
        self._span_ns += int(steps_ns.sum())
        while len(self._parts) > MAX_PARTS or (
            len(self._parts) > 1 and self._span_ns - self._parts[0][1] >= RECENT_S * 1e9
        ):
            steps, span_ns = self._parts.popleft()
            self._steps -= steps
            self._span_ns -= span_ns

    @property
    def hz(self) -> float | None:
        """Readings a second; None before enough arrived close to each other."""
        return self._steps / self._span_ns * 1e9 if self._steps >= MIN_STEPS else None

    @property
    def slow_hz(self) -> float:
        """Readings a second, holes included; 0 before the second reading."""
        return self._all_steps / self._all_span_ns * 1e9 if self._all_steps else 0.0
