"""Timestamps are put in order by dropping and cutting, never by sorting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.errors import DataDamaged
from kinestream.replay_data.tables.tidy import refuse_if_mostly_bad, tidy_times


def tidy(t: list[float], x: list[float] | None = None):
    values = np.arange(len(t)) if x is None else np.array(x)
    return tidy_times(np.array(t), values[:, None].astype(np.float32))


def test_a_late_sample_is_dropped_and_counted() -> None:
    tidied = tidy([0, 0.1, 0.05, 0.2])
    assert (tidied.keep.tolist(), tidied.segments, tidied.repairs) == ([0, 1, 3], ((0, 3),), {"out_of_order": 1})


def test_a_repeated_row_and_a_repeated_time_count_separately() -> None:
    tidied = tidy([0, 0.1, 0.1, 0.1, 0.2], [1, 2, 2, 3, 4])
    assert (tidied.keep.tolist(), tidied.repairs) == ([0, 1, 4], {"repeated_row": 1, "repeated_time": 1})


def test_a_gap_and_a_jump_back_start_new_segments() -> None:
    tidied = tidy([10, 10.1, 15, 15.1, 2, 2.1])
    assert tidied.segments == ((0, 2), (2, 4), (4, 6))
    assert tidied.repairs == {"gap": 1, "time_jumped_back": 1}
    assert tidied.dropped == {}


def test_a_known_cut_is_not_counted_as_a_repair() -> None:
    x = np.zeros((4, 1), np.float32)
    tidied = tidy_times(np.array([0, 0.1, 50, 50.1]), x, np.array([False, True, False]))
    assert (tidied.segments, tidied.repairs) == (((0, 2), (2, 4)), {})


def test_no_samples_give_no_segments() -> None:
    assert tidy([]).segments == ()


@given(st.lists(st.sampled_from([-3.0, -0.2, -0.05, 0.0, 0.05, 0.1, 2.0]), max_size=40), st.integers(0, 3))
def test_time_rises_without_gaps_in_every_segment_and_every_drop_is_counted(steps: list[float], cut: int) -> None:
    t = np.concatenate(([5.0], 5.0 + np.cumsum(steps)))
    cuts = np.arange(len(steps)) % 4 == cut if cut else None
    tidied = tidy_times(t, np.zeros((len(t), 1), np.float32), cuts)
    for start, stop in tidied.segments:
        inside = np.diff(t[tidied.keep][start:stop])
        assert ((inside > 0) & (inside <= 1.0 + 1e-9)).all()
    assert [i for start, stop in tidied.segments for i in range(start, stop)] == list(range(len(tidied.keep)))
    assert sum(tidied.dropped.values()) == len(t) - len(tidied.keep)


def test_a_tenth_of_bad_rows_is_tolerated_and_more_is_not() -> None:
    refuse_if_mostly_bad("file", {"odd": 10}, 100)
    with pytest.raises(DataDamaged, match=r"file: 11 of 100 rows cannot be used \(11 odd\)"):
        refuse_if_mostly_bad("file", {"odd": 11}, 100)
    with pytest.raises(DataDamaged, match="no rows"):
        refuse_if_mostly_bad("file", {}, 0)
