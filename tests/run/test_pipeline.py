from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinestream.core.errors import ConfigError
from kinestream.core.operating_table import OperatingTable, SensingRow
from kinestream.core.signals import GYRO, Prediction, SampleChunk, Sensing, Subnet
from kinestream.inference import Engine, Output, operating_table
from kinestream.policy import SimulatedBattery, make_policy
from kinestream.run.pipeline import Pipeline
from tests.random_models import TINY, random_model
from tests.windowing.streams import cut, regular

MODEL = random_model()


class SteadyEngine(Engine):
    """Takes as long for every window: the age of the data, which the policy ``loss`` reads, contains the latency."""

    def predict(self, x: NDArray[np.float32], subnet: Subnet) -> Output:
        return replace(super().predict(x, subnet), latency_ms=1.0)


ENGINE = SteadyEngine(MODEL)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> OperatingTable:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KINESTREAM_CACHE", str(tmp_path_factory.mktemp("cache")))
        return operating_table(ENGINE)


def pipeline(table: OperatingTable, policy: str = "fixed", **more: object) -> Pipeline:
    return Pipeline(ENGINE, make_policy(policy, table), table, **more)  # type: ignore[arg-type]


def content(predictions: list[Prediction]) -> list[tuple[object, ...]]:
    """The parts of a prediction that must not depend on the machine's speed or on chunking."""
    return [
        (
            p.stream,
            p.session,
            p.index,
            p.t_start_s,
            p.t_end_s,
            p.label,
            p.probs.tobytes(),
            p.decision,
            p.energy_mj,
            p.coverage,
            p.truth,
            p.truth_share,
            p.battery_frac,
        )
        for p in predictions
    ]


def run(pipe: Pipeline, chunks: list[SampleChunk]) -> list[Prediction]:
    return [prediction for chunk in chunks for prediction in pipe.push(chunk)] + pipe.flush()


def test_a_prediction_describes_its_window(table: OperatingTable) -> None:
    labels = np.zeros(400, np.int16)
    predictions = run(pipeline(table, "fixed:0.5x-32"), cut(regular(400, labels=labels), 25))
    assert len(predictions) == (400 - 40) // 20 + 1
    first = predictions[0]
    assert (first.t_start_s, first.t_end_s) == (0.0, pytest.approx(39 / 50))
    assert first.label in MODEL.labels
    assert first.probs.sum() == pytest.approx(1.0, abs=1e-5)
    assert first.confidence == first.probs.max()
    assert first.decision.subnet == Subnet(0.5, 32)
    assert first.latency_ms > 0
    assert first.energy_mj == table[Subnet(0.5, 32)].energy_mj
    assert first.truth == "walking"
    # The chunk arrives with its newest sample, 10 samples after the last sample of the window.
    assert first.age_ms == pytest.approx(10 / 50 * 1000 + first.latency_ms)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=4))
def test_predictions_are_identical_however_the_stream_is_cut(sizes: list[int]) -> None:
    table = TABLE
    battery = {"battery": SimulatedBattery(capacity_j=1.0)}
    expected = content(run(pipeline(table, "battery:hours=0.1", **battery), [regular(900)]))
    battery = {"battery": SimulatedBattery(capacity_j=1.0)}
    assert content(run(pipeline(table, "battery:hours=0.1", **battery), cut(regular(900), sizes))) == expected


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=4))
def test_predictions_at_a_lower_sensor_rate_are_identical_however_the_stream_is_cut(sizes: list[int]) -> None:
    whole = regular(900)
    pipes = [pipeline(TABLE, "persistence:settle=1,sure=0,margin=0,look_s=4,fs_hz=12.5") for _ in range(2)]
    expected = run(pipes[0], [whole])
    assert {p.decision.sensing for p in expected} == {None, Sensing(12.5)}
    assert content(run(pipes[1], cut(whole, sizes))) == content(expected)
    assert pipes[0].counts() == pipes[1].counts()
    assert pipes[0].counts()["thinned"] > 100
    assert pipes[0].counts()["samples"] + pipes[0].counts()["thinned"] == 900
    assert pipes[0].counts()["gaps"] == pipes[0].counts()["lost"] == 0


