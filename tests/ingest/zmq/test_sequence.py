"""Loss tracking by sample numbers: tables of messages and expected counts."""

from __future__ import annotations

import numpy as np
import pytest

from kinestream.core.live_streams import MAX_STREAMS
from kinestream.core.signals import ACC, SampleChunk
from kinestream.ingest.zmq.sequence import MAX_LATE, MAX_NAMES, SequenceTracker
from kinestream.ingest.zmq.wire import EndOfStream


def chunk(epoch: str, seq: int, n: int = 10, stream: str = "wrist", booted_s: float = 0.0) -> SampleChunk:
    t = booted_s + (seq + np.arange(n)) / 50.0
    return SampleChunk(stream, epoch, t, np.zeros((n, 3), np.float32), ACC, 50.0, seq, float(t[-1]))


def later(epoch: str, seq: int) -> SampleChunk:
    """A chunk of a sender that restarted."""
    return chunk(epoch, seq, booted_s=9.0)


@pytest.mark.parametrize(
    ("messages", "lost", "epochs"),
    [
        ([chunk("a", 0), chunk("a", 10), chunk("a", 20)], 0, ["a", "a", "a"]),
        ([chunk("a", 500), chunk("a", 510)], 0, ["a", "a"]),
        ([chunk("a", 0), chunk("a", 25), chunk("a", 35)], 15, ["a", "a", "a"]),
        ([chunk("a", 0), chunk("b", 0)], 0, ["a", "b"]),
        ([chunk("a", 0), chunk("b", 30), chunk("b", 40)], 30, ["a", "b", "b"]),
        ([chunk("a", 0), chunk("a", 10), later("a", 0), later("a", 10)], 0, ["a", "a", "a#2", "a#2"]),
        ([chunk("a", 0), chunk("b", 0), later("a", 0)], 0, ["a", "b", "a#2"]),
        ([chunk("a", 0), chunk("a", 30, stream="hip"), chunk("a", 10), chunk("a", 45, stream="hip")], 5, ["a"] * 4),
    ],
    ids=[
        "whole",
        "late",
        "hole",
        "new epoch",
        "new epoch without its head",
        "restart",
        "name reused",
        "two streams",
    ],
)
def test_a_jump_in_the_numbers_is_a_loss(messages: list[SampleChunk], lost: int, epochs: list[str]) -> None:
    tracker = SequenceTracker()
    taken = [tracker.take(message) for message in messages]
    assert [item.session if item else None for item in taken] == epochs
    assert tracker.counts["not_received"] == lost


def test_numbers_that_go_back_are_counted_as_a_restart() -> None:
    tracker = SequenceTracker()
    for message in (chunk("a", 0), chunk("a", 10), later("a", 0)):
        tracker.take(message)
    assert tracker.counts["restarted"] == 1


def test_a_lost_tail_is_counted_at_the_end_of_the_stream() -> None:
    tracker = SequenceTracker()
    tracker.take(chunk("a", 0))
    tracker.end(EndOfStream("wrist", "a", 45))
    tracker.end(EndOfStream("wrist", "a", 45))
    assert tracker.counts["not_received"] == 35


def test_all_ended_waits_for_every_known_stream() -> None:
    tracker = SequenceTracker()
    tracker.end(EndOfStream("wrist", "a", 10))
    assert not tracker.all_ended, "the end of an unknown stream does not count"
    tracker.take(chunk("a", 0))
    tracker.take(chunk("a", 0, stream="hip"))
    tracker.end(EndOfStream("wrist", "a", 10))
    assert not tracker.all_ended
    tracker.end(EndOfStream("hip", "a", 10))
    assert tracker.all_ended


def test_a_stream_that_restarts_after_its_end_is_a_new_epoch() -> None:
    tracker = SequenceTracker()
    tracker.take(chunk("a", 0))
    tracker.end(EndOfStream("wrist", "a", 10))
    again = tracker.take(chunk("a", 50))
    assert again is not None
    assert again.session == "a#2"
    assert not tracker.all_ended
    assert tracker.counts["not_received"] == 0


