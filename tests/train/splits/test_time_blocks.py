"""Windows split by time: early and late windows never share a sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.train.data.windows import Windows
from kinestream.train.splits.time_blocks import apart, earliest, last_blocks

WINDOW_S = 2.0


def windows(labels, t_start_s, recordings=None) -> Windows:
    n = len(labels)
    numbers = np.zeros(n, np.int64) if recordings is None else np.array(recordings)
    return Windows(np.zeros((n, 4, 1), np.float32), np.array(labels), recordings=numbers, t_start_s=np.array(t_start_s))


def test_the_earliest_windows_are_counted_per_class():
    assert earliest(np.array([0, 1, 0, 1, 0]), [2, 1]).tolist() == [True, True, True, False, False]


def test_a_windows_length_lies_between_early_and_late_windows():
    eight = windows([0] * 8, np.arange(8.0))
    late = np.arange(8) >= 6
    # A window from 2.0 ends at 4.0, one length before the late ones begin at 6.0.
    assert apart(eight, ~late, late, WINDOW_S).tolist() == [True, True, True, *[False] * 5]


def test_windows_of_different_recordings_are_always_apart():
    both = windows([0, 0], [0.0, 0.0], [0, 1])
    assert apart(both, np.array([True, False]), np.array([False, True]), WINDOW_S).tolist() == [True, False]


@given(
    st.lists(st.integers(0, 2), min_size=3, max_size=60),
    st.sampled_from([0.1, 0.2, 0.4]),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.integers(1, 3),
)
def test_no_training_window_is_near_a_validation_window(labels, share, hop_s, n_recordings):
    t = np.arange(len(labels)) * hop_s
    recordings = np.arange(len(labels)) % n_recordings
    parts = last_blocks(windows(labels, t, recordings), share, WINDOW_S)
    assert not set(parts["train"]) & set(parts["validation"])
    assert set(np.array(labels)[parts["validation"]]) == set(labels)
    for i in parts["train"]:
        for j in parts["validation"]:
            assert recordings[i] != recordings[j] or abs(t[i] - t[j]) >= 2 * WINDOW_S - 1e-6


@pytest.mark.parametrize("share", [0.2, 0.25])
def test_the_last_share_of_each_class_validates(share):
    parts = last_blocks(windows([0] * 40 + [1] * 20, np.arange(60) * 10.0), share, WINDOW_S)
    assert parts["validation"].tolist() == [
        *range(40 - round(40 * share), 40),
        *range(60 - round(20 * share), 60),
    ]
