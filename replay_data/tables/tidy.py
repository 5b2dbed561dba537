"""Puts timestamps in order: drops and counts unusable samples, and cuts where the recording is interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import DataDamaged

from ..recording import split_where

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_GAP_S = 1.0
"""A longer time step, forward or back, counts as an interruption of the recording."""
MAX_BAD_SHARE = 0.1
"""Share of unusable rows above which a file is refused instead of repaired."""

_ADVICE = {
    "out_of_order": "sort its rows by time, or name the column that identifies the people",
    "repeated_time": "give each sample its own time, or leave out the time column and give the rate",
}


@dataclass(frozen=True, slots=True)
class Tidied:
    """The samples to keep, and the segments they form."""

    keep: NDArray[np.int64]
    """Indices of the kept samples, in file order."""
    segments: tuple[tuple[int, int], ...]
    """Half-open ranges over the kept samples; time rises strictly within each."""
    repairs: dict[str, int]
    """``repeated_row``, ``repeated_time``, ``out_of_order``: samples dropped;
    ``gap``, ``time_jumped_back``: cuts."""

    @property
    def dropped(self) -> dict[str, int]:
        """The entries of ``repairs`` that count samples."""
        return {kind: n for kind, n in self.repairs.items() if kind not in ("gap", "time_jumped_back")}


def tidy_times(
    t: NDArray[np.float64],
    x: NDArray[np.float32],
    cut_after: NDArray[np.bool_] | None = None,
    max_gap_s: float = MAX_GAP_S,
) -> Tidied:
    """The usable samples in segments of rising time. Never sorts, as sorting would interleave two epochs.

    >>> import numpy as np
    >>> tidy_times(np.array([0.0, 0.1, 0.05, 0.2]), np.zeros((4, 1), np.float32)).repairs
    {'out_of_order': 1}

    Args:
        t: (n,) seconds, as in the file.
        x: (n, channels), to distinguish a repeated row from two samples with one timestamp.
        cut_after: (n - 1,) whether two neighbours are known not to belong together.
        max_gap_s: after a step back of up to this, late samples are dropped; a longer step back or forward starts a
            segment.
    """
    if len(t) == 0:
        return Tidied(np.empty(0, np.int64), (), {})
    step = np.diff(t)
    known = np.zeros(len(step), np.bool_) if cut_after is None else cut_after
    back, gap = (step < -max_gap_s) & ~known, (step > max_gap_s) & ~known
    keep = np.ones(len(t), np.bool_)
    edges = split_where(known | back | gap)
    for start, stop in edges:
        newest = np.maximum.accumulate(t[start:stop])
        keep[start + 1 : stop] = newest[1:] > newest[:-1]
    dropped = np.flatnonzero(~keep)
    same_time = t[dropped] == t[dropped - 1]
    same_row = same_time & (x[dropped] == x[dropped - 1]).all(axis=1)
    repairs = {
        "repeated_row": int(same_row.sum()),
        "repeated_time": int((same_time & ~same_row).sum()),
        "out_of_order": int((~same_time).sum()),
        "gap": int(gap.sum()),
        "time_jumped_back": int(back.sum()),
    }
    kept_before = np.concatenate(([0], np.cumsum(keep)))
    segments = tuple((int(kept_before[start]), int(kept_before[stop])) for start, stop in edges)
    return Tidied(np.flatnonzero(keep), segments, {kind: n for kind, n in repairs.items() if n})


def refuse_if_mostly_bad(where: str, skipped: Mapping[str, int], rows: int) -> None:
    """Raise ``DataDamaged`` if more than ``MAX_BAD_SHARE`` of the rows were skipped, or no row is left."""
    bad = sum(skipped.values())
    if rows == 0:
        raise DataDamaged(f"{where} has no rows; expected at least one: fetch or export it again")
    if bad > MAX_BAD_SHARE * rows or bad == rows:
        kinds = ", ".join(f"{n} {kind}" for kind, n in skipped.items() if n)
        advice = _ADVICE.get(
            max(skipped, key=lambda kind: skipped[kind]), "check that it is the right file and complete"
        )
        raise DataDamaged(
            f"{where}: {bad} of {rows} rows cannot be used ({kinds}); expected at most {MAX_BAD_SHARE:.0%}: {advice}"
        )
