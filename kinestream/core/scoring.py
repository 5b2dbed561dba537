"""Whether a prediction is right, for every place that scores predictions one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .activities import shown_as
from .signals import STILL, UNKNOWN

if TYPE_CHECKING:
    from .signals import Prediction


def is_right(prediction: Prediction) -> bool | None:
    """Return whether the displayed label shows the true activity; None where the window cannot be scored.

    The displayed label is the conclusion's where there is one, else the network's. A window cannot be scored without
    a true label, with an activity that no label of the model shows (``activities.shown_as``), where it straddles two
    activities, or where the conclusion is ``UNKNOWN``. ``STILL`` counts as the posture that is most probable.

    >>> from types import SimpleNamespace as Window
    >>> labels = ("WALKING", "STANDING")
    >>> is_right(Window(label="WALKING", truth="STANDING", truth_share=1.0, labels=labels, conclusion=None))
    False
    >>> is_right(Window(label="WALKING", truth="WALKING", truth_share=0.6, labels=labels, conclusion=None)) is None
    True
    """
    if prediction.truth is None or prediction.truth_share < 1.0:
        return None
    right, label = shown_as(prediction.truth, prediction.labels), judged_label(prediction)
    return None if not right or label == UNKNOWN else label in right


def judged_label(prediction: Prediction) -> str:
    """Return the displayed label, or the posture that is most probable where ``STILL`` stands for several.

    >>> from types import SimpleNamespace as Window
    >>> still = Window(label="still", probs=np.array([0.1, 0.5, 0.4]))
    >>> judged_label(Window(labels=("walking", "sitting", "standing"), conclusion=still))
    'sitting'
    """
    shown = prediction.conclusion or prediction
    if shown.label != STILL or STILL in prediction.labels:
        return shown.label
    return prediction.labels[int(np.argmax(shown.probs))]