def test_a_policy_that_stops_the_gyroscope_loses_no_window() -> None:
    engine = Engine(random_model("six", replace(TINY, columns=6)))
    table = replace(TABLE, model="six")
    runs = [
        run(Pipeline(engine, make_policy(policy, table), table), cut(regular(600), 25))
        for policy in ("fixed", "fixed+sensing:fs_hz=50,gyro=false")
    ]
    awake, asleep = runs
    assert [p.index for p in asleep] == [p.index for p in awake]
    same = {a.t_start_s: a.probs.tobytes() == b.probs.tobytes() for a, b in zip(awake, asleep, strict=True)}
    assert same[0.0]
    assert not any(equal for start_s, equal in same.items() if start_s > 2.1)
    assert "as set" in asleep[-1].decision.reason


def test_a_slower_device_is_accepted_only_if_the_policy_asked_for_it() -> None:
    whole = regular(800)
    first, second = whole.part(0, 400), whole.part(400, 800)
    slower = replace(second, t=second.t[::2], x=second.x[::2], fs_hz=25.0)
    asked = pipeline(TABLE, "fixed+sensing:fs_hz=25")
    predictions = run(asked, [*cut(first, 25), *cut(slower, 25)])
    assert predictions[-1].t_end_s > 15
    assert asked.counts()["gaps"] == 0
    refusing = pipeline(TABLE)
    run(refusing, [*cut(first, 25), slower])
    assert "the source offers 25 Hz" in refusing.refusals()[0].reason
    assert refusing.counts()["refused_rate"] == len(slower)


@pytest.mark.parametrize("fs_hz", [1.0, 1e-9])
def test_a_sensor_rate_too_low_for_windows_is_raised_to_the_lowest_that_works(fs_hz: float) -> None:
    pipe = pipeline(TABLE, f"fixed+sensing:fs_hz={fs_hz}")
    predictions = run(pipe, cut(regular(900), 25))
    assert predictions[-1].t_end_s > 17
    assert predictions[-1].decision.sensing == Sensing(5.0)
    assert predictions[-1].decision.reason.endswith("rate raised: windows cannot be cut below 5 Hz")
    assert pipe.counts()["gaps"] == 0


def test_a_battery_drains_slower_by_the_energy_the_sensor_saves() -> None:
    rows = (SensingRow(Sensing(50.0), {}, 10.0), SensingRow(Sensing(25.0), {}, 4.0))
    table = replace(TABLE, sensing=rows)
    batteries = [SimulatedBattery(capacity_j=1.0, base_mw=10.0) for _ in range(2)]
    for battery, policy in zip(batteries, ("fixed", "fixed+sensing:fs_hz=25"), strict=True):
        run(pipeline(table, policy, battery=battery), cut(regular(800), 25))
    full, saving = (battery.state()["left_j"] for battery in batteries)
    windows_s = (800 - 40) / 50  # from the first window's end on
    assert (saving - full) == pytest.approx(6.0 / 1000 * windows_s, rel=0.05)


def test_a_restored_pipeline_keeps_the_requested_sensor_rate() -> None:
    policy = "persistence:settle=1,sure=0,margin=0,look_s=4,fs_hz=12.5"
    chunks = cut(regular(900), 25)
    original, restored = pipeline(TABLE, policy), pipeline(TABLE, policy)
    for chunk in chunks[:15]:
        original.push(chunk)
    restored.restore(original.state())
    assert content(run(restored, chunks[15:])) == content(run(original, chunks[15:]))
    assert restored.counts() == original.counts()


