from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from kinestream.core.errors import ConfigError, DataDamaged, InputMismatch
from kinestream.core.signals import Prediction, SampleChunk, Sensing
from kinestream.inference import Engine, operating_table
from kinestream.interpret.calibration import Calibration
from kinestream.interpret.concluder import Concluder
from kinestream.interpret.episodes import Episode, EpisodeFinder
from kinestream.policy import SimulatedBattery, make_policy
from kinestream.run.pipeline import Pipeline
from kinestream.run.session import QUEUE_CHUNKS, Session
from tests.random_models import random_model
from tests.windowing.streams import cut, regular

ENGINE = Engine(random_model())
TABLE = operating_table(ENGINE)


class Chunks:
    """A source that yields the given chunks."""

    def __init__(self, chunks: list[SampleChunk], *, live: bool = False, then: Exception | None = None) -> None:
        self.name = "chunks"
        self.live = live
        self.closed = False
        self._chunks = chunks
        self._then = then

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        for chunk in self._chunks:
            yield chunk
        if self._then:
            raise self._then

    def counts(self) -> Mapping[str, int]:
        return {"skipped": 3}

    async def aclose(self) -> None:
        self.closed = True


def session(source: Chunks, policy: str = "fixed", **more: object) -> Session:
    battery = SimulatedBattery() if policy.startswith("battery") else None
    pipeline = Pipeline(ENGINE, make_policy(policy, TABLE), TABLE, battery=battery)
    return Session(source, pipeline, model_name="tiny", policy_text=policy, **more)  # type: ignore[arg-type]


