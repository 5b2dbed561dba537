"""Early stopping and the best epoch, from the epochs' metrics alone: a resumed run decides the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEASURE = "macro_f1"
"""Metric that ranks epochs: the mean over the widest and the thinnest subnetwork on the validation subjects."""


def best_epoch(history: Sequence[Mapping[str, Any]]) -> int:
    """The epoch, counted from 1, with the greatest ``MEASURE``; ties: the first; 0 before the first epoch.

    >>> best_epoch([{"macro_f1": 0.5}, {"macro_f1": 0.7}, {"macro_f1": 0.7}])
    2
    """
    return max(range(len(history)), key=lambda i: history[i][MEASURE], default=-1) + 1


def out_of_patience(history: Sequence[Mapping[str, Any]], patience: int) -> bool:
    """Whether the last ``patience`` epochs brought no improvement; always false if ``patience`` is 0.

    >>> out_of_patience([{"macro_f1": 0.5}, {"macro_f1": 0.4}], patience=1)
    True
    """
    return patience > 0 and len(history) - best_epoch(history) >= patience
