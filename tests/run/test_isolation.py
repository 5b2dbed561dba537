"""A stream that cannot be used ends itself, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kinestream.core.signals import SampleChunk
from kinestream.inference import Engine
from kinestream.policy import make_policy
from kinestream.run.pipeline import Pipeline
from kinestream.windowing import ChannelMap
from tests.random_models import random_model
from tests.windowing.streams import cut, regular

from .test_pipeline import TABLE

ENGINE = Engine(random_model())


def pipeline(**more: Any) -> Pipeline:
    return Pipeline(ENGINE, make_policy("fixed", TABLE), TABLE, **more)


def _changing(chunk: SampleChunk) -> SampleChunk:
    columns = 6 if chunk.seq < 40 else 5
    return replace(chunk, x=chunk.x[:, :columns], channels=chunk.channels[6 - columns :])


POISON: dict[str, tuple[str, Callable[[SampleChunk], SampleChunk]]] = {
    "no accelerometer": ("channels", lambda c: replace(c, x=c.x[:, 3:], channels=c.channels[3:])),
    "unknown channels": ("channels", lambda c: replace(c, channels=tuple("abcdef"))),
    "one axis": ("channels", lambda c: replace(c, x=c.x[:, :1], channels=c.channels[:1])),
    "too slow": ("rate", lambda c: replace(c, fs_hz=5.0)),
    "no rate": ("numbers", lambda c: replace(c, fs_hz=0.0)),
    "a negative rate": ("numbers", lambda c: replace(c, fs_hz=-50.0)),
    "a rate that is not a number": ("numbers", lambda c: replace(c, fs_hz=float("nan"))),
    "an infinite rate": ("numbers", lambda c: replace(c, fs_hz=float("inf"))),
    "a number of 2^63": ("numbers", lambda c: replace(c, seq=c.seq + 2**63)),
    "a negative number": ("numbers", lambda c: replace(c, seq=c.seq - 100)),
    "fewer columns than names": ("layout", lambda c: replace(c, x=c.x[:, :4])),
    "fewer rows than times": ("layout", lambda c: replace(c, x=c.x[:-1])),
    "flat values": ("layout", lambda c: replace(c, x=c.x.reshape(-1))),
    "labels without names": ("numbers", lambda c: replace(c, labels=np.full(len(c), 7, np.int16))),
    "a changing layout": ("channels", _changing),
}


@pytest.mark.parametrize("which", POISON)
@pytest.mark.parametrize("axes", [None, "-y x z"])
def test_a_poison_stream_is_refused_and_the_others_are_served(which: str, axes: str | None) -> None:
    kind, spoil = POISON[which]
    channel_map = ChannelMap.parse(axes) if axes else None
    good = cut(regular(400), 20)
    pipe, alone = pipeline(channel_map=channel_map), pipeline(channel_map=channel_map)
    predictions = []
    for chunk in good:
        predictions += pipe.push(spoil(replace(chunk, stream="poison")))
        predictions += pipe.push(chunk)
    expected = [prediction for chunk in good for prediction in alone.push(chunk)]
    served = [prediction for prediction in predictions if prediction.stream == "s"]
    assert [(p.index, p.probs.tobytes()) for p in served] == [(p.index, p.probs.tobytes()) for p in expected]
    (refusal,) = pipe.refusals()
    assert (refusal.stream, refusal.kind) == ("poison", kind)
    assert "; " in refusal.reason
    counts = pipe.counts()
    assert counts["samples"] + counts["refused"] == 800
    assert counts["refused"] == counts[f"refused_{kind}"] == refusal.samples > 300
    assert counts["lost"] == 0
    assert list(pipe.flush()) == list(alone.flush()) == []


def test_a_stream_is_served_again_in_its_next_epoch_or_in_another_form() -> None:
    pipe = pipeline()
    chunks = cut(regular(400), 20)
    for chunk in chunks[:5]:
        pipe.push(replace(chunk, fs_hz=5.0))
    assert pipe.refusals()
    first = [prediction for chunk in chunks[5:] for prediction in pipe.push(chunk)]
    assert pipe.refusals() == []
    assert first
    for chunk in chunks[:3]:
        pipe.push(replace(chunk, session="two", channels=tuple("abcdef")))
    assert [prediction for chunk in chunks for prediction in pipe.push(replace(chunk, session="three"))]
    counts = pipe.counts()
    assert counts["refused"] == 160
    assert counts["samples"] == 700
    assert counts["lost"] == 0


def test_samples_refused_inside_an_epoch_are_not_called_lost() -> None:
    pipe = pipeline()
    for number, chunk in enumerate(cut(regular(400), 20)):
        pipe.push(replace(chunk, channels=tuple("abcdef")) if number in (5, 6, 11) else chunk)
    counts = pipe.counts()
    assert (counts["samples"], counts["refused"], counts["lost"]) == (340, 60, 0)


def test_a_restored_pipeline_keeps_refusing() -> None:
    chunks = [replace(chunk, fs_hz=5.0) for chunk in cut(regular(400), 20)]
    first, second = pipeline(), pipeline()
    for chunk in chunks[:10]:
        first.push(chunk)
    second.restore(json.loads(json.dumps(first.state())))
    refused: list[str] = []
    second.on_refused(lambda refusal: refused.append(refusal.stream))
    for chunk in chunks[10:]:
        first.push(chunk)
        second.push(chunk)
    assert second.counts() == first.counts()
    assert [refusal.to_dict() for refusal in second.refusals()] == [refusal.to_dict() for refusal in first.refusals()]
    assert refused == []


def test_a_stream_is_refused_aloud_once(caplog: pytest.LogCaptureFixture) -> None:
    pipe = pipeline()
    for chunk in cut(regular(400), 20):
        pipe.push(replace(chunk, fs_hz=5.0))
    assert caplog.text.count("stream s is refused, the others go on: the model reads 50 Hz") == 1


def test_a_thousand_short_streams_are_all_served_and_forgotten() -> None:
    pipe = pipeline()
    chunks = cut(regular(60), 20)
    predictions = [
        prediction
        for number in range(1000)
        for chunk in chunks
        for prediction in pipe.push(replace(chunk, stream=f"wrist-{number}"))
    ]
    assert len({prediction.stream for prediction in predictions}) == 1000
    assert pipe.refusals() == []
    assert pipe.counts()["samples"] == 60_000
    assert pipe.counts()["windows"] == len(predictions)
    state = pipe.state()
    assert len(state["streams"]) == len(state["elapsed"]["streams"]) == 64
    assert len(state["loop"]["own"]) <= 64


def test_a_flood_of_names_leaves_the_honest_streams_as_they_are() -> None:
    pipe, alone = pipeline(), pipeline()
    whole = regular(2000)
    predictions, flood = [], regular(20)
    for step, chunk in enumerate(cut(whole, 20)):
        predictions += pipe.push(chunk)
        for number in range(100):
            pipe.push(replace(flood, stream=f"flood-{step}-{number}"))
    expected = [prediction for chunk in cut(whole, 20) for prediction in alone.push(chunk)]
    served = [prediction for prediction in predictions if prediction.stream == "s"]
    assert len(served) >= len(expected) - 2
    counts = pipe.counts()
    assert counts["samples"] + counts.get("refused", 0) == 2000 + 100 * 100 * 20
    assert len(pipe.state()["streams"]) == 64
    assert len(pipe.refusals()) <= 64


def test_a_pipeline_restored_amid_a_flood_continues_identically() -> None:
    chunks = [replace(chunk, stream=f"n{(3 * k) % 80}") for k in range(40) for chunk in cut(regular(60), 20)]
    first, second = pipeline(), pipeline()
    for chunk in chunks[:70]:
        first.push(chunk)
    second.restore(first.state())
    for chunk in chunks[70:]:
        assert [p.probs.tobytes() for p in first.push(chunk)] == [p.probs.tobytes() for p in second.push(chunk)]
    assert first.counts() == second.counts()
