"""Whether a prediction is right, for every place that scores predictions one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .signals import UNKNOWN

if TYPE_CHECKING:
    from .signals import Prediction


def is_right(prediction: Prediction) -> bool | None:
    """Return whether the displayed label equals the true one; None where the window cannot be scored.

    The displayed label is the conclusion's where there is one, else the network's. A window cannot be scored without
    a true label, with a true label that the model does not know, where it straddles two activities, or where the
    conclusion is ``UNKNOWN``.

    >>> from types import SimpleNamespace as Window
    >>> labels = ("WALKING", "STANDING")
    >>> is_right(Window(label="WALKING", truth="STANDING", truth_share=1.0, labels=labels, conclusion=None))
    False
    >>> is_right(Window(label="WALKING", truth="WALKING", truth_share=0.6, labels=labels, conclusion=None)) is None
    True
    """
    if prediction.truth is None or prediction.truth not in prediction.labels or prediction.truth_share < 1.0:
        return None
    label = (prediction.conclusion or prediction).label
    return None if label == UNKNOWN else label == prediction.truth
