"""Draws conclusions from predictions: calibrated, smoothed, ``unknown`` where no label is probable enough.

Runs after the pipeline and changes nothing in it: a recording stores predictions, and every replay can draw other
conclusions from them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError
from kinestream.core.recent import Recent
from kinestream.core.signals import UNKNOWN, Conclusion, Prediction

from .calibration import Calibration
from .markov_filter import MarkovFilter
from .pool import MEMORY_WINDOWS, Pool
from .reliability import Reliability, with_confidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NO_EVIDENCE, FULL_EVIDENCE = 0.2, 0.5
"""Confidence of a single window up to which it brings smoothing nothing, and from which on all its evidence."""


class Concluder:
    """Draws the conclusion of each prediction, per stream and causally.

    Args:
        calibration: the model's.
        classes: number of activities the model distinguishes.
        window_s: length of the model's windows in seconds.
        smooth: combine each window with the earlier ones of its epoch.
        unknown_below: probability of being right below which the label is ``UNKNOWN``; 0: never.
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
        self.unknown_below = unknown_below
        self._calibration = calibration
        self._rates = calibration.rates(classes)
        self._window_s = window_s
        self._epochs = Recent[str, tuple[str, MarkovFilter, Pool]]()  # the current one of each stream

    def conclude(self, prediction: Prediction) -> Prediction:
        """The prediction with its conclusion; call it in the order of each stream.

        Raises:
            ValueError: the model's reliability needs the movement, which the prediction lacks.
        """
        reliability = self._calibration.reliability
        if reliability:
            return self._conclude_reliably(prediction, reliability)
        probs = self._calibration.probs(prediction.probs, prediction.decision.subnet)
        if self._smooth:
            markov, _ = self._epoch_of(prediction)
            probs = markov.step(probs, prediction.t_end_s)
        best = int(probs.argmax())
        return self._concluded(prediction, best, float(probs[best]), probs)

    def _conclude_reliably(self, prediction: Prediction, reliability: Reliability) -> Prediction:
        if prediction.movement is None:
            raise ValueError("a prediction without movement; conclude predictions of a Pipeline of the same model")
        window, movement = prediction.probs[None], prediction.movement[None]
        confidence = float(reliability.confidences(window, movement, prediction.decision.subnet)[0])
        novelty = float(reliability.novelty(window, movement)[0])
        probs = with_confidence(prediction.probs, confidence)
        label = best = int(prediction.probs.argmax())
        if self._smooth:
            markov, pool = self._epoch_of(prediction)
            reliance = min(1.0, max(0.0, (confidence - NO_EVIDENCE) / (FULL_EVIDENCE - NO_EVIDENCE)))
            calibrated = self._calibration.probs(prediction.probs, prediction.decision.subnet)
            belief = markov.step(calibrated, prediction.t_end_s, reliance)
            mean = pool.step(probs, prediction.t_end_s)
            best = int(belief.argmax())
            # The filter grows surer with every window, also while the network is wrong in the same way for minutes.
            alone = confidence if best == label else float(probs[best])
            confidence = min(float(belief[best]), max(alone, float(mean[best])))
            probs = with_confidence(belief, confidence)
        return self._concluded(prediction, best, confidence, probs, novelty)

    def _concluded(
        self,
        prediction: Prediction,
        best: int,
        confidence: float,
        probs: NDArray[np.float64],
        novelty: float | None = None,
    ) -> Prediction:
        label = UNKNOWN if confidence < self.unknown_below else prediction.labels[best]
        return replace(prediction, conclusion=Conclusion(label, confidence, probs, novelty))

    def settings(self) -> dict[str, Any]:
        """The settings that conclusions are drawn with, as JSON values."""
        return {
            "calibrated": self._calibration.is_learnt,
            "smoothed": self._smooth,
            "unknown_below": self.unknown_below,
            **({"reliability": True} if self._calibration.reliability else {}),
        }

    def _epoch_of(self, prediction: Prediction) -> tuple[MarkovFilter, Pool]:
        epoch, markov, pool = self._epochs.get(prediction.stream, (None, None, None))
        if markov is None or pool is None or epoch != prediction.session:
            markov = MarkovFilter(self._rates, self._calibration.evidence, self._window_s)
            pool = Pool(MEMORY_WINDOWS * self._window_s)
            self._epochs[prediction.stream] = prediction.session, markov, pool
        return markov, pool
