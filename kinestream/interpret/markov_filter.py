"""The forward filter of a hidden Markov model in continuous time: each activity's probability given all windows so far.

The activity is the hidden state and changes at learnt rates, so any hop and any gap is one matrix exponential: after a
longer gap, more may have changed. The likelihood of a window is proportional to the network's probability of each
activity divided by the frequency of that activity.

Sources: the forward pass, Rabiner, Proceedings of the IEEE 1989; posteriors over priors as likelihoods, Bourlard and
Morgan, "Connectionist Speech Recognition", 1994, who also raise them to a power where frames are not independent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .calibration import SMALLEST

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

STEP_S = 1e-3
"""Time steps are rounded to this: a stream with jitter then needs a handful of matrices, not one per step."""

RAREST = 1e-3
"""Lower bound of an activity's frequency, because likelihoods are divided by it."""


class MarkovFilter:
    """Filters the probabilities of one epoch of a stream, window after window; make a new one for a new epoch.

    Args:
        rates_per_s: (classes, classes) changes from row to column; the diagonal is ignored.
        evidence: weight of a window: this times the share of it that is new, at most 1.
        window_s: length of a window in seconds.

    >>> markov = MarkovFilter([[0, 0.01], [0.01, 0]], evidence=1.0, window_s=2.0)
    >>> for t_s, probs in enumerate([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]]):
    ...     belief = markov.step(probs, t_s)
    >>> belief.round(2).tolist()  # one deviating window does not change the activity
    [0.94, 0.06]
    """

    def __init__(self, rates_per_s: ArrayLike, evidence: float, window_s: float) -> None:
        generator = np.array(rates_per_s, np.float64)
        np.fill_diagonal(generator, 0)
        np.fill_diagonal(generator, -generator.sum(1))
        self._generator = generator
        self._evidence = evidence
        self._window_s = window_s
        self._log_prior = np.log(np.maximum(stationary(generator), RAREST))
        self._steps: dict[int, NDArray[np.float64]] = {}
        self._belief: NDArray[np.float64] | None = None
        self._t_s = 0.0

    def step(self, probs: ArrayLike, t_s: float, reliance: float = 1.0) -> NDArray[np.float64]:
        """(classes,) the probability of each activity at ``t_s``.

        Args:
            probs: (classes,) calibrated, of this window alone. Those of the first window are returned unchanged.
            t_s: the end of the window in seconds, not before the last one.
            reliance: how much of its evidence the window brings, 0 to 1: with 0, only time passes.
        """
        probs = np.asarray(probs, np.float64)
        if self._belief is None:
            belief = probs if reliance == 1.0 else np.maximum(probs, SMALLEST) ** reliance
        else:
            passed_s = max(0.0, t_s - self._t_s)
            weight = reliance * min(1.0, self._evidence * min(1.0, passed_s / self._window_s))
            expected = self._belief @ self._transition(passed_s)
            log = np.log(np.maximum(expected, SMALLEST))
            log += weight * (np.log(np.maximum(probs, SMALLEST)) - self._log_prior)
            belief = np.exp(log - log.max())
        self._belief = belief = belief / belief.sum()
        self._t_s = t_s
        return belief

    def _transition(self, passed_s: float) -> NDArray[np.float64]:
        """(classes, classes) probability of changing from the row's activity to the column's within that time."""
        steps = round(passed_s / STEP_S)
        if steps not in self._steps:
            from scipy.linalg import expm  # imported here because it takes 0.1 s, which only smoothing needs

            self._steps[steps] = np.asarray(expm(self._generator * (steps * STEP_S)), np.float64)
        return self._steps[steps]


def stationary(generator: NDArray[np.float64]) -> NDArray[np.float64]:
    """(classes,) the long-run share of time in each state; sums to 1.

    Args:
        generator: (classes, classes) rates, each row summing to 0.

    >>> import numpy as np
    >>> stationary(np.array([[-0.1, 0.1], [0.3, -0.3]])).round(3).tolist()
    [0.75, 0.25]
    """
    n = len(generator)
    # Least squares for "share @ generator is 0" and "share sums to 1"; for a disconnected chain, one of its solutions.
    rows = np.vstack([generator.T, np.ones(n)])
    share, *_ = np.linalg.lstsq(rows, np.append(np.zeros(n), 1.0), rcond=None)
    share = np.maximum(share, 0)
    return share / share.sum()
