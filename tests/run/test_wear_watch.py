"""From samples to notices: a sensor worn otherwise, turned, or with postures that no up axis tells apart."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from kinestream import lab
from kinestream.core.input_spec import CLIPPED_ACC, InputSpec
from kinestream.core.signals import ACC, STILL, UNKNOWN, Prediction, SampleChunk
from kinestream.inference import Architecture, Engine, Model, operating_table
from kinestream.interpret.calibration import Calibration
from kinestream.interpret.concluder import Concluder
from kinestream.interpret.placement import Placement
from kinestream.launch.recogniser import Recogniser
from kinestream.policy import make_policy
from kinestream.run.pipeline import Pipeline
from kinestream.run.session import Session
from kinestream.windowing import ChannelMap
from tests.random_models import TINY, random_model
from tests.run.test_session import Chunks
from tests.windowing.streams import cut
from tests.windowing.test_walking_up import still, walk

X, Y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
ACC_20 = InputSpec(ACC, 20.0, 40, 20, max_gap_s=0.5, lowpass_hz=None)
AT_WAIST: Model = replace(random_model(), input=ACC_20, placement=Placement((1.0, 0.0, 0.0), 50.0, 17))
POSTURES = ("sitting", "standing")


def upright_model() -> Model:
    """Reads up, and always names ``standing``, with half of the probability."""
    six = replace(TINY, columns=6)
    assert isinstance(six, Architecture)
    channels = (*CLIPPED_ACC, "upright_acc_z", "vertical_acc", "upright_known")
    model = random_model(architecture=six)
    bias = np.array([0.0, 19.0, 20.0, 0.0], np.float32)
    return replace(
        model,
        labels=("walking", *POSTURES, "other"),
        input=replace(ACC_20, channels=channels),
        tensors=model.tensors | {"linear.bias": bias, "linear.weight": 0 * model.tensors["linear.weight"]},
        needs_up=POSTURES,
    )


ANYWHERE = upright_model()


def stream(*parts: NDArray[np.float64]) -> SampleChunk:
    x = np.concatenate(parts).astype(np.float32)
    t = np.arange(len(x)) / 20
    return SampleChunk("hip", "one", t, x, ACC, 20.0, 0, float(t[-1]))


def pipeline(model: Model, axes: str | None = None) -> Pipeline:
    engine = Engine(model)
    table = operating_table(engine, [model.full])
    channel_map = ChannelMap.parse(axes) if axes else None
    return Pipeline(engine, make_policy(f"fixed:{model.full}", table), table, channel_map=channel_map)


def predicted(model: Model, whole: SampleChunk, axes: str | None = None, size: int = 37) -> list[Prediction]:
    run = pipeline(model, axes)
    return [p for chunk in cut(whole, size) for p in run.push(chunk)] + run.flush()


def marked(predictions: list[Prediction]) -> list[float]:
    return [p.t_end_s for p in predictions if p.worn_otherwise]


def run(model: Model, whole: SampleChunk, concluder: Concluder | None = None):
    """The summary, the predictions as shown, and the notices as they came up."""
    session = Session(Chunks(cut(whole, 40)), pipeline(model), model_name=model.name, policy_text="fixed")
    session.conclude(concluder)
    shown: list[Prediction] = []
    notices: list[str] = []
    session.subscribe(on_prediction=shown.append, on_notice=lambda notice: notices.append(str(notice)))
    return asyncio.run(session.run()), shown, notices


def test_a_sensor_worn_otherwise_is_marked_after_twenty_seconds_of_walking_until_it_is_turned_back() -> None:
    times_s = marked(predicted(AT_WAIST, stream(still(30, Y), walk(60, Y), walk(60, X))))
    assert 49 <= times_s[0] <= 52
    assert 90 <= times_s[-1] <= 98
    assert np.diff(times_s).max() == pytest.approx(1.0)


def test_as_the_training_people_wore_it_nothing_is_marked() -> None:
    assert not marked(predicted(AT_WAIST, stream(walk(120, X))))
    slanted = np.array([np.cos(0.6), np.sin(0.6), 0])
    assert not marked(predicted(AT_WAIST, stream(walk(120, slanted), still(20, X))))


def test_without_movement_or_without_a_placement_nothing_is_marked() -> None:
    assert not marked(predicted(AT_WAIST, stream(still(300, Y))))
    assert not marked(predicted(replace(AT_WAIST, placement=None), stream(walk(120, Y))))


def test_turned_axes_end_it() -> None:
    assert not marked(predicted(AT_WAIST, stream(walk(120, Y)), axes="y -x z"))


def test_the_marks_do_not_depend_on_chunks_and_survive_a_move() -> None:
    whole = stream(walk(50, Y), walk(50, X))
    expected = marked(predicted(AT_WAIST, whole))
    assert expected == marked(predicted(AT_WAIST, whole, size=1000)) == marked(predicted(AT_WAIST, whole, size=1))
    before, after = cut(whole, 400)[:2], cut(whole, 400)[2:]
    first, second = pipeline(AT_WAIST), pipeline(AT_WAIST)
    predictions = [p for chunk in before for p in first.push(chunk)]
    second.restore(first.state())
    predictions += [p for chunk in after for p in second.push(chunk)] + second.flush()
    assert marked(predictions) == expected
    assert second.counts()["worn_otherwise"] == len(expected)


def test_missing_values_are_no_movement_and_no_direction() -> None:
    holes = walk(90, Y)
    holes[::7] = np.nan
    assert marked(predicted(AT_WAIST, stream(holes)))
    assert not marked(predicted(AT_WAIST, stream(np.full((1000, 3), np.nan), still(60, Y))))


def test_a_session_shows_unknown_and_says_once_why() -> None:
    summary, shown, notices = run(AT_WAIST, stream(walk(60, Y)))
    labels = {(p.conclusion or p).label for p in shown if p.worn_otherwise}
    assert labels == {UNKNOWN}
    assert all(p.conclusion is None for p in shown if not p.worn_otherwise)
    (line,) = notices
    assert line.startswith("hip: worn otherwise than tiny expects: up lies 90 degrees from where its training people")
    assert "at most 50 are usual" in line
    assert "kinestream wear" in line
    assert len(summary["notices"]) == 1
    count = summary["counts"]["worn_otherwise"]
    assert count == sum(p.worn_otherwise for p in shown)
    assert f"({count} windows so far)" in summary["notices"][0]


def test_conclusions_count_a_window_worn_otherwise_as_unknown() -> None:
    concluder = Concluder(Calibration(), 4, ACC_20.window_s, smooth=True)
    summary, shown, _ = run(AT_WAIST, stream(walk(60, Y)), concluder)
    assert summary["concluded"]["unknown"] == sum(p.worn_otherwise for p in shown) > 0


def test_a_recogniser_and_the_laboratory_say_so_too() -> None:
    predictions = Recogniser(AT_WAIST).predict(walk(60, Y), fs_hz=20)
    assert predictions.labels[-1] == UNKNOWN
    assert predictions[-1].label in AT_WAIST.labels
    assert any("worn otherwise" in line for line in predictions.notices)
    material = lab.collect(Chunks(cut(stream(walk(60, Y)), 40)), AT_WAIST)
    assert any("worn otherwise" in line for line in material.notices)


def test_postures_are_still_until_the_wearer_has_walked() -> None:
    summary, shown, notices = run(ANYWHERE, stream(still(20, Y), walk(30, Y), still(20, Y)))
    assert [(p.conclusion or p).label for p in shown if not p.up_known] == [STILL] * 30
    assert {(p.conclusion or p).label for p in shown if p.up_known} == {"standing"}
    still_confidence = {round(p.conclusion.confidence, 3) for p in shown if p.conclusion}
    assert still_confidence == {1.0}
    assert {p.label for p in shown} == {"standing"}
    (line,) = notices
    assert line.startswith("hip: no up axis yet: walk 12 s so that postures can be told apart")
    assert line.endswith("shown as still")
    (past,) = summary["notices"]
    assert past.startswith("hip: no up axis in 30 windows, until the wearer had walked")
    assert summary["counts"]["without_up"] == 30


def test_a_whole_run_without_movement_says_so_at_its_end() -> None:
    summary, shown, _ = run(ANYWHERE, stream(still(60, Y)))
    (line,) = summary["notices"]
    assert "walk 12 s" in line
    assert f"({len(shown)} windows so far)" in line
    assert all(p.to_dict()["up_known"] is False for p in shown)


def test_still_counts_as_the_posture_that_is_most_probable() -> None:
    whole = stream(still(20, Y))
    labels = np.zeros(len(whole), np.int16)
    truth = replace(whole, labels=labels, label_names=("standing",))
    concluder = Concluder(Calibration(), 4, ACC_20.window_s)
    summary, _, _ = run(ANYWHERE, truth, concluder)
    assert summary["accuracy"] == summary["concluded"]["accuracy"] == 1.0


def test_a_turned_sensor_is_announced_and_counted() -> None:
    summary, shown, notices = run(ANYWHERE, stream(walk(40, Y), walk(40, X)))
    (line,) = [line for line in notices if "up is learnt again" in line]
    assert "times" not in line
    assert summary["counts"]["up_resets"] == 1
    assert [p.up_known for p in shown].count(False) < 20


def test_the_summary_counts_how_often_up_was_learnt_again() -> None:
    summary, _, notices = run(ANYWHERE, stream(walk(40, Y), walk(40, X), walk(40, Y)))
    assert sum("up is learnt again:" in line for line in notices) == 1
    assert summary["counts"]["up_resets"] == 2
    assert any("up is learnt again (2 times so far)" in line for line in summary["notices"])


def test_a_model_that_does_not_use_up_only_counts() -> None:
    summary, shown, notices = run(replace(AT_WAIST, placement=None), stream(walk(40, Y), walk(40, X)))
    assert (notices, summary["notices"], summary["counts"]["up_resets"]) == ([], [], 1)
    assert all(p.up_known is None for p in shown)
