"""Datasets count and select without reading; recordings check their own shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.core.signals import ACC
from kinestream.replay_data.recording import Dataset, Entry, Recording, split_where


def recording(name: str, subject: str, n: int = 4, **more: object) -> Recording:
    return Recording("made", name, subject, 50.0, ACC, np.arange(n) / 50, np.zeros((n, 3), np.float32), **more)  # type: ignore[arg-type]


def test_the_default_segment_is_the_whole_recording() -> None:
    assert recording("a", "1").segments == ((0, 4),)
    assert recording("a", "1", n=0).segments == ()


def test_the_duration_excludes_gaps_between_segments() -> None:
    t = np.array([0.0, 0.02, 0.04, 900.0, 900.02])
    gapped = Recording("made", "a", "1", 50.0, ACC, t, np.zeros((5, 3), np.float32), segments=((0, 3), (3, 5)))
    assert gapped.duration_s == pytest.approx(0.1)


def test_samples_that_do_not_fit_their_times_are_refused() -> None:
    with pytest.raises(ValueError, match="4 times do not fit"):
        Recording("made", "a", "1", 50.0, ACC, np.arange(4) / 50, np.zeros((3, 3), np.float32))


def test_a_recording_is_read_only_on_access() -> None:
    read: list[str] = []

    def entry(name: str, subject: str) -> Entry:
        def load() -> Recording:
            read.append(name)
            return recording(name, subject)

        return Entry(name, subject, load)

    dataset = Dataset("made", (), [entry("a", "1"), entry("b", "2"), entry("c", "1")])
    assert (len(dataset), dataset.subjects) == (3, ("1", "2"))
    selected = dataset.select(["1"])
    assert [entry.name for entry in selected.entries] == ["a", "c"]
    assert [entry.name for entry in dataset[1:].entries] == ["b", "c"]
    assert read == []
    assert [recording.name for recording in selected] == ["a", "c"]
    assert read == ["a", "c"]


def test_an_unknown_subject_is_refused_with_the_known_subjects() -> None:
    dataset = Dataset("made", (), [Entry("a", "1", lambda: recording("a", "1"))])
    with pytest.raises(ConfigError, match="no subject 7 in made; there are 1"):
        dataset.select(["1", "7"])


@given(st.lists(st.booleans(), max_size=30))
def test_split_ranges_cover_every_sample_once_and_end_at_each_break(breaks: list[bool]) -> None:
    ranges = split_where(np.array(breaks, np.bool_))
    assert [i for start, stop in ranges for i in range(start, stop)] == list(range(len(breaks) + 1))
    assert [stop - 1 for _, stop in ranges[:-1]] == [i for i, broken in enumerate(breaks) if broken]
