"""Which training windows an epoch learns from, and in which order.

Datasets differ in size and classes in frequency. Drawn as they come, the largest dataset's commonest class decides
what a network learns; drawn by pairs of dataset and class, each pair has the same say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data.windows import Windows
    from ..recipe.data_settings import Data


def draw_windows(rng: np.random.Generator, windows: int, count: int) -> NDArray[np.intp]:
    """``count`` indices of ``windows`` windows in random order; none is repeated before all were drawn.

    >>> draw_windows(np.random.default_rng(0), 4, 6).tolist()
    [2, 0, 1, 3, 3, 2]
    """
    rounds = [rng.permutation(windows) for _ in range(max(1, -(-count // windows)))]
    return np.concatenate(rounds)[:count]


def draw_pairs(rng: np.random.Generator, pairs: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """``count`` indices in random order, as many of each pair as of any other, or one more.

    Args:
        pairs: (n,) number of each window's pair of dataset and class, as from ``number_pairs``.

    >>> drawn = draw_pairs(np.random.default_rng(0), np.array([0, 0, 0, 0, 1]), 6)
    >>> sorted(drawn.tolist())[-3:]
    [4, 4, 4]
    """
    n_pairs = int(pairs.max()) + 1
    shares = np.full(n_pairs, count // n_pairs)
    shares[rng.permutation(n_pairs)[: count % n_pairs]] += 1
    drawn: list[NDArray[np.intp]] = []
    for pair, share in enumerate(shares.tolist()):
        members = np.flatnonzero(pairs == pair)
        drawn.append(members[draw_windows(rng, len(members), share)])
    return rng.permutation(np.concatenate(drawn))


def number_pairs(windows: Windows, data: Data) -> NDArray[np.intp]:
    """(n,) number of the pair of dataset and class of each window; numbers from 0, without gaps.

    Raises:
        ValueError: the windows of several datasets come without their subjects.
    """
    datasets = np.zeros(len(windows), np.int64)
    if len(data.datasets) > 1:
        if len(windows.subjects) != len(windows):
            raise ValueError(f"{len(windows)} windows of several datasets with {len(windows.subjects)} subjects")
        subjects, which = np.unique(np.array(windows.subjects), return_inverse=True)
        datasets = np.array([data.datasets.index(data.dataset_of(subject)) for subject in subjects.tolist()])[which]
    return np.unique(np.stack([datasets, windows.labels]), axis=1, return_inverse=True)[1].reshape(-1)
