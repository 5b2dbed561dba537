"""What a phone's sensor measured: the value both apps are read into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Readings(NamedTuple):
    """Consecutive readings of one sensor."""

    t_ns: NDArray[np.int64]
    """(n,) nanoseconds on the phone's clock."""
    x: NDArray[np.float32]
    """(n, 3) as the phone tells them."""


Batch = Mapping[str, Readings]
"""The readings of several sensors, by the sensor's name."""

MOST = 1e6
"""No sensor of a phone measures more, in any unit in use."""
