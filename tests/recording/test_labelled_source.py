"""Labels given by hand as samples arrive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.signals import UNLABELLED, SampleChunk
from kinestream.recording.labelled_source import LabelledSource
from tests.run.test_session import Chunks
from tests.windowing.streams import cut, regular

LABELS = ("walking", "sitting")


async def labels_of(source: LabelledSource, act: Callable[[int], None] = lambda number: None) -> list[int | None]:
    """The label of each sample; ``act`` is called with a chunk's number before it arrives."""
    given: list[int | None] = []
    act(0)
    number = 0
    async for chunk in source.chunks():
        number += 1
        codes = [None] * len(chunk) if chunk.labels is None else chunk.labels.tolist()
        assert chunk.labels is None or chunk.label_names
        given += codes
        act(number)
    return given


async def test_a_live_sample_has_the_label_in_force_when_it_was_taken() -> None:
    now = 0.0
    source = LabelledSource(Chunks(cut(regular(200), 50), live=True), LABELS, at_first=0, clock=lambda: now)

    def act(number: int) -> None:
        nonlocal now
        now = number * 1.0  # chunks of one second: when a chunk arrives, its second is over
        if number == 1:
            now = 1.5
            source.choose(1)
        if number == 3:
            now = 3.0
            source.choose(None)

    given = await labels_of(source, act)
    assert given == [0] * 75 + [1] * 75 + [UNLABELLED] * 50


async def test_a_played_chunk_has_the_label_in_force_when_it_is_played() -> None:
    source = LabelledSource(Chunks(cut(regular(200), 50)), LABELS, at_first=1)
    given = await labels_of(source, lambda number: source.choose(0) if number == 2 else None)
    assert given == [1] * 100 + [0] * 100


async def test_until_the_first_choice_a_source_keeps_its_own_labels() -> None:
    whole = regular(200, labels=np.full(200, 2, np.int16), names=("a", "b", "c"))
    source = LabelledSource(Chunks(cut(whole, 50)), LABELS)
    given = await labels_of(source, lambda number: source.choose(1) if number == 3 else None)
    assert given == [2] * 150 + [1] * 50


async def test_counts_and_notices_of_the_source_are_passed_on() -> None:
    inner = Chunks(cut(regular(10), 5))
    source = LabelledSource(inner, LABELS, at_first=0)
    (first, _) = [chunk async for chunk in source.chunks()]
    before: SampleChunk = inner._chunks[0]
    assert all(getattr(first, f.name) is getattr(before, f.name) for f in fields(before) if "label" not in f.name)
    assert (source.name, source.live, source.counts(), source.label) == ("chunks", False, {"skipped": 3}, "walking")
    await source.aclose()
    assert inner.closed


@pytest.mark.parametrize("labels", [(), ("a", "a"), ("a", "")])
def test_a_repeated_label_is_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="each once"):
        LabelledSource(Chunks([]), labels)


def test_a_number_beyond_the_labels_is_refused() -> None:
    with pytest.raises(ConfigError, match="no label number 3; there are 2: walking, sitting"):
        LabelledSource(Chunks([]), LABELS).choose(2)