TABLE = replace(
    operating_table(ENGINE, power_w=1.0),
    points=tuple(
        replace(point, energy_mj=point.macs * 1e-5, p50_ms=1.0, p95_ms=2.0) for point in operating_table(ENGINE).points
    ),
)
"""A table with fixed costs, so that decisions do not depend on the machine's speed."""


def through_json(state: dict[str, Any]) -> dict[str, Any]:
    """The state after a round trip through JSON, arrays kept apart: nothing in it needs pickle."""
    arrays: list[np.ndarray] = []

    def put(value: object) -> dict[str, int]:
        assert isinstance(value, np.ndarray), type(value)
        arrays.append(value)
        return {"array": len(arrays) - 1}

    text = json.dumps(state, default=put)
    return json.loads(text, object_hook=lambda value: arrays[value["array"]] if "array" in value else value)


def test_a_restored_pipeline_continues_identically() -> None:
    chunks = cut(regular(1500), 37)
    original = pipeline(TABLE, "battery:hours=0.01", battery=SimulatedBattery(capacity_j=0.5))
    for chunk in chunks[:20]:
        original.push(chunk)
    restored = pipeline(TABLE, "battery:hours=0.01", battery=SimulatedBattery(capacity_j=0.5))
    restored.restore(through_json(original.state()))
    rest = content(run(original, chunks[20:]))
    assert rest == content(run(restored, chunks[20:]))
    assert len(rest) > 20
    assert original.counts() == restored.counts()


def test_parallel_streams_do_not_affect_each_other() -> None:
    first = regular(600)
    second = replace(regular(600), stream="other", x=first.x[::-1].copy())
    mixed = [c for pair in zip(cut(first, 20), cut(second, 20), strict=True) for c in pair]
    together = run(pipeline(TABLE), mixed)
    alone = run(pipeline(TABLE), cut(second, 20))
    assert content([p for p in together if p.stream == "other"]) == content(alone)


def test_the_subnetwork_shrinks_as_the_battery_drains() -> None:
    pipe = pipeline(TABLE, "battery:hours=0.02", battery=SimulatedBattery(capacity_j=0.03, base_mw=0.1))
    predictions = run(pipe, cut(regular(50 * 60), 50))
    charges = [p.battery_frac or 0.0 for p in predictions]
    assert charges == sorted(charges, reverse=True)
    assert charges[-1] < charges[0]
    assert len({p.decision.subnet for p in predictions}) > 1


def test_a_stream_that_cannot_feed_the_model_is_refused() -> None:
    chunk = SampleChunk("s", "one", np.arange(9) / 50, np.zeros((9, 3), np.float32), GYRO, 50.0, 0, 0.0)
    pipe = pipeline(TABLE)
    assert pipe.push(chunk) == pipe.push(replace(chunk, seq=9)) == []
    (refusal,) = pipe.refusals()
    assert "needs acc_x, acc_y, acc_z, the source offers gyro_x" in refusal.reason
    assert (refusal.kind, refusal.chunks, refusal.samples) == ("channels", 2, 18)
    assert not pipe.has_served


def test_one_stream_too_many_is_refused_while_all_others_send() -> None:
    pipe = pipeline(TABLE)
    whole = cut(regular(200), 20)
    for chunk in whole:
        for number in range(65):
            pipe.push(replace(chunk, stream=str(number)))
    (refusal,) = pipe.refusals()
    assert refusal.stream == "64"
    assert refusal.reason.startswith("64 streams are served already")
    counts = pipe.counts()
    assert counts["samples"] + counts["refused_too_many"] == 65 * 200
    assert counts["refused_too_many"] >= 180


def test_with_a_clock_the_age_includes_the_waiting_time() -> None:
    (first, *_) = run(pipeline(TABLE, clock=lambda: 100.0), [regular(40)])
    assert first.age_ms == pytest.approx((100 - 39 / 50) * 1000)


