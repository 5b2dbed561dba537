"""Draws conclusions from predictions: calibrated, smoothed, ``unknown`` where no label is probable enough.

Runs after the pipeline and changes nothing in it: a recording stores predictions, and every replay can draw other
conclusions from them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kinestream.core.errors import ConfigError
from kinestream.core.signals import UNKNOWN, Conclusion, Prediction

from .calibration import Calibration
from .markov_filter import MarkovFilter


class Concluder:
    """Draws the conclusion of each prediction, per stream and causally.

    Args:
        calibration: the model's.
        classes: number of activities the model distinguishes.
        window_s: length of the model's windows in seconds.
        smooth: combine each window with the earlier ones of its epoch.
        unknown_below: calibrated probability below which the label is ``UNKNOWN``; 0: never.
    Raises:
        ConfigError: the threshold is not a probability.

    >>> import numpy as np, kinestream
    >>> recogniser = kinestream.load("uci_kinet")
    >>> (prediction,) = recogniser.predict(np.tile([0, 0, 9.8, 0, 0, 0], (128, 1)))
    >>> concluder = Concluder(recogniser.model.calibration, classes=6, window_s=2.56, unknown_below=0.999)
    >>> concluder.conclude(prediction).conclusion.label
    'unknown'
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
            raise ConfigError(f"unknown_below is {unknown_below:g}; expected a probability, 0 to 1")
        self._smooth = smooth
        self._unknown_below = unknown_below
        self._calibration = calibration
        self._rates = calibration.rates(classes)
        self._window_s = window_s
        self._filters: dict[str, tuple[str, MarkovFilter]] = {}  # by stream: its epoch and filter

    def conclude(self, prediction: Prediction) -> Prediction:
        """The prediction with its conclusion; call it in the order of each stream."""
        probs = self._calibration.probs(prediction.probs, prediction.decision.subnet)
        if self._smooth:
            probs = self._filter_of(prediction).step(probs, prediction.t_end_s)
        best = int(probs.argmax())
        confidence = float(probs[best])
        label = UNKNOWN if confidence < self._unknown_below else prediction.labels[best]
        return replace(prediction, conclusion=Conclusion(label, confidence, probs))

    def settings(self) -> dict[str, Any]:
        """The settings that conclusions are drawn with, as JSON values."""
        return {
            "calibrated": self._calibration.is_learnt,
            "smoothed": self._smooth,
            "unknown_below": self._unknown_below,
        }

    def _filter_of(self, prediction: Prediction) -> MarkovFilter:
        epoch, markov = self._filters.get(prediction.stream, (None, None))
        if markov is None or epoch != prediction.session:
            markov = MarkovFilter(self._rates, self._calibration.evidence, self._window_s)
            self._filters[prediction.stream] = prediction.session, markov
        return markov
