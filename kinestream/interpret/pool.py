"""The mean of the last windows' probabilities: what they deserve together if none says more than the others.

A filter multiplies evidence and so grows surer with every window, as if each were a new witness. Windows of one wearer
are wrong in the same way for minutes. Their mean is never surer than the surest of them, so it limits the filter.

Source: the linear opinion pool, Stone, "The opinion pool", Annals of Mathematical Statistics 1961.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEMORY_WINDOWS = 2.0
"""A window counts for 1/e after so many window lengths."""


class Pool:
    """The running mean of one epoch's probabilities, forgetting over ``memory_s``; make a new one for a new epoch.

    >>> pool = Pool(memory_s=5.0)
    >>> [pool.step(np.array([p, 1 - p]), t).round(2).tolist() for t, p in enumerate((0.8, 0.8, 0.2))]
    [[0.8, 0.2], [0.8, 0.2], [0.69, 0.31]]
    """

    def __init__(self, memory_s: float) -> None:
        self._memory_s = memory_s
        self._mean: NDArray[np.float64] | None = None
        self._t_s = 0.0

    def step(self, probs: NDArray[np.float64], t_s: float) -> NDArray[np.float64]:
        """(classes,) the mean at ``t_s``, seconds, after a window of these probabilities."""
        if self._mean is None:
            self._mean = probs
        else:
            kept = math.exp(-max(0.0, t_s - self._t_s) / self._memory_s)
            self._mean = kept * self._mean + (1 - kept) * probs
        self._t_s = t_s
        return self._mean
