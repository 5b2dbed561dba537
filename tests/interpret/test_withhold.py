"""The label that is shown where the model cannot know the activity; its own label stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinestream.core.scoring import is_right
from kinestream.core.signals import STILL, UNKNOWN
from kinestream.interpret.calibration import Calibration
from kinestream.interpret.concluder import Concluder
from kinestream.interpret.withhold import withhold
from tests.interpret.predictions import LABELS, WINDOW_S, prediction

POSTURES = ("sitting", "standing")


def test_a_prediction_that_can_be_known_stays_as_it_is() -> None:
    for known in (prediction(0), replace(prediction(0, "sitting"), up_known=True), prediction(0, "sitting")):
        assert withhold(known, POSTURES) is known


def test_postures_without_up_are_shown_as_still_with_the_sum_of_their_probabilities() -> None:
    shown = withhold(replace(prediction(0, "sitting", 0.5), up_known=False), POSTURES)
    assert shown.label == "sitting"
    assert shown.conclusion is not None
    assert (shown.conclusion.label, shown.conclusion.confidence) == (STILL, pytest.approx(0.75))
    assert np.allclose(shown.conclusion.probs, shown.probs)


def test_another_label_without_up_is_shown_as_it_is() -> None:
    walking = replace(prediction(0, "walking", 0.4), up_known=False)
    assert withhold(walking, POSTURES).conclusion is None


def test_still_must_reach_the_threshold_that_its_postures_missed_alone() -> None:
    concluder = Concluder(Calibration(), len(LABELS), WINDOW_S, unknown_below=0.7)
    concluded = concluder.conclude(replace(prediction(0, "sitting", 0.5), up_known=False))
    assert concluded.conclusion is not None
    assert concluded.conclusion.label == UNKNOWN
    shown = [withhold(concluded, POSTURES, below).conclusion for below in (0.7, 0.8)]
    assert [conclusion and conclusion.label for conclusion in shown] == [STILL, UNKNOWN]


def test_of_a_window_of_low_coverage_nothing_is_shown() -> None:
    shown = withhold(replace(prediction(0, "walking"), low_coverage=True), POSTURES)
    assert shown.conclusion is not None
    assert shown.conclusion.label == UNKNOWN
    assert shown.to_dict()["low_coverage"] is True


def test_worn_otherwise_nothing_is_shown_whatever_the_label() -> None:
    for label in LABELS:
        shown = withhold(replace(prediction(0, label), worn_otherwise=True, up_known=False), POSTURES)
        assert shown.conclusion is not None
        assert (shown.label, shown.conclusion.label) == (label, UNKNOWN)


def test_still_is_scored_as_its_most_probable_posture_and_unknown_is_not_scored() -> None:
    without_up = replace(prediction(0, "sitting", truth="sitting", truth_share=1.0), up_known=False)
    assert is_right(withhold(without_up, POSTURES)) is True
    assert is_right(withhold(replace(without_up, truth="standing"), POSTURES)) is False
    assert is_right(withhold(replace(without_up, worn_otherwise=True), POSTURES)) is None


def test_json_says_what_is_known_and_nothing_of_models_without_it() -> None:
    plain = prediction(0, "sitting")
    assert {"up_known", "worn_otherwise", "concluded"}.isdisjoint(plain.to_dict())
    record = withhold(replace(plain, up_known=False, worn_otherwise=True), POSTURES).to_dict()
    assert (record["up_known"], record["worn_otherwise"], record["concluded"]["label"]) == (False, True, UNKNOWN)
    assert record["label"] == "sitting"
