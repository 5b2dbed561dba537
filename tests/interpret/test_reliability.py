from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.input_spec import CLIPPED_ACC, UPRIGHT_ACC, UPRIGHT_KNOWN
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY, UNKNOWN, Prediction, Subnet
from kinestream.interpret.calibration import Calibration
from kinestream.interpret.concluder import Concluder
from kinestream.interpret.movement import Movement
from kinestream.interpret.pool import Pool
from kinestream.interpret.reliability import FEATURES, Profile, Reliability, with_confidence

from .predictions import WINDOW_S, prediction

RNG = np.random.default_rng(3)


def profile(numbers: int) -> Profile:
    unit = tuple(map(tuple, np.eye(numbers).tolist()))
    return Profile(((0.0,) * numbers,) * 3, (unit,) * 3)


def reliability(*offsets: float) -> Reliability:
    weights = (0.0, 0.2, 1.0, 1.0, 0.5, 0.1, 0.0, *(offsets or (0.0, 0.0, 0.0)))
    return Reliability(profile(4), profile(3), {0.5: weights})


ALIKE, UNLIKE = np.zeros(8), np.array([6.0, 6, 6, 6, 0, 0, 0, 0])


def moving(window: Prediction, movement: np.ndarray = ALIKE) -> Prediction:
    return replace(window, movement=movement)


def test_movement_is_the_same_however_the_sensor_is_turned_and_position_is_not() -> None:
    turn, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    x = (RNG.normal(0, 4, (80, 3)) + np.array([0, 0, STANDARD_GRAVITY])).astype(np.float32)
    upright, turned = (Movement(ACC, 20.0).of(acc.astype(np.float32)) for acc in (x, x @ turn.T))
    np.testing.assert_allclose(upright[:4], turned[:4], atol=1e-5)
    assert np.abs(upright[4:7] - turned[4:7]).max() > 0.1
    np.testing.assert_allclose(upright[4:7], x.mean(0) / STANDARD_GRAVITY, atol=1e-6)


def test_movement_is_that_of_its_definition() -> None:
    x = RNG.normal(0, 3, (50, 9)).astype(np.float32)
    acc = x[:, 6:9].astype(np.float64)
    magnitude = np.linalg.norm(acc, axis=1)
    rms = np.sqrt(((acc - acc.mean(0)) ** 2).sum(1).mean())
    jerk = np.linalg.norm(np.diff(acc, axis=0), axis=1).mean() * 20
    expected = [np.log(rms + 0.03), np.log(magnitude.max()), magnitude.min() / STANDARD_GRAVITY, np.log(jerk + 0.6)]
    body = tuple(f"body_{name}" for name in ACC)
    np.testing.assert_allclose(Movement((*body, *GYRO, *ACC), 20.0).of(x)[:4], expected, atol=1e-3)


def test_one_window_gives_the_same_numbers_as_many() -> None:
    x = RNG.normal(0, 3, (5, 50, 3)).astype(np.float32)
    movement = Movement(ACC, 20.0)
    assert np.stack([movement.of(window) for window in x]).tobytes() == movement.of(x).tobytes()


def test_a_model_that_reads_upright_columns_is_judged_by_them() -> None:
    channels = (*CLIPPED_ACC, *UPRIGHT_ACC, UPRIGHT_KNOWN)
    x = np.tile(np.array([STANDARD_GRAVITY, 0, 0, 0, 0, STANDARD_GRAVITY, 1], np.float32), (40, 1))
    assert Movement(channels, 20.0).of(x)[4:].round(5).tolist() == [0, 0, 1, 1]
    assert not Movement(("norm_acc",), 20.0).can_read


def test_unlike_movement_lowers_the_confidence_and_raises_the_novelty() -> None:
    probs = np.array([[0.95, 0.03, 0.02]] * 2)
    movement = np.stack([ALIKE, UNLIKE])
    alike, unlike = reliability().confidences(probs, movement, Subnet(0.5, 96))
    assert alike > 0.9
    assert unlike < 0.2
    near, far = reliability().novelty(probs, movement)
    assert near == 0
    assert far == pytest.approx(36)


def test_an_offset_belongs_to_the_most_probable_label() -> None:
    probs = np.array([[0.6, 0.3, 0.1], [0.3, 0.6, 0.1]])
    movement = np.stack([ALIKE, ALIKE])
    equal = reliability().confidences(probs, movement, Subnet(0.5, 96))
    first, second = reliability(2.0, 0.0, 0.0).confidences(probs, movement, Subnet(0.5, 96))
    assert first > equal[0]
    assert second == equal[1] == equal[0]


