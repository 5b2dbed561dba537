"""The split of a person's windows by time: early windows, late windows, and a gap between the two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..data.windows import Windows


def earliest(labels: NDArray[np.int64], most: Sequence[int]) -> NDArray[np.bool_]:
    """(n,) mask of the first ``most[class]`` windows of each class, in recording order.

    >>> earliest(np.array([0, 1, 0, 1, 0]), most=[2, 1]).tolist()
    [True, True, True, False, False]
    """
    mask = np.zeros(len(labels), np.bool_)
    for code, count in enumerate(most):
        mask[np.flatnonzero(labels == code)[: max(0, count)]] = True
    return mask


def apart(
    windows: Windows, candidates: NDArray[np.bool_], others: NDArray[np.bool_], window_s: float
) -> NDArray[np.bool_]:
    """(n,) mask of the ``candidates`` that keep at least one window's length between them and all ``others``.

    Windows of different recordings are always apart.
    """
    mask = candidates.copy()
    for recording in np.unique(windows.recordings[candidates]):
        in_recording = windows.recordings == recording
        other_starts = np.sort(windows.t_start_s[in_recording & others])
        if len(other_starts):
            indices = np.flatnonzero(in_recording & candidates)
            starts = windows.t_start_s[indices]
            following = np.searchsorted(other_starts, starts)
            previous_start = other_starts[np.maximum(following - 1, 0)]
            next_start = other_starts[np.minimum(following, len(other_starts) - 1)]
            distance = np.minimum(np.abs(starts - previous_start), np.abs(starts - next_start))
            # Starts two lengths apart leave one length between windows; grid times carry rounding errors.
            mask[indices[distance < 2 * window_s - 1e-6]] = False
    return mask


def last_blocks(windows: Windows, share: float, window_s: float) -> dict[str, NDArray[np.intp]]:
    """Indices of training and validation windows: the last ``share`` of each class, at least one window, validates."""
    counts = np.bincount(windows.labels)
    early = earliest(windows.labels, [n - max(1, round(share * n)) for n in counts.tolist()])
    return {
        "train": np.flatnonzero(apart(windows, early, ~early, window_s)),
        "validation": np.flatnonzero(~early),
    }
