"""A chunk is released once, in order, when every consumer is done with it and with all before it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.completion import Completion


@given(st.permutations(range(12)), st.permutations(range(12)))
def test_chunks_are_released_in_order_whatever_the_order_of_the_consumers(first: list[int], second: list[int]) -> None:
    released: list[int] = []
    completion = Completion(["pipeline", "recorder"], released.append)
    done: dict[str, set[int]] = {"pipeline": set(), "recorder": set()}
    for a, b in zip(first, second, strict=True):
        for consumer, chunk in (("pipeline", a), ("recorder", b)):
            completion.done(consumer, [chunk])
            done[consumer].add(chunk)
            both = done["pipeline"] & done["recorder"]
            assert sum(released) == next(number for number in range(13) if number not in both)
    assert sum(released) == 12


def test_a_withheld_chunk_and_later_ones_are_never_released() -> None:
    released: list[int] = []
    completion = Completion(["pipeline"], released.append)
    completion.done("pipeline", range(3))
    completion.withhold(5)
    completion.done("pipeline", range(3, 9))
    assert released == [3, 2]