def test_a_reliability_survives_json() -> None:
    calibration = Calibration({0.5: 1.2}, about="of two people", reliability=reliability(0.1, 0.2, 0.3))
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration
    assert calibration.is_learnt
    assert "reliability" not in Calibration().to_json()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"weights": {}}, "without weights"),
        ({"weights": {"0.5": [1.0] * FEATURES}}, "expected 10"),
        ({"motion": profile(3).__dict__}, "motion does not have 4"),
        ({"position": {"means": [[0, 0, 0]], "precisions": [[[1, 0], [0, 1]]]}}, "calibrate again"),
        ({"position": {"means": [[0, 0], [1]], "precisions": []}}, "calibrate again"),
    ],
)
def test_a_damaged_reliability_is_refused(damage: dict, message: str) -> None:
    values = reliability().to_json() | {
        name: {key: v for key, v in value.items() if not key.startswith("_")} for name, value in damage.items()
    }
    with pytest.raises(ConfigError, match=message):
        Reliability.from_json(values)


@pytest.mark.parametrize("confidence", [0.34, 0.5, 0.7, 0.8, 0.999, 1.0])
def test_probabilities_get_the_confidence_and_keep_their_order(confidence: float) -> None:
    probs = with_confidence([0.7, 0.25, 0.05], confidence)
    assert probs.max() == pytest.approx(confidence)
    assert probs.sum() == pytest.approx(1)
    assert probs.argsort().tolist() == [2, 1, 0] or confidence == 1.0


def test_a_pool_is_never_surer_than_its_surest_window() -> None:
    pool = Pool(4.0)
    windows = RNG.dirichlet([1, 1, 1], 200)
    means = np.array([pool.step(p, float(i)) for i, p in enumerate(windows)])
    assert (means <= windows.max(0) + 1e-12).all()
    np.testing.assert_allclose(means.sum(1), 1)
    assert np.abs(means[-1] - windows[-12:].mean(0)).max() < 0.3


def conclude(windows: list[Prediction], **settings: object) -> list:
    calibration = Calibration(reliability=reliability())
    concluder = Concluder(calibration, 3, WINDOW_S, **settings)  # type: ignore[arg-type]
    return [concluder.conclude(window).conclusion for window in windows]


def test_a_conclusion_has_the_reliability_and_the_novelty() -> None:
    (alike, unlike) = conclude([moving(prediction(0, confidence=0.95)), moving(prediction(1), UNLIKE)])
    assert alike.confidence == pytest.approx(alike.probs.max())
    assert (alike.label, alike.novelty) == ("walking", 0)
    assert unlike.novelty == pytest.approx(36)
    assert unlike.confidence < 1 / 3
    np.testing.assert_allclose(unlike.probs, 1 / 3)
    line = Concluder(Calibration(reliability=reliability()), 3, WINDOW_S).conclude(moving(prediction(0))).to_dict()
    assert set(line["concluded"]) == {"label", "confidence", "probs", "novelty"}


def test_windows_that_are_wrong_in_the_same_way_do_not_grow_surer() -> None:
    windows = [moving(prediction(i, confidence=0.7)) for i in range(60)]
    alone = conclude(windows)[0].confidence
    smoothed = [c.confidence for c in conclude(windows, smooth=True)]
    assert max(smoothed) == pytest.approx(alone)
    without = Concluder(Calibration(), 3, WINDOW_S, smooth=True)
    grown = without.conclude(windows[0])
    for window in windows[1:]:
        grown = without.conclude(window)
    assert grown.conclusion is not None
    assert grown.conclusion.confidence > 0.95 > alone


def test_a_window_judged_novel_adds_no_evidence() -> None:
    before = [moving(prediction(i, "walking", 0.95)) for i in range(10)]
    novel = [moving(prediction(10 + i, "sitting", 0.99), UNLIKE) for i in range(8)]
    conclusions = conclude(before + novel, smooth=True, unknown_below=0.7)
    assert [c.label for c in conclusions[:10]] == ["walking"] * 10
    assert conclusions[-1].label == UNKNOWN
    assert all(c.label in ("walking", UNKNOWN) for c in conclusions[10:])
    known = [moving(prediction(10 + i, "sitting", 0.95)) for i in range(8)]
    assert conclude(before + known, smooth=True)[-1].label == "sitting"


def test_a_prediction_without_movement_is_refused() -> None:
    with pytest.raises(ValueError, match="without movement"):
        conclude([prediction(0)])
