"""Withholds the label of a window that the model cannot know: the last step before a prediction is shown.

The network names one of its activities whatever it is shown. Three cases are known in which its label means nothing:
the sensor is worn otherwise than in training (``placement.py``), most of the window was interpolated, and a posture is
named while the direction of up, which alone tells postures apart, is unknown. The network's own label and
probabilities stay in the prediction.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import STILL, UNKNOWN, Conclusion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinestream.core.signals import Prediction


def withhold(prediction: Prediction, needs_up: Sequence[str], unknown_below: float = 0.0) -> Prediction:
    """Return the prediction with a conclusion that names no activity where none can be known; else as it is.

    Worn otherwise, or with low coverage, the label is ``UNKNOWN``. Without up, a label among ``needs_up`` becomes
    ``STILL``, with the sum of their probabilities as its confidence.

    Args:
        prediction: with its conclusion, if there is one.
        needs_up: the model's labels that only up tells apart.
        unknown_below: the threshold of the conclusions, which ``STILL`` must reach as well.

    >>> import numpy as np, kinestream
    >>> (lying,) = kinestream.load("uci_kinet").predict(np.tile([0, 0, 9.8, 0, 0, 0], (128, 1)))
    >>> withhold(replace(lying, worn_otherwise=True), ()).conclusion.label
    'unknown'
    >>> withhold(replace(lying, up_known=False), ("sitting", "standing", "lying")).conclusion.label
    'still'
    """
    shown = prediction.conclusion or Conclusion(
        prediction.label, prediction.confidence, np.asarray(prediction.probs, np.float64)
    )
    if prediction.worn_otherwise or prediction.low_coverage:
        return replace(prediction, conclusion=replace(shown, label=UNKNOWN))
    if prediction.up_known is not False or prediction.labels[int(shown.probs.argmax())] not in needs_up:
        return prediction
    of_postures = np.array([name in needs_up for name in prediction.labels])
    confidence = min(1.0, float(shown.probs[of_postures].sum()))
    label = STILL if confidence >= unknown_below else UNKNOWN
    return replace(prediction, conclusion=replace(shown, label=label, confidence=confidence))
