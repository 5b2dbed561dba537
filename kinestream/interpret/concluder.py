"""From predictions to what a person is told: calibrated, smoothed, "unknown" where nothing is probable enough.

Comes after the pipeline and changes nothing in it: a recording keeps predictions, from which conclusions of any kind
are drawn whenever it is replayed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kinestream.core.errors import ConfigError
from kinestream.core.signals import UNKNOWN, Conclusion, Prediction

from .calibration import Calibration
from .markov_filter import MarkovFilter


class Concluder:
    """Draws the conclusion of each prediction, stream by stream, causally.

    Args:
        calibration: the model's.
        classes: how many activities the model tells apart.
        window_s: how much signal a window of the model holds.
        smooth: weigh each window with those of its session before it.
        unknown_below: the calibrated probability under which ``UNKNOWN`` is told; 0: never.
    Raises:
        ConfigError: the threshold is no probability.
    """

    def __init__(
        self,
        calibration: Calibration,
        classes: int,
        window_s: float,
        *,
        smooth: bool = False,
        unknown_below: float = 0.0,
    ) -> None:
        if not 0 <= unknown_below <= 1:
            raise ConfigError(f"a threshold of {unknown_below:g} for unknown; expected a probability, 0 to 1")
        self._smooth = smooth
        self._unknown_below = unknown_below
        self._calibration = calibration
        self._rates = calibration.rates(classes)
        self._window_s = window_s
        self._filters: dict[str, tuple[str, MarkovFilter]] = {}  # of each stream: its session, and what is known of it

    def conclude(self, prediction: Prediction) -> Prediction:
        """The prediction with its conclusion; those of a stream must come in order."""
        probs = self._calibration.probs(prediction.probs, prediction.decision.subnet)
        if self._smooth:
            probs = self._filter_of(prediction).step(probs, prediction.t_end_s)
        best = int(probs.argmax())
        confidence = float(probs[best])
        label = UNKNOWN if confidence < self._unknown_below else prediction.labels[best]
        return replace(prediction, conclusion=Conclusion(label, confidence, probs))

    def settings(self) -> dict[str, Any]:
        """How conclusions are drawn, as JSON values."""
        return {
            "calibrated": self._calibration.is_learnt,
            "smoothed": self._smooth,
            "unknown_below": self._unknown_below,
        }

    def _filter_of(self, prediction: Prediction) -> MarkovFilter:
        session, smoother = self._filters.get(prediction.stream, (None, None))
        if smoother is None or session != prediction.session:
            smoother = MarkovFilter(self._rates, self._calibration.evidence, self._window_s)
            self._filters[prediction.stream] = prediction.session, smoother
        return smoother
