"""Reordering of messages by their numbers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.ingest.phone.reorder import MAX_AHEAD, MAX_WAITING, PATIENCE_S, Reorder


def test_messages_in_order_are_released_at_once() -> None:
    reorder = Reorder[str]()
    for number in range(5):
        ((item, received_s, lost),) = reorder.push(number, f"m{number}", float(number))
        assert (item, received_s, lost) == (f"m{number}", float(number), 0)
    assert not reorder.counts


def test_an_early_message_waits_for_the_missing_one() -> None:
    reorder = Reorder[int]()
    reorder.push(0, 0, 0.0)
    assert reorder.push(2, 2, 0.1) == []
    assert [turn.item for turn in reorder.push(1, 1, 0.2)] == [1, 2]
    assert reorder.counts == {"messages_out_of_order": 1}


def test_a_missing_message_is_declared_lost_after_a_while() -> None:
    reorder = Reorder[int]()
    reorder.push(0, 0, 0.0)
    reorder.push(4, 4, 1.0)
    assert reorder.due(0.99 + PATIENCE_S) == []
    ((item, received_s, lost),) = reorder.due(1.0 + PATIENCE_S)
    assert (item, received_s, lost) == (4, 1.0, 3)
    assert reorder.counts == {"messages_lost": 3}


def test_a_message_that_arrives_after_it_was_given_up_stays_lost() -> None:
    reorder = Reorder[int]()
    reorder.push(0, 0, 0.0)
    reorder.push(2, 2, 0.0)
    reorder.due(PATIENCE_S)
    assert reorder.push(1, 1, 9.0) == reorder.push(1, 1, 9.1) == []
    assert reorder.counts == {"messages_lost": 1, "messages_late": 1, "messages_repeated": 1}


def test_the_first_messages_of_a_running_recording_wait_for_earlier_ones() -> None:
    reorder = Reorder[int]()
    assert reorder.push(58, 58, 0.0) == reorder.push(57, 57, 0.1) == []
    assert [turn.item for turn in reorder.due(PATIENCE_S)] == [57, 58]
    assert reorder.push(56, 56, 9.0) == []
    assert reorder.counts == {"messages_out_of_order": 1, "messages_lost": 1, "messages_late": 1}


def test_too_many_waiting_messages_are_released() -> None:
    reorder = Reorder[int]()
    reorder.push(0, 0, 0.0)
    turns = [turn for number in range(2, MAX_WAITING + 3) for turn in reorder.push(number, number, 0.0)]
    assert [turn.item for turn in turns] == list(range(2, MAX_WAITING + 3))
    assert reorder.counts == {"messages_lost": 1}


def test_a_number_far_ahead_does_not_fit() -> None:
    reorder = Reorder[int]()
    assert reorder.fits(10**12)
    reorder.push(5, 5, 0.0)
    assert reorder.fits(MAX_AHEAD)
    assert not reorder.fits(MAX_AHEAD + 6)


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 60), st.floats(0, 0.5), st.integers(0, 20))
def test_every_message_is_either_released_or_counted_as_lost(
    dice: random.Random, sent: int, loss: float, spread: int
) -> None:
    """Shuffled, repeated and lost messages are each released once, in order, or counted as lost."""
    first = dice.choice([0, 1, 1000])
    arrivals = [(n + dice.uniform(0, spread), n) for n in range(sent) for _ in range(dice.choice([1, 1, 2]))]
    arrivals = sorted(arrival for arrival in arrivals if dice.random() >= loss)
    reorder = Reorder[int](patience_s=dice.choice([0.0, 3.0]))
    released: list[int] = []
    for at_s, n in arrivals:
        released += [turn.item for turn in reorder.push(first + n, n, at_s)]
    released += [turn.item for turn in reorder.close()]
    for _, n in arrivals:  # all of them again, too late
        assert reorder.push(first + n, n, 1e6) == []
    assert released == sorted(set(released))
    arrived = {n for _, n in arrivals}
    assert set(released) <= arrived
    if arrived:
        known = max(arrived) - min(arrived) + 1  # losses before the first and after the last message cannot be known
        assert len(released) + reorder.counts["messages_lost"] == known


@pytest.mark.parametrize(("number", "lost"), [(3, 1), (7, 5)])
def test_a_message_after_the_end_is_lost_and_counted_once(number: int, lost: int) -> None:
    reorder = Reorder[int]()
    for n in (0, 1, 2):
        reorder.push(n, n, 0.0)
    assert reorder.close() == []
    assert reorder.push(number, number, 0.0) == reorder.push(number, number, 0.0) == reorder.push(2, 2, 0.0) == []
    assert reorder.counts == {"messages_lost": lost, "messages_late": 1, "messages_repeated": 2}
