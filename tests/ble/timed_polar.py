"""A Polar whose packets bring their arrival times, for simulations faster than real time."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from tests.ble.peripheral import BATTERY_SERVICE
from tests.ble.sensors import Polar


class TimedPolar(Polar):
    """Stamps each arrival on the simulation's clock, so the load of the machine does not matter."""

    pause_s = 0.05  # keeps the answer to the start command apart from the first packet

    def __init__(self, address: str, **options: Any) -> None:
        super().__init__(address, **options)
        del self.services[BATTERY_SERVICE]  # the answer to a read would need a time too
        self.arrivals: deque[int] = deque()
        self._before_s = 1000.0
        self._newest_ns = 0

    @property
    def arrived(self) -> int:
        """Samples of the present link that were not lost on the air."""
        return self._taken - self._lost

    def connected(self) -> None:
        self.arrivals.clear()
        self._before_s = self._newest_ns / 1e9 + 1000.0

    def packets(self, samples: np.ndarray, on_for_s: float) -> list[tuple[str, bytes]]:
        late_s = self._air.exponential(0.03)  # connection intervals and retries
        arrival_ns = int((self._before_s + on_for_s + late_s) * 1e9)
        self._newest_ns = max(self._newest_ns, arrival_ns)
        self.arrivals.append(self._newest_ns)
        return super().packets(samples, on_for_s)

    def now_ns(self) -> int:
        """Arrival time of the packet being received."""
        return self.arrivals.popleft() if self.arrivals else self._newest_ns
