"""What the wearer does, given all windows so far: the forward filter of a hidden Markov model in continuous time.

The activity is the hidden state; it leaves for another at learnt rates, so any hop and any gap is one matrix
exponential: the longer nothing was seen, the more may have happened. What a window says is the network's probability of
each activity over how frequent the activity is, which is proportional to the likelihood that the model wants.

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
"""Time steps are rounded to this, so that a stream needs a handful of matrices and not one for each jitter."""


RAREST = 1e-3
"""No activity is taken for rarer: what a window says is divided by how frequent the activity is."""


class MarkovFilter:
    """The probabilities of one unbroken stream, window after window; begin a new one for a new session.

    Args:
        rates_per_s: (classes, classes) changes from row to column; the diagonal is ignored.
        evidence: what a window says counts for this times the share of it that is new, for one window at most.
        window_s: how much signal a window holds.
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

    def step(self, probs: ArrayLike, t_s: float) -> NDArray[np.float64]:
        """(classes,) the probability of each activity now.

        Args:
            probs: (classes,) calibrated, of the window alone. The first window's are returned as they are.
            t_s: when the window ended; not before the last one.
        """
        probs = np.asarray(probs, np.float64)
        if self._belief is None:
            belief = probs
        else:
            passed_s = max(0.0, t_s - self._t_s)
            weight = min(1.0, self._evidence * min(1.0, passed_s / self._window_s))
            expected = self._belief @ self._transition(passed_s)
            log = np.log(np.maximum(expected, SMALLEST))
            log += weight * (np.log(np.maximum(probs, SMALLEST)) - self._log_prior)
            belief = np.exp(log - log.max())
        self._belief = belief = belief / belief.sum()
        self._t_s = t_s
        return belief

    def _transition(self, passed_s: float) -> NDArray[np.float64]:
        """(classes, classes) from the row's activity to the column's within that time."""
        steps = round(passed_s / STEP_S)
        if steps not in self._steps:
            from scipy.linalg import expm  # 0.1 s to import: only who smooths pays for it

            self._steps[steps] = np.asarray(expm(self._generator * (steps * STEP_S)), np.float64)
        return self._steps[steps]


def stationary(generator: NDArray[np.float64]) -> NDArray[np.float64]:
    """(classes,) the share of time spent in each state in the long run; sums to 1.

    Args:
        generator: (classes, classes) rates, each row summing to 0.
    """
    n = len(generator)
    # The least squares solution of "it does not change" and "it sums to 1"; a chain in parts has many: one is found.
    rows = np.vstack([generator.T, np.ones(n)])
    share, *_ = np.linalg.lstsq(rows, np.append(np.zeros(n), 1.0), rcond=None)
    share = np.maximum(share, 0)
    return share / share.sum()
