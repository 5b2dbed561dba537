"""Which predictions are scored, and how."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinestream.core.scoring import is_right
from kinestream.core.signals import Prediction
from tests.dashboard.builders import prediction


@pytest.mark.parametrize(
    ("window", "right"),
    [
        (prediction(), True),
        (prediction(label="B"), False),
        (prediction(truth=None), None),
        (prediction(truth="STAND_TO_SIT"), None),
        (prediction(truth_share=0.6), None),
    ],
    ids=["right", "wrong", "no label", "a label the model does not know", "straddles two activities"],
)
def test_a_window_is_scored_only_with_one_known_true_label(window: Prediction, right: bool | None) -> None:
    assert is_right(window) is right


@pytest.mark.parametrize(
    ("truth", "label", "right"),
    [
        ("jogging", "running", True),
        ("jogging", "walking", False),
        ("walking_upstairs", "stairs", True),
        ("hops", "stairs", None),
    ],
)
def test_an_activity_is_right_under_the_name_that_the_model_has_for_it(
    truth: str, label: str, right: bool | None
) -> None:
    labels = ("walking", "running", "stairs")
    window = replace(prediction(label=label, truth=truth), labels=labels, probs=np.full(3, 1 / 3, np.float32))
    assert is_right(window) is right
