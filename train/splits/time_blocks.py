"""Windows of one person parted by time: what came first, what came later, and a gap between the two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..data.windows import Windows


def earliest(labels: NDArray[np.int64], most: Sequence[int]) -> NDArray[np.bool_]:
    """(n,) the first windows of each class, ``most[class]`` of them, in the order in which they were recorded."""
    first = np.zeros(len(labels), np.bool_)
    for code, count in enumerate(most):
        first[np.flatnonzero(labels == code)[: max(0, count)]] = True
    return first


def apart(windows: Windows, asked: NDArray[np.bool_], others: NDArray[np.bool_], window_s: float) -> NDArray[np.bool_]:
    """(n,) those of ``asked`` that begin a window's length or more after, or end as much before, any of ``others``.

    Windows of two recordings are always apart.
    """
    kept = asked.copy()
    for recording in np.unique(windows.recordings[asked]):
        here = windows.recordings == recording
        known = np.sort(windows.t_start_s[here & others])
        if len(known):
            mine = np.flatnonzero(here & asked)
            t = windows.t_start_s[mine]
            after = np.searchsorted(known, t)
            nearest = np.minimum(
                np.abs(t - known[np.maximum(after - 1, 0)]), np.abs(t - known[np.minimum(after, len(known) - 1)])
            )
            # Starts two lengths apart leave one length between; grid times carry rounding errors.
            kept[mine[nearest < 2 * window_s - 1e-6]] = False
    return kept


def last_blocks(windows: Windows, share: float, window_s: float) -> dict[str, NDArray[np.intp]]:
    """Indices of the windows to learn from and to validate on: of each class the last ``share``, at least one."""
    counts = np.bincount(windows.labels)
    early = earliest(windows.labels, [n - max(1, round(share * n)) for n in counts.tolist()])
    return {
        "train": np.flatnonzero(apart(windows, early, ~early, window_s)),
        "validation": np.flatnonzero(~early),
    }