async def test_subscribers_get_every_chunk_and_prediction_in_order_and_the_source_is_closed() -> None:
    source = Chunks(cut(regular(1000), 25))
    run = session(source)
    chunks: list[SampleChunk] = []
    predictions: list[Prediction] = []
    run.subscribe(chunks.append, predictions.append)
    await run.run()
    assert [chunk.seq for chunk in chunks] == list(range(0, 1000, 25))
    assert [p.index for p in predictions] == list(range((1000 - 40) // 20 + 1))
    assert source.closed


async def test_a_run_returns_its_summary() -> None:
    run = session(Chunks(cut(regular(1000), 25)))
    summary = await run.run()
    assert summary == run.summary()
    assert summary["predictions"] == (1000 - 40) // 20 + 1


async def test_a_session_and_its_parts_have_a_one_line_repr() -> None:
    run = session(Chunks(cut(regular(1000), 25)))
    await run.run()
    assert repr(run) == f"<Session of {run.source_name} with tiny, fixed: 49 predictions>"
    assert repr(run.pipeline) == f"<Pipeline of {ENGINE.model.name}: FixedPolicy, 1 streams>"
    for part in (run.table, ENGINE.model):
        assert repr(part).startswith(f"<{type(part).__name__} ")
        assert len(repr(part)) < 200
        assert "\n" not in repr(part)


async def test_a_fast_source_that_can_wait_loses_no_sample() -> None:
    source = Chunks(cut(regular(50 * QUEUE_CHUNKS), 5))
    run = session(source)
    await run.run()
    assert run.counts()["samples"] == 50 * QUEUE_CHUNKS
    assert (run.counts()["dropped"], run.counts()["lost"]) == (0, 0)


async def test_a_chunk_is_acknowledged_only_after_its_predictions_are_published() -> None:
    published: list[Prediction] = []
    acknowledgements: list[tuple[int, int]] = []

    class Acknowledged(Chunks):
        def done(self, chunks: int) -> None:
            acknowledgements.append((chunks, len(published)))

    run = session(Acknowledged(cut(regular(3000), 25)))
    run.subscribe(None, published.append)
    await run.run()
    done = 0
    for chunks, predictions in acknowledgements:
        done += chunks
        assert predictions == (25 * done - 40) // 20 + 1
    assert done == 3000 // 25


async def test_chunks_that_the_pipeline_refuses_are_not_acknowledged() -> None:
    acknowledged: list[int] = []

    class Acknowledged(Chunks):
        def done(self, chunks: int) -> None:
            acknowledged.append(chunks)

    unfit = [replace(chunk, channels=("mag_x",) * len(chunk.channels)) for chunk in cut(regular(100), 25)]
    with pytest.raises(InputMismatch):
        await session(Acknowledged(unfit)).run()
    assert acknowledged == []


async def test_a_sensor_request_is_sent_once_when_it_starts_and_once_when_it_ends() -> None:
    requests: list[tuple[str, Sensing | None]] = []

    class Steered(Chunks):
        def sense(self, stream: str, sensing: Sensing | None) -> None:
            requests.append((stream, sensing))

    chunks = cut(regular(1000), 25)
    run = session(Steered(chunks), "persistence:settle=1,sure=0,margin=0,look_s=6,fs_hz=25")
    decisions: list[Sensing | None] = []
    run.subscribe(on_prediction=lambda p: decisions.append(p.decision.sensing))
    await run.run()
    changes = [after for before, after in pairwise([None, *decisions]) if after != before]
    assert requests == [(chunks[0].stream, sensing) for sensing in changes]
    assert changes[:2] == [Sensing(25.0), None]


async def test_a_live_source_drops_its_oldest_chunks_and_counts_them_once() -> None:
    source = Chunks(cut(regular(50 * QUEUE_CHUNKS), 5), live=True)  # all at once: it never waits
    run = session(source)
    await run.run()
    counts = run.counts()
    assert counts["dropped"] > 0
    assert counts["samples"] + counts["dropped"] == 50 * QUEUE_CHUNKS
    assert counts["lost"] == 0


async def test_lost_samples_are_counted_apart_from_dropped_ones() -> None:
    first = cut(regular(50 * QUEUE_CHUNKS), 5)
    second = [replace(chunk, session="two") for chunk in cut(regular(50 * QUEUE_CHUNKS), 5)]
    del second[-3]  # lost, and among the newest chunks, which are not dropped
    run = session(Chunks([*first, *second], live=True))
    await run.run()
    counts = run.counts()
    assert counts["samples"] + counts["dropped"] == 100 * QUEUE_CHUNKS - 5
    assert counts["lost"] == 5


@pytest.mark.parametrize(("limit_s", "samples"), [(10.0, 500), (10.1, 505), (0.001, 1), (1e9, 5000)])
@pytest.mark.parametrize("size", [1, 25, 5000])
async def test_the_limit_ends_the_run_at_the_exact_sample(limit_s: float, samples: int, size: int) -> None:
    run = session(Chunks(cut(regular(5000), size)), limit_s=limit_s)
    lengths: list[int] = []
    run.subscribe(lambda chunk: lengths.append(len(chunk)))
    await run.run()
    assert run.counts()["samples"] == sum(lengths) == samples
    assert run.summary()["signal_s"] == pytest.approx(samples / 50, abs=0.005)


async def test_the_limit_does_not_wait_for_another_chunk() -> None:
    class Stalls(Chunks):
        async def chunks(self) -> AsyncIterator[SampleChunk]:
            async for chunk in super().chunks():
                yield chunk
            await asyncio.Event().wait()

    run = session(Stalls(cut(regular(500), 25)), limit_s=10.0)
    await asyncio.wait_for(run.run(), 20)
    assert run.counts()["samples"] == 500


async def test_the_summary_scores_windows_inside_one_activity_and_those_with_transitions() -> None:
    model_label = ENGINE.model.labels[0]
    labels = np.zeros(200, np.int16)
    labels[110:] = 1
    whole = regular(200, labels=labels, names=(model_label, "juggling"))
    run = session(Chunks([whole]))
    correct: list[bool] = []
    run.subscribe(on_prediction=lambda p: correct.append(p.label == model_label))
    await run.run()
    summary = run.summary()
    # Windows start at 0, 20, ... 160: 0-60 lie inside, 80 straddles with 30 of 40 samples, 100 with 10, then juggling.
    assert summary["windows_inside_one_activity"] == 4
    assert summary["windows_with_transitions"] == 5
    assert summary["windows_of_other_activities"] == 4
    assert summary["accuracy"] == pytest.approx(sum(correct[:4]) / 4, abs=1e-4)
    assert summary["accuracy_with_transitions"] == pytest.approx(sum(correct[:5]) / 5, abs=1e-4)
    assert sum(summary["share_per_subnet"].values()) == pytest.approx(1.0)
    assert summary["counts"]["skipped"] == 3
    assert summary["signal_s"] == 4.0


async def test_stop_ends_an_endless_run() -> None:
    run = session(Chunks(cut(regular(50_000), 1)))
    run.subscribe(on_prediction=lambda p: run.stop())
    await asyncio.wait_for(run.run(), 20)
    assert 0 < run.counts()["windows"] < 2000
    assert run.summary()["signal_s"] == run.counts()["samples"] / 50  # neither counts the queued chunks


async def test_an_error_of_the_source_is_raised_after_the_good_samples_are_processed() -> None:
    run = session(Chunks(cut(regular(400), 50), then=DataDamaged("row 401 is cut off")))
    with pytest.raises(DataDamaged, match="row 401"):
        await run.run()
    assert run.counts()["samples"] == 400


async def test_an_unusable_stream_ends_itself_and_no_other() -> None:
    good = cut(regular(500), 25)
    bad = [replace(chunk, stream="other", channels=chunk.channels[3:], x=chunk.x[:, 3:]) for chunk in good]
    acknowledged: list[int] = []

    class Acknowledged(Chunks):
        def done(self, chunks: int) -> None:
            acknowledged.append(chunks)

    run = session(Acknowledged([chunk for pair in zip(bad, good, strict=True) for chunk in pair]))
    run.source.gathers = True  # type: ignore[attr-defined]
    notices: list[str] = []
    run.subscribe(on_notice=lambda notice: notices.append(str(notice)))
    summary = await run.run()
    assert summary["predictions"] == (500 - 40) // 20 + 1
    assert summary["counts"]["refused"] == summary["counts"]["refused_channels"] == 500
    assert [(refusal["stream"], refusal["samples"]) for refusal in summary["refused"]] == [("other", 500)]
    assert sum(acknowledged) == 40
    assert [notice for notice in notices if "the stream is refused: the model needs acc_x" in notice]
    assert run.exit_status == 0


async def test_a_source_that_may_bring_more_streams_goes_on_after_the_first_is_refused() -> None:
    bad = [replace(chunk, stream="early", fs_hz=10.0) for chunk in cut(regular(500), 25)]
    run = session(Chunks([*bad, *cut(regular(500), 25)]))
    run.source.gathers = True  # type: ignore[attr-defined]
    assert (await run.run())["predictions"] == (500 - 40) // 20 + 1
    alone = session(Chunks(bad))
    alone.source.gathers = True  # type: ignore[attr-defined]
    await alone.run()
    assert alone.exit_status == 1
    assert "no stream could be served: early: the model reads 50 Hz, the source offers 10 Hz" in alone.failures()[0]


async def test_policy_deadline_and_battery_can_be_changed_during_a_run() -> None:
    run = session(Chunks(cut(regular(4000), 20)), "battery:hours=1")
    subnets: list[str] = []

    def change(prediction: Prediction) -> None:
        subnets.append(str(prediction.decision.subnet))
        if len(subnets) == 5:
            run.set_policy("fixed:0.25x-32")
            run.set_deadline(7.5)
            run.set_battery(0.4)

    run.subscribe(on_prediction=change)
    await run.run()
    assert subnets[-1] == "0.25x-32"
    assert (run.policy_text, run.deadline_ms) == ("fixed:0.25x-32", 7.5)
    assert run.summary()["battery"] == pytest.approx(0.4, abs=0.01)
    with pytest.raises(ConfigError, match="unknown policy"):
        run.set_policy("fxied")
    assert run.policy_text == "fixed:0.25x-32"
    with pytest.raises(ConfigError, match="positive"):
        run.set_deadline(-1)


async def test_only_a_simulated_battery_can_be_set() -> None:
    with pytest.raises(ConfigError, match="simulated"):
        session(Chunks([])).set_battery(0.5)


async def test_a_stream_too_short_for_a_window_is_noticed() -> None:
    run = session(Chunks(cut(regular(10), 5)))
    await run.run()
    (notice,) = run.notices()
    assert "no prediction: " in notice


async def test_a_deadline_that_no_subnetwork_meets_is_noticed() -> None:
    run = session(Chunks([]), "latency")
    run.pipeline.deadline_ms = 1e-6
    (notice,) = run.notices()
    assert "no subnetwork meets the deadline of 1e-06 ms; the fastest keeps " in notice
    run.pipeline.deadline_ms = 1e6
    assert run.notices() == []


async def test_a_rate_that_differs_from_the_announced_one_is_noticed() -> None:
    whole = replace(regular(1000, fs_hz=40.0), fs_hz=50.0)
    run = session(Chunks(cut(whole, 25)))
    summary = await run.run()
    rate, _gravity = run.notices()
    assert rate.startswith("s: rate 40 Hz, announced 50: -20%")
    assert [(notice.stream, notice.finding.about) for notice in run.findings()] == [("s", "rate"), ("s", "gravity")]
    (figures,) = summary["streams"]
    assert (figures["rate_hz"], figures["announced_hz"], figures["lost"]) == (40.0, 50.0, 0)
    assert figures["windows"] == summary["predictions"]


async def test_a_sensor_too_slow_for_the_model_is_shown_as_unknown_with_the_rate_that_arrives() -> None:
    whole = replace(regular(600, fs_hz=12.5), fs_hz=50.0)
    run = session(Chunks(cut(whole, 25)))
    shown: list[Prediction] = []
    lines: list[str] = []
    run.subscribe(on_prediction=shown.append, on_notice=lambda notice: lines.append(str(notice)))
    summary = await run.run()
    assert {(p.conclusion or p).label for p in shown} == {"unknown"}
    assert all(p.to_dict()["low_coverage"] for p in shown)
    assert summary["counts"]["low_coverage"] == len(shown) > 10
    expected = (
        "s: only 25 % of the samples of the windows were measured (12.5 Hz arrive, 50 announced): the activity is "
        "shown as unknown; set the sensor's rate, or pick a model for 12.5 Hz"
    )
    assert expected in lines
    assert any(line.startswith("s: only 25 %") and "windows so far" in line for line in summary["notices"])
    assert [notice.finding.about for notice in run.findings()] == ["slow", "gravity"]


async def test_open_episodes_are_published_when_the_run_fails() -> None:
    run = session(Chunks(cut(regular(400), 50), then=DataDamaged("row 401 is cut off")))
    episodes: list[Episode] = []
    labels: list[str] = []
    run.conclude(Concluder(Calibration(), 4, 0.8, unknown_below=1.0), EpisodeFinder(2.0))
    run.subscribe(
        on_prediction=lambda p: labels.append(p.conclusion.label if p.conclusion else p.label),
        on_episode=episodes.append,
    )
    with pytest.raises(DataDamaged):
        await run.run()
    assert set(labels) == {"unknown"}
    assert [(episode.label, episode.windows) for episode in episodes] == [("unknown", len(labels))]
    summary = run.summary()
    assert summary["episodes"] == 1
    assert summary["concluded"]["unknown"] == summary["predictions"] == len(labels)
