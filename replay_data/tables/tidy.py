"""Time stamps put in order: what cannot be used is dropped and counted, what does not follow on is cut apart."""

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
"""A longer step, forward or back, means that the recording was interrupted there."""
MAX_BAD_SHARE = 0.1
"""Above this share of unusable rows a file is refused instead of repaired."""

_ADVICE = {
    "out_of_order": "sort its rows by time, or name the column that tells its people apart",
    "repeated_time": "give each sample a time of its own, or no time column and the rate",
}


@dataclass(frozen=True, slots=True)
class Tidied:
    """Which samples to keep, and where what is kept falls apart."""

    keep: NDArray[np.int64]
    """Indices of the samples kept, in file order."""
    segments: tuple[tuple[int, int], ...]
    """Half-open ranges over the samples kept; time rises strictly within each."""
    repairs: dict[str, int]
    """``repeated_row``, ``repeated_time``, ``out_of_order``: samples dropped;
    ``gap``, ``time_jumped_back``: cuts."""

    @property
    def dropped(self) -> dict[str, int]:
        """The part of ``repairs`` that counts samples."""
        return {kind: n for kind, n in self.repairs.items() if kind not in ("gap", "time_jumped_back")}


def tidy_times(
    t: NDArray[np.float64],
    x: NDArray[np.float32],
    cut_after: NDArray[np.bool_] | None = None,
    max_gap_s: float = MAX_GAP_S,
) -> Tidied:
    """Order without sorting: sorting would weave samples of two sessions into each other.

    Args:
        t: (n,) seconds as they stand in the file.
        x: (n, channels), to tell a row written twice from two samples with one stamp.
        cut_after: (n - 1,) where two neighbours are known not to belong together.
        max_gap_s: a step back of up to this drops the late samples, a longer one starts a segment; so does a
            longer step forward.
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
    """Raise ``DataDamaged`` where more than ``MAX_BAD_SHARE`` of the rows had to be skipped, or none is left."""
    bad = sum(skipped.values())
    if rows == 0:
        raise DataDamaged(f"{where} has no rows; expected at least one: fetch or export it again")
    if bad > MAX_BAD_SHARE * rows or bad == rows:
        kinds = ", ".join(f"{n} {kind}" for kind, n in skipped.items() if n)
        advice = _ADVICE.get(max(skipped, key=lambda kind: skipped[kind]), "check that it is the right file and whole")
        raise DataDamaged(
            f"{where}: {bad} of {rows} rows cannot be used ({kinds}); expected at most {MAX_BAD_SHARE:.0%}: {advice}"
        )
