from __future__ import annotations

import json

from kinestream.core.live_streams import MAX_STREAMS, REMEMBERED, LiveStreams
from kinestream.core.recent import Recent


def test_a_thousand_streams_one_after_another_all_get_a_place() -> None:
    streams = LiveStreams()
    assert all(streams.touch(f"wrist-{number}", 0.5) for number in range(1000) for _ in range(10))
    assert len(streams) == MAX_STREAMS


def test_silent_streams_give_their_places_back_however_short_they_were() -> None:
    streams = LiveStreams()
    for number in range(MAX_STREAMS):
        streams.touch(f"made-up-{number}", 0.01)
    places = [streams.touch("honest", 0.5) for _ in range(40)]
    assert sum(places) >= 15
    assert all(places[-10:])


def test_a_flood_of_names_moves_no_stream_that_sends() -> None:
    for flood_s in (0.02, 20.0):
        left: list[str] = []
        streams = LiveStreams(on_forget=left.append)
        places = []
        for step in range(100):
            places += [streams.touch(f"honest-{number}", 0.1) for number in range(3)]
            for number in range(100):
                streams.touch(f"flood-{step}-{number}", flood_s)
        assert sum(places) >= 290
        assert sum(name.startswith("honest") for name in left) <= 3
        assert len(streams) == MAX_STREAMS
        assert len(streams.state()["without"]) <= REMEMBERED


def test_more_live_streams_than_places_do_not_take_turns() -> None:
    left: list[str] = []
    streams = LiveStreams(on_forget=left.append)
    served = [streams.touch(f"wrist-{number}", 0.1) for _ in range(600) for number in range(70)]
    assert left == []
    assert sum(served) == 600 * MAX_STREAMS


def test_a_live_stream_that_stops_makes_room_for_one_that_was_refused() -> None:
    streams = LiveStreams(most=4)
    for _ in range(10):
        for name in "abcde":
            streams.touch(name, 1.0)
    assert "e" not in streams
    for _ in range(12):
        for name in "bcde":
            streams.touch(name, 1.0)
    assert sorted(streams) == ["b", "c", "d", "e"]


def test_a_restored_set_of_streams_goes_on_as_it_was() -> None:
    names = [f"wrist-{(7 * step) % 90}" for step in range(500)]
    whole, first, second = LiveStreams(), LiveStreams(), LiveStreams()
    expected = [whole.touch(name, 0.3) for name in names]
    before = [first.touch(name, 0.3) for name in names[:250]]
    second.restore(json.loads(json.dumps(first.state())))
    assert before + [second.touch(name, 0.3) for name in names[250:]] == expected
    assert list(second) == list(whole)


def test_a_stream_that_ends_gives_its_place_at_once() -> None:
    streams = LiveStreams(most=2)
    assert streams.touch("a", 0.1)
    assert streams.touch("b", 0.1)
    streams.forget("a")
    streams.forget("never seen")
    assert streams.touch("c", 0.1)


def test_recent_names_stay_and_the_oldest_goes() -> None:
    recent = Recent[str, int](most=2)
    for name in ("a", "b"):
        recent[name] = 1
    recent.get("a")
    recent["c"] = 1
    assert list(recent) == ["a", "c"]
