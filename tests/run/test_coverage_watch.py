"""Windows of which too little was measured: marked, withheld and noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.evidence import StreamFigures
from kinestream.core.signals import ACC, GYRO, Decision, Prediction, SampleChunk, Sensing
from kinestream.inference import Engine, find_model, load_model
from kinestream.interpret.withhold import withhold
from kinestream.launch.build_pipeline import build_pipeline
from kinestream.policy import PolicyState
from kinestream.run.coverage_watch import CoverageWatch
from kinestream.run.pipeline import Pipeline

FIXED = "fixed:1x-128"


@pytest.fixture(scope="module")
def make_pipeline() -> Callable[..., Pipeline]:
    engine = Engine(load_model(find_model("uci_kinet")))
    return lambda **options: build_pipeline(engine, FIXED, **options)


def chunks(
    rate_hz: float,
    announced_hz: float = 50.0,
    *,
    size: int = 20,
    seconds: float = 20.0,
    missing: slice | np.ndarray | None = None,
) -> Iterator[SampleChunk]:
    """A calm sensor that keeps one rate and announces another, without a counter."""
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    if missing is not None:
        t = np.delete(t, missing)
    x = np.tile(np.array([0, 0, 9.81, 0, 0, 0], np.float32), (len(t), 1))
    for at in range(0, len(t), size):
        part = slice(at, at + size)
        yield SampleChunk(
            "wrist", "a", t[part], x[part], (*ACC, *GYRO), announced_hz, at, received_s=float(t[part][-1])
        )


def predictions(pipeline: Pipeline, stream: Iterator[SampleChunk]) -> list[Prediction]:
    return [p for chunk in stream for p in pipeline.push(chunk)] + pipeline.flush()


@pytest.mark.parametrize(
    ("rate_hz", "is_low"),
    [(12.5, True), (13.1, True), (25.0, True), (34.0, True), (38.0, True), (39.4, False), (40.0, False), (50.0, False)],
)
def test_windows_of_a_sensor_slower_than_the_model_bears_are_marked(
    make_pipeline: Callable[..., Pipeline], rate_hz: float, is_low: bool
) -> None:
    pipeline = make_pipeline()
    shown = predictions(pipeline, chunks(rate_hz))
    assert len(shown) > 5
    assert {p.low_coverage for p in shown} == {is_low}
    assert pipeline.counts().get("low_coverage", 0) == is_low * len(shown)
    assert {withhold(p, ()).conclusion is None for p in shown} == {not is_low}


def test_marks_do_not_depend_on_how_the_stream_is_cut(make_pipeline: Callable[..., Pipeline]) -> None:
    for rate_hz in (50.0, 38.6):
        marks = []
        for size in (1, 7, 1000):
            shown = predictions(make_pipeline(), chunks(rate_hz, size=size, missing=slice(200, 210)))
            marks.append([(p.index, p.low_coverage, p.coverage) for p in shown])
        assert marks[0] == marks[1] == marks[2]


@pytest.mark.parametrize("rate_hz", [40.0, 50.0, 77.45])
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_sensor_that_is_fast_enough_is_not_called_slow_for_what_it_loses(
    make_pipeline: Callable[..., Pipeline], rate_hz: float, share: float
) -> None:
    lost = np.random.default_rng(1).random(int(60 * rate_hz)) < share
    stream = chunks(rate_hz, rate_hz, seconds=60.0, missing=np.flatnonzero(lost))
    for p in predictions(make_pipeline(), stream):
        assert p.low_coverage == (p.coverage <= 0.5)


@pytest.mark.parametrize("announced_hz", [50.0, 52.0, 60.0, 100.0, 200.0])
def test_a_sensor_as_fast_as_the_model_is_never_refused_whatever_it_announces(
    make_pipeline: Callable[..., Pipeline], announced_hz: float
) -> None:
    shown = predictions(make_pipeline(), chunks(50.0, announced_hz))
    assert {p.coverage for p in shown} == {1.0}


def test_a_sensor_that_a_policy_slows_down_is_never_refused(make_pipeline: Callable[..., Pipeline]) -> None:
    class Slow:
        kind = "slow"

        def decide(self, state: PolicyState) -> Decision:
            return Decision(pipeline.table.points[0].subnet, "slow", sensing=Sensing(12.5))

    pipeline = make_pipeline()
    pipeline.policy = Slow()
    shown = predictions(pipeline, chunks(50.0, seconds=30.0))
    assert pipeline.counts()["thinned"] > 500
    assert not any(p.low_coverage for p in shown)

    # a device that obeys announces its new rate
    pipeline = make_pipeline()
    pipeline.policy = Slow()
    obeyed = [*chunks(50.0, seconds=6.0)]
    slower = [
        replace(chunk, t=chunk.t + 6.0, seq=300 + chunk.seq, received_s=chunk.received_s + 6)
        for chunk in chunks(12.5, 12.5)
    ]
    assert not any(p.low_coverage for p in predictions(pipeline, iter([*obeyed, *slower])))


def test_a_restored_pipeline_continues_to_count(make_pipeline: Callable[..., Pipeline]) -> None:
    first, second = make_pipeline(), make_pipeline()
    stream = list(chunks(12.5))
    before = [p for chunk in stream[:6] for p in first.push(chunk)]
    second.restore(first.state())
    after = [p for chunk in stream[6:] for p in second.push(chunk)] + second.flush()
    assert second.counts()["low_coverage"] == len(before) + len(after)
    assert second.coverage.notices() == [str(second.coverage.notice("wrist"))]
    released = {name: value for name, value in first.state().items() if name != "coverage"}
    second.restore(released)  # the state of an earlier release
    assert second.coverage.counts() == {}


def test_the_limit_can_be_set_and_turned_off(make_pipeline: Callable[..., Pipeline]) -> None:
    assert not any(p.low_coverage for p in predictions(make_pipeline(min_coverage=0.0), chunks(12.5)))
    assert any(
        p.low_coverage for p in predictions(make_pipeline(min_coverage=1.0), chunks(50.0, missing=slice(200, 205)))
    )
    for least in (-0.1, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="expected a share"):
            CoverageWatch(least)


def figures(**changes: object) -> StreamFigures:
    return replace(StreamFigures("wrist", ACC, 50.0, rate_hz=50.0, burst_samples=1), **changes)


def test_the_notice_names_the_cause_and_what_to_do(make_pipeline: Callable[..., Pipeline]) -> None:
    pipeline = make_pipeline()
    first = predictions(pipeline, iter([next(chunks(12.5, size=40))]))
    assert len(first) == 1
    watch = pipeline.coverage
    assert watch.take_new() == ["wrist"]
    for known, cause, advice in (
        (None, "interpolated over holes", "bring the receiver closer"),
        (figures(), "interpolated over holes", "--min-coverage 0"),
        (figures(rate_hz=12.5), "(12.5 Hz arrive, 50 announced)", "pick a model for 12.5 Hz"),
        (figures(burst_samples=12), "(12 samples come with one time)", "stamp each sample"),
    ):
        text = str(watch.notice("wrist", known))
        assert text.startswith("wrist: only 25 % of the samples of the windows were measured")
        assert "the activity is shown as unknown" in text
        assert cause in text
        assert advice in text


def test_a_sensor_a_little_too_slow_is_called_so(make_pipeline: Callable[..., Pipeline]) -> None:
    pipeline = make_pipeline()
    assert all(p.low_coverage for p in predictions(pipeline, chunks(36.0)))
    text = str(pipeline.coverage.notice("wrist", figures(rate_hz=36.0)))
    assert text.startswith("wrist: the samples come more slowly than the model bears (36 Hz arrive, 50 announced)")
    assert "pick a model for 36 Hz" in text
    later = list(chunks(50.0))
    shown = predictions(pipeline, (replace(c, t=c.t + 30, session="b", received_s=c.received_s + 30) for c in later))
    assert not any(p.low_coverage for p in shown)
    [past] = pipeline.coverage.past()
    assert past.startswith("wrist: the samples came more slowly than the model bears in ")


def test_a_short_spell_is_told_as_past(make_pipeline: Callable[..., Pipeline]) -> None:
    pipeline = make_pipeline()
    t = np.arange(1000) / 50.0
    holey = (t > 5) & (t < 8) & (np.arange(1000) % 10 > 0)
    x = np.tile(np.array([0, 0, 9.81, 0, 0, 0], np.float32), (1000, 1))
    kept = ~holey
    chunk = SampleChunk("wrist", "a", t[kept], x[kept], (*ACC, *GYRO), 50.0, 0, 20.0)
    shown = predictions(pipeline, iter([chunk]))
    low = sum(p.low_coverage for p in shown)
    assert 0 < low < 4
    assert pipeline.coverage.notices() == []
    windows = f"{low} window{'s' * (low > 1)}"
    assert pipeline.coverage.past() == [
        f"wrist: at most 50 % of the samples were measured in {windows}, shown as unknown"
    ]
