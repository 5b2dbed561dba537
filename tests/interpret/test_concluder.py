from __future__ import annotations

import numpy as np
import pytest

from kinestream.core.errors import ConfigError
from kinestream.core.signals import UNKNOWN, Conclusion, Prediction
from kinestream.interpret.calibration import Calibration, tempered
from kinestream.interpret.concluder import Concluder
from kinestream.run.tally import ConclusionTally

from .predictions import LABELS, WINDOW_S, prediction

CALIBRATION = Calibration({0.5: 0.5}, ((0, 0.01, 0.01), (0.01, 0, 0.01), (0.01, 0.01, 0)), 2.0)


def conclusion(prediction: Prediction) -> Conclusion:
    assert prediction.conclusion is not None
    return prediction.conclusion


def test_a_conclusion_has_the_calibrated_confidence_and_leaves_the_prediction_unchanged() -> None:
    before = prediction(0, confidence=0.6)
    after = Concluder(CALIBRATION, 3, WINDOW_S).conclude(before)
    np.testing.assert_allclose(conclusion(after).probs, tempered(before.probs, 0.5))
    assert conclusion(after).confidence == pytest.approx(0.36 / 0.44)
    assert before.conclusion is None
    assert (after.label, after.confidence, after.probs) == (before.label, before.confidence, before.probs)


def test_a_label_below_the_threshold_is_unknown_and_keeps_its_confidence() -> None:
    concluder = Concluder(Calibration(), 3, WINDOW_S, unknown_below=0.7)
    conclusions = [conclusion(concluder.conclude(prediction(i, confidence=p))) for i, p in enumerate((0.69, 0.71))]
    assert [c.label for c in conclusions] == [UNKNOWN, "walking"]
    assert conclusions[0].confidence == pytest.approx(0.69)


def test_smoothing_continues_within_an_epoch_and_restarts_with_the_next() -> None:
    concluder = Concluder(CALIBRATION, 3, WINDOW_S, smooth=True)
    for i in range(6):
        concluder.conclude(prediction(i, "walking"))
    assert conclusion(concluder.conclude(prediction(6, "sitting", 0.6))).label == "walking"
    assert conclusion(concluder.conclude(prediction(6, "sitting", 0.6, session="two"))).label == "sitting"


def test_interleaved_streams_are_smoothed_separately() -> None:
    together, alone = (Concluder(CALIBRATION, 3, WINDOW_S, smooth=True) for _ in range(2))
    for i in range(8):
        label = LABELS[i // 3]
        left = together.conclude(prediction(i, label, stream="left"))
        together.conclude(prediction(i, "standing", 0.9, stream="right"))
        np.testing.assert_array_equal(
            conclusion(left).probs, conclusion(alone.conclude(prediction(i, label, stream="left"))).probs
        )


def test_later_windows_do_not_change_earlier_conclusions() -> None:
    def conclusions(labels: list[str]) -> list[Conclusion]:
        concluder = Concluder(CALIBRATION, 3, WINDOW_S, smooth=True)
        return [conclusion(concluder.conclude(prediction(i, label))) for i, label in enumerate(labels)]

    short, long = conclusions(["walking"] * 5), conclusions(["walking"] * 5 + ["sitting"] * 9)
    for a, b in zip(short, long, strict=False):
        np.testing.assert_array_equal(a.probs, b.probs)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_not_a_probability_is_refused(threshold: float) -> None:
    with pytest.raises(ConfigError, match="expected a probability"):
        Concluder(Calibration(), 3, WINDOW_S, unknown_below=threshold)


def test_a_summary_counts_the_right_conclusions_among_those_with_a_label() -> None:
    concluder = Concluder(Calibration(), 3, WINDOW_S, unknown_below=0.7)
    tally = ConclusionTally(LABELS)
    for window in (
        prediction(0, "walking", 0.9, truth="walking", truth_share=1.0),
        prediction(1, "walking", 0.9, truth="sitting", truth_share=1.0),
        prediction(2, "walking", 0.5, truth="walking", truth_share=1.0),
        prediction(3, "walking", 0.5, truth="walking", truth_share=1.0),
        prediction(4, "walking", 0.9, truth="walking", truth_share=0.6),
        prediction(5, "walking", 0.9, truth="sit_to_stand", truth_share=1.0),
        prediction(6, "walking", 0.5, truth="sit_to_stand", truth_share=1.0),
        prediction(7, "walking", 0.5),
    ):
        tally.add(concluder.conclude(window))
    assert tally.summary() == {
        "accuracy": 0.5,
        "accuracy_with_transitions": 0.66667,
        "told": 0.5,
        "told_with_transitions": 0.6,
        "told_of_other_activities": 0.5,
        "unknown": 4,
    }
