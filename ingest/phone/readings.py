"""Readings of a phone's sensor, the common form of both apps' data."""

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
    """(n, 3) in the phone's units and signs."""


Batch = Mapping[str, Readings]
"""Readings of several sensors, by the sensor's name."""

MAX_VALUE = 1e6
"""Upper limit of any phone sensor, in any unit in use."""
