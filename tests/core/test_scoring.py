"""Which predictions are scored, and how."""

from __future__ import annotations

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