def test_a_streams_start_time_does_not_drain_the_battery() -> None:
    chunk = replace(regular(200), session="", t=1.7e9 + np.arange(200) / 50)
    now = run(pipeline(TABLE, "battery:hours=1", battery=SimulatedBattery()), [regular(200)])
    later = run(pipeline(TABLE, "battery:hours=1", battery=SimulatedBattery()), [chunk])
    assert [p.decision for p in later] == [p.decision for p in now]
    assert [p.battery_frac for p in later] == pytest.approx([p.battery_frac for p in now])


@pytest.mark.parametrize("wrong", [{"hop": 0}, {"hop": 41}, {"max_gap_s": 0.0}, {"max_gap_s": 10.0}])
def test_an_impossible_hop_or_gap_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        pipeline(TABLE, **wrong)


def test_a_shorter_hop_gives_more_predictions() -> None:
    assert len(run(pipeline(TABLE, hop=10), [regular(400)])) == 37


def test_windows_skipped_by_the_policys_hop_are_counted() -> None:
    hopping = "persistence:settle=1,sure=0,margin=0,look_s=5,hop=3"
    pipe = pipeline(TABLE, hopping, battery=SimulatedBattery(capacity_j=0.5))
    predictions = run(pipe, cut(regular(3000), 50))
    steps = [later.index - earlier.index for earlier, later in pairwise(predictions)]
    assert steps == [prediction.decision.hop for prediction in predictions[:-1]]
    assert set(steps) == {1, 3}
    assert pipe.counts()["passed_over"] == pipe.counts()["windows"] - len(predictions)
    assert "passed_over" not in pipeline(TABLE).counts()


def test_a_pipeline_restored_between_two_hops_continues_identically() -> None:
    text = "persistence:settle=2,sure=0,margin=0,look_s=3,hop=4+battery:hours=0.01+loss"
    chunks = cut(regular(1500), 19)
    original = pipeline(TABLE, text, battery=SimulatedBattery(capacity_j=0.5))
    for chunk in chunks[:37]:
        original.push(chunk)
    restored = pipeline(TABLE, text, battery=SimulatedBattery(capacity_j=0.5))
    restored.restore(through_json(original.state()))
    assert content(run(original, chunks[37:])) == content(run(restored, chunks[37:]))
    assert original.counts() == restored.counts()


def test_a_policy_decides_for_each_wearer_independently() -> None:
    text = "persistence:settle=3,sure=0,margin=0,look_s=4"
    first = regular(1200)
    second = replace(first, stream="other", x=first.x[::-1].copy())
    mixed = [c for pair in zip(cut(first, 20), cut(second, 20), strict=True) for c in pair]
    together = run(pipeline(TABLE, text), mixed)
    alone = run(pipeline(TABLE, text), cut(second, 20))
    assert content([p for p in together if p.stream == "other"]) == content(alone)
    assert len({p.decision.subnet for p in alone}) > 1


def test_stepping_through_due_windows_gives_the_predictions_of_push() -> None:
    """Many pipelines can share a batch: ``due``, run the network, ``conclude``."""
    policy = "persistence:hop=2+sensing:fs_hz=25"
    pushed, stepped = pipeline(TABLE, policy), pipeline(TABLE, policy)
    chunks = list(cut(regular(900), 25))
    expected = run(pushed, chunks)
    predictions = []
    for chunk in chunks:
        for due in stepped.due(chunk):
            output = stepped.engine.predict(due.window.x, due.decision.subnet)
            predictions.append(stepped.conclude(due, output))
    assert [p.decision for p in predictions] == [p.decision for p in expected]
    assert [p.probs.tobytes() for p in predictions] == [p.probs.tobytes() for p in expected]


def test_every_observer_of_a_pipeline_gets_every_prediction() -> None:
    pipe = pipeline(TABLE)
    first, second = [], []
    pipe.observe(lambda prediction, _: first.append(prediction))
    pipe.observe(lambda prediction, _: second.append(prediction))
    predictions = run(pipe, cut(regular(400), 25))
    assert predictions
    assert [id(p) for p in first] == [id(p) for p in second] == [id(p) for p in predictions]
