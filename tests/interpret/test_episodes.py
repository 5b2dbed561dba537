from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.interpret.episodes import Episode, EpisodeFinder

from .predictions import HOP_S, LABELS, WINDOW_S, prediction


def episodes_of(labels: list[str], min_s: float = 5.0) -> list[Episode]:
    """The episodes of windows one second apart."""
    finder = EpisodeFinder(min_s)
    return [e for i, label in enumerate(labels) for e in finder.add(prediction(i, label))] + finder.close()


def test_a_change_lies_between_the_middles_of_two_windows() -> None:
    walking, sitting = episodes_of(["walking"] * 10 + ["sitting"] * 10)
    assert (walking.label, walking.t_start_s, walking.t_end_s) == ("walking", 0.0, 10.5)
    assert (sitting.label, sitting.t_start_s, sitting.t_end_s) == ("sitting", 10.5, 19 * HOP_S + WINDOW_S)
    assert (walking.windows, sitting.windows) == (10, 10)
    assert walking.confidence == pytest.approx(0.8)


def test_a_short_interruption_does_not_break_an_episode() -> None:
    (only,) = episodes_of(["walking"] * 10 + ["sitting"] * 3 + ["walking"] * 10)
    assert (only.label, only.windows) == ("walking", 20)


def test_an_episode_ends_when_the_next_label_has_held_long_enough() -> None:
    finder = EpisodeFinder(5.0)
    ended_at = [i for i in range(30) if finder.add(prediction(i, "walking" if i < 10 else "sitting"))]
    assert ended_at == [15]  # its middle is 16.0 s: the label that began at 10.5 s has lasted 5 s by then


def test_labels_that_never_hold_form_no_episode_and_end_the_one_before() -> None:
    (only,) = episodes_of(["walking"] * 10 + ["sitting", "standing"] * 20)
    assert (only.label, only.t_end_s) == ("walking", 10.5)


def test_a_new_epoch_ends_the_episode_of_the_old_one() -> None:
    finder = EpisodeFinder(5.0)
    for i in range(10):
        finder.add(prediction(i, "walking"))
    (ended,) = finder.add(prediction(0, "walking", session="two"))
    assert (ended.session, ended.t_end_s) == ("one", 9 * HOP_S + WINDOW_S)


def test_a_long_hole_ends_an_episode_and_a_short_one_does_not() -> None:
    for hole, ended in ((20, 0), (40, 1)):
        finder = EpisodeFinder(5.0, max_hole_s=30.0)
        for i in range(10):
            finder.add(prediction(i, "walking"))
        assert len(finder.add(prediction(10 + hole, "walking"))) == ended


def test_streams_have_episodes_of_their_own() -> None:
    finder = EpisodeFinder(5.0)
    for i in range(10):
        assert not finder.add(prediction(i, "walking", stream="left"))
        assert not finder.add(prediction(i, "sitting", stream="right"))
    assert {(e.stream, e.label) for e in finder.close()} == {("left", "walking"), ("right", "sitting")}
    assert finder.close() == []


@given(
    st.lists(st.tuples(st.sampled_from((*LABELS, "unknown")), st.integers(1, 12)), min_size=1, max_size=25),
    st.sampled_from([0.0, 1.0, 3.0, 10.0]),
)
def test_episodes_are_long_enough_in_order_and_apart(stretches: list[tuple[str, int]], min_s: float) -> None:
    labels = [label for label, n in stretches for _ in range(n)]
    episodes = episodes_of(labels, min_s)
    assert all(e.t_end_s - e.t_start_s >= min_s for e in episodes)
    assert all(a.t_end_s <= b.t_start_s for a, b in pairwise(episodes))
    assert all(0 < e.windows <= labels.count(e.label) for e in episodes)
    runs = [(label, n) for label, n in stretches]
    if len(set(labels)) == 1 and sum(n for _, n in runs) + 1 >= min_s:
        assert len(episodes) == 1


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(ConfigError, match="negative"):
        EpisodeFinder(-1.0)
