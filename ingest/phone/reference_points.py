"""Sensors of one phone whose times count from different points: found, and shifted to match.

Android sensors should count from the same point, but on some phones one of them counts from another: hours away, or
some tenths of a second (phyphox-android issue 37). Readings of both arrive in the same messages, so readings that
arrive together were taken together: if the times of one sensor are ahead of the other's by the same amount at the
start and at the end of each message, its clock is another. A sensor whose readings are delivered late in batches, in
contrast, lags by an amount that changes within a message, and is left as it is.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from .readings import Batch, Readings
from .sensor_logger import GRAVITY, LINEAR, RAW, TOTAL, WRIST_LINEAR

LEAST_S = 0.15
"""Smallest difference that is taken for another clock, besides two steps of the slower sensor. Sensors are delivered
within about 0.1 s of each other; a smaller difference does not change a window of seconds."""
STEADY_SHARE = 0.5
"""Maximum spread of the differences, as a share of their median, of another clock."""
MIN_DIFFERENCES = 3
"""Minimum number of differences for a decision: two messages have three."""
MAX_DIFFERENCES = 20
_LEADERS = (TOTAL, LINEAR, RAW, WRIST_LINEAR, GRAVITY)
"""The sensor whose clock counts: the first of these that the phone sends."""


class ReferencePoints:
    """Shifts the times of each sensor of a phone to the clock of its accelerometer.

    >>> points = ReferencePoints()
    >>> x = np.zeros((20, 3), np.float32)
    >>> for start in range(0, 10**9, 2 * 10**8):
    ...     t_ns = start + np.arange(20) * 10**7
    ...     batch, _ = points.align({TOTAL: Readings(t_ns, x), "gyroscope": Readings(t_ns + 5 * 10**9, x)})
    >>> points.offset_s, int(batch["gyroscope"].t_ns[0])
    ({'gyroscope': 5.0}, 800000000)
    """

    def __init__(self) -> None:
        self._leader = ""
        self._offset_ns: dict[str, int] = {}
        self._newest_ns: dict[str, int] = {}
        self._differences_ns: dict[str, deque[int]] = {}
        self._tolerance_ns: dict[str, int] = {}

    @property
    def leader(self) -> str:
        """The sensor whose clock counts; empty before it is known."""
        return self._leader

    @property
    def offset_s(self) -> dict[str, float]:
        """How far the clock of each shifted sensor is ahead of the leader's."""
        return {sensor: offset_ns / 1e9 for sensor, offset_ns in self._offset_ns.items()}

    @property
    def undecided(self) -> bool:
        """Whether a sensor differs from the leader, with too few messages to say why."""
        return any(
            len(differences) < MIN_DIFFERENCES
            and any(abs(difference) > self._tolerance_ns[sensor] for difference in differences)
            for sensor, differences in self._differences_ns.items()
        )

    def align(self, batch: Batch) -> tuple[dict[str, Readings], dict[str, int]]:
        """Return the readings on the leader's clock, and by how much, in ns, a sensor's shift changed with them.

        Args:
            batch: the readings of a message, in any order.
        """
        if not self._leader:
            self._leader = next((sensor for sensor in _LEADERS if sensor in batch), "")
        moved: dict[str, int] = {}
        if self._leader in batch:
            leader = self._span(self._leader, batch[self._leader])
            for sensor, readings in batch.items():
                if sensor != self._leader:
                    change_ns = self._compare(sensor, self._span(sensor, readings), leader)
                    if change_ns:
                        moved[sensor] = change_ns
                        self._offset_ns[sensor] = self._offset_ns.get(sensor, 0) + change_ns
        for sensor, readings in batch.items():
            self._newest_ns[sensor] = int(readings.t_ns.max())
        return {sensor: self._shifted(sensor, readings) for sensor, readings in batch.items()}, moved

    def _shifted(self, sensor: str, readings: Readings) -> Readings:
        offset_ns = self._offset_ns.get(sensor)
        return Readings(readings.t_ns - offset_ns, readings.x) if offset_ns else readings

    def _span(self, sensor: str, readings: Readings) -> tuple[int | None, int, int]:
        """The oldest reading after an earlier message, else None; the newest; and the step between readings."""
        oldest_ns, newest_ns = int(readings.t_ns.min()), int(readings.t_ns.max())
        before_ns = self._newest_ns.get(sensor)
        if before_ns is None:
            return None, newest_ns, (newest_ns - oldest_ns) // max(1, len(readings.t_ns) - 1)
        return oldest_ns, newest_ns, max(0, newest_ns - before_ns) // len(readings.t_ns)

    def _compare(self, sensor: str, span: tuple[int | None, int, int], leader: tuple[int | None, int, int]) -> int:
        """Record how far a sensor is ahead; return the change of its shift, 0 if it stands."""
        offset_ns = self._offset_ns.get(sensor, 0)
        differences = self._differences_ns.setdefault(sensor, deque(maxlen=MAX_DIFFERENCES))
        if span[0] is not None and leader[0] is not None:
            differences.append(span[0] - leader[0] - offset_ns)
        differences.append(span[1] - leader[1] - offset_ns)
        tolerance_ns = self._tolerance_ns[sensor] = int(LEAST_S * 1e9) + 2 * max(span[2], leader[2])
        change_ns = int(np.median(differences))
        spread_ns = max(differences) - min(differences)
        if (
            len(differences) < MIN_DIFFERENCES
            or abs(change_ns) <= tolerance_ns
            or spread_ns > STEADY_SHARE * abs(change_ns)
        ):
            return 0
        differences.clear()
        return change_ns
