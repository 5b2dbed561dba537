"""When to stop, and which epoch was the best: read off the epochs' metrics alone, so that a resumed run agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEASURE = "macro_f1"
"""The mean of the widest and the thinnest subnetwork on the validation people."""


def best_epoch(history: Sequence[Mapping[str, Any]]) -> int:
    """The epoch, counted from 1, whose ``MEASURE`` is greatest; of equals the first; 0 before there is any."""
    return max(range(len(history)), key=lambda i: history[i][MEASURE], default=-1) + 1


def out_of_patience(history: Sequence[Mapping[str, Any]], patience: int) -> bool:
    """Whether the last ``patience`` epochs brought nothing better; never where ``patience`` is 0."""
    return patience > 0 and len(history) - best_epoch(history) >= patience