@pytest.mark.parametrize(
    ("messages", "taken", "counts"),
    [
        ([("a", 0), ("a", 10), ("a", 10), ("a", 20)], "a a - a", {"repeated": 1}),
        ([("a", 0), ("a", 10), ("a", 20), ("a", 10), ("a", 30)], "a a a - a", {"repeated": 1}),
        ([("a", 0), ("a", 0), ("a", 10)], "a - a", {"repeated": 1}),
        (
            [("a", 0), ("b", 0), ("a", 10), ("b", 10), ("a", 30), ("b", 20)],
            "a b - b - b",
            {"late": 20, "not_received": 10},
        ),
        ([("a", 0), ("a", 10), ("b", 0), ("a", 0), ("a", 10)], "a a b a#2 a#2", {}),
        ([("a", 0), ("a", 10), ("a", 20), ("a", 10), ("a", 20), ("a", 30)], "a a a - - a", {"repeated": 2}),
        (
            [("a", 0), ("a", 10), ("a", 20), ("b", 0), ("a", 10), ("a", 20), ("b", 0), ("b", 10)],
            "a a a b - - - b",
            {"repeated": 3},
        ),
        (
            [("a", 50), ("a", 60), ("a", 20), ("a", 30), ("a", 40)],
            "a a - a#2 a#2",
            {"repeated": 1, "restarted": 1, "not_received": 30},
        ),
    ],
    ids=[
        "a copy",
        "an old message",
        "a copy of the first",
        "late, of an old epoch",
        "an old epoch begins again",
        "copies of the newest",
        "copies from before a restart",
        "a restart whose head was missed",
    ],
)
def test_an_old_message_is_refused_unless_the_next_one_continues_from_it(
    messages: list[tuple[str, int]], taken: str, counts: dict[str, int]
) -> None:
    tracker = SequenceTracker()
    results = [tracker.take(chunk(epoch, seq)) for epoch, seq in messages]
    assert [item.session if item else "-" for item in results] == taken.split()
    assert +tracker.counts == counts


def test_late_messages_do_not_lock_their_sender_out() -> None:
    tracker = SequenceTracker()
    for message in (chunk("a", 0), chunk("b", 0)):
        tracker.take(message)
    late = [tracker.take(chunk("a", 10 * k)) for k in range(1, MAX_LATE + 4)]
    assert [item is None for item in late] == [True] * (MAX_LATE + 1) + [False] * 2
    assert tracker.take(chunk("b", 10)) is None


def test_the_end_of_an_earlier_epoch_does_not_end_the_stream() -> None:
    tracker = SequenceTracker()
    for message in (chunk("a", 0), chunk("b", 0)):
        tracker.take(message)
    tracker.end(EndOfStream("wrist", "a", 10))
    assert not tracker.all_ended
    after = tracker.take(chunk("b", 10))
    assert after is not None
    assert after.session == "b"
    tracker.end(EndOfStream("wrist", "b", 20))
    assert tracker.all_ended


def test_the_number_of_streams_and_of_names_is_bounded() -> None:
    tracker = SequenceTracker()
    results = [tracker.take(chunk("a", 0, n=1, stream=f"s{number}")) for number in range(MAX_STREAMS + 5)]
    assert [item is None for item in results] == [False] * MAX_STREAMS + [True] * 5
    assert +tracker.counts == {"too_many_streams": 5}
    for number in range(MAX_NAMES + 5):
        tracker.take(chunk(f"epoch {number}", 0, stream="s0"))
    assert len(tracker._names) == MAX_NAMES


def test_a_thousand_streams_one_after_another_are_all_taken() -> None:
    tracker = SequenceTracker()
    for number in range(1000):
        assert tracker.take(chunk("a", 0, stream=f"s{number}")) is not None
        assert tracker.take(chunk("a", 10, stream=f"s{number}")) is not None
        tracker.end(EndOfStream(f"s{number}", "a", 20))
    assert +tracker.counts == {}
    assert tracker.all_ended
    assert len(tracker._streams) == MAX_STREAMS


def test_a_flood_of_names_does_not_cost_an_honest_stream_its_place() -> None:
    tracker = SequenceTracker()
    taken = 0
    for step in range(100):
        taken += tracker.take(chunk("a", 10 * step)) is not None
        for number in range(100):
            tracker.take(chunk("a", 0, stream=f"flood-{step}-{number}"))
    assert taken >= 98
    assert tracker.counts["not_received"] <= 20
    assert len(tracker._streams) <= MAX_STREAMS
    assert len(tracker._names) == MAX_NAMES
