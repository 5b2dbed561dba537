"""Scores of predictions: counts that add up over people and folds, and the measures computed from them.

Pure numpy. A measure takes a confusion, (..., classes, classes) with one row per true and one column per predicted
class, and returns (...) shares between 0 and 1; a class that is neither shown nor predicted is left out of means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

BINS = 15
"""Number of equally wide confidence bins for the calibration error, as in Guo et al., ICML 2017."""
DRAWS = 2000
"""Number of bootstrap samples of people for an interval."""
BOOTSTRAP_SEED = 0

Measure = Callable[["NDArray[Any]"], "NDArray[np.float64]"]


def accuracy(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Share of the windows that were recognised.

    >>> accuracy(np.array([[8, 2], [0, 10]])).item()
    0.9
    """
    return _share(_hits(confusion).sum(-1), confusion.sum((-2, -1)))


def recall(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """(..., classes) share of each class's windows that were recognised; NaN for a class never shown."""
    return _share(_hits(confusion), confusion.sum(-1))


def precision(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """(..., classes) share of the windows predicted as a class that belong to it; NaN for a class never predicted."""
    return _share(_hits(confusion), confusion.sum(-2))


def f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """(..., classes) harmonic mean of precision and recall; NaN for a class neither shown nor predicted."""
    return _share(2 * _hits(confusion), confusion.sum(-1) + confusion.sum(-2))


def balanced_accuracy(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Mean recall over the classes."""
    return _mean(recall(confusion))


def macro_f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Mean F1 over the classes.

    >>> round(macro_f1(np.array([[8, 2], [0, 10]])).item(), 4)
    0.899
    """
    return _mean(f1(confusion))


MEASURES: Mapping[str, Measure] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
}


def calibration_error(bins: NDArray[np.float64]) -> float:
    """Expected calibration error: the mean distance between confidence and accuracy over the windows.

    Args:
        bins: (bins, 3) number of windows, sum of their confidences, number of correct ones.
    Source: Naeini et al., AAAI 2015; Guo et al., ICML 2017.
    """
    windows, confidence, correct = bins.T
    return float(np.abs(correct - confidence).sum() / windows.sum())


def interval(
    by_subject: NDArray[np.int64], measure: Measure, *, seed: int = BOOTSTRAP_SEED, draws: int = DRAWS
) -> tuple[float, float] | None:
    """95 % bootstrap interval of a measure over PEOPLE, not windows.

    One person's windows resemble each other, so an interval over windows would be far too narrow. Each of ``draws``
    samples draws as many people as there are, with replacement.

    Args:
        by_subject: (subjects, classes, classes) confusions.
    Returns:
        The 2.5th and 97.5th percentile over the samples; None for fewer than two people.
    Source: percentile bootstrap of clusters, Field and Welsh, JRSS B 2007.
    """
    n = len(by_subject)
    if n < 2:
        return None
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws)
    low, high = np.nanpercentile(measure(np.tensordot(drawn, by_subject, 1)), (2.5, 97.5))
    return float(low), float(high)


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """The results of one subnetwork on some people's windows, as counts that can be added.

    >>> score = score_of(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 0]), ["anna", "ben"])
    >>> score.windows, score.accuracy, score.confusion.tolist()
    (2, 0.5, [[1, 1], [0, 0]])
    """

    subjects: tuple[str, ...]
    by_subject: NDArray[np.int64]
    """(subjects, classes, classes) confusions."""
    bins: NDArray[np.float64]
    """(bins, 3), the argument of ``calibration_error``."""

    @property
    def confusion(self) -> NDArray[np.int64]:
        """(classes, classes) confusion of all people together."""
        return self.by_subject.sum(0)

    @property
    def windows(self) -> int:
        return int(self.by_subject.sum())

    @property
    def accuracy(self) -> float:
        return float(accuracy(self.confusion))

    @property
    def macro_f1(self) -> float:
        return float(macro_f1(self.confusion))


def score_of(probs: NDArray[Any], labels: NDArray[np.integer], subjects: ArrayLike) -> Score:
    """The score of (n, classes) probabilities for windows with (n,) labels of (n,) people."""
    n, classes = probs.shape
    names, person = np.unique(np.asarray(subjects, str), return_inverse=True)
    predicted = probs.argmax(1)
    cell = (person * classes + labels) * classes + predicted
    by_subject = np.bincount(cell, minlength=len(names) * classes**2).reshape(len(names), classes, classes)
    confidence = probs[np.arange(n), predicted]
    bins = confidence_bins(confidence, predicted == labels)
    return Score(tuple(names.tolist()), by_subject, bins)


def confidence_bins(confidence: ArrayLike, correct: ArrayLike) -> NDArray[np.float64]:
    """(bins, 3), the argument of ``calibration_error``, from (n,) confidences and whether each label was correct.

    >>> confidence_bins([0.95, 0.99, 0.5], [True, False, True])[-1].round(2).tolist()
    [2.0, 1.94, 1.0]
    """
    confidence = np.asarray(confidence, np.float64)
    # Bins are open below and closed above; a NaN probability stays visible in their sums.
    bin_of = np.clip(np.ceil(np.nan_to_num(confidence) * BINS).astype(int) - 1, 0, BINS - 1)
    counted = np.stack([np.ones(len(confidence)), confidence, np.asarray(correct, np.float64)])
    return np.stack([np.bincount(bin_of, weights, BINS).astype(np.float64) for weights in counted], 1)


def pooled(scores: Iterable[Score]) -> Score:
    """The score of all windows together; the same person in several scores counts as one person."""
    parts = list(scores)
    names = sorted({name for part in parts for name in part.subjects})
    by_subject = np.zeros((len(names), *parts[0].by_subject.shape[1:]), np.int64)
    for part in parts:
        by_subject[[names.index(name) for name in part.subjects]] += part.by_subject
    return Score(tuple(names), by_subject, np.sum([part.bins for part in parts], 0))


def to_json(score: Score, labels: Sequence[str], *, counts: bool = True) -> dict[str, Any]:
    """All measures with their intervals over people, all classes, and the confusion; NaN becomes None.

    Args:
        counts: include each person's confusion and the confidence bins, which ``from_json`` needs.
    """
    confusion = score.confusion
    ranges = {name: interval(score.by_subject, measure) for name, measure in MEASURES.items()}
    columns = {name: of(confusion) for name, of in (("precision", precision), ("recall", recall), ("f1", f1))}
    values = {
        **{name: _rounded(measure(confusion)) for name, measure in MEASURES.items()},
        "calibration_error": _rounded(calibration_error(score.bins)),
        "interval_95_over_subjects": {
            name: None if ends is None else [_rounded(end) for end in ends] for name, ends in ranges.items()
        },
        "classes": {
            label: {name: _rounded(column[i]) for name, column in columns.items()}
            | {"windows": int(confusion[i].sum())}
            for i, label in enumerate(labels)
        },
        "confusion": confusion.tolist(),
    }
    if not counts:
        return values
    bins = [[int(n), round(confidence, 6), int(correct)] for n, confidence, correct in score.bins.tolist()]
    return values | {
        "confusion_by_subject": dict(zip(score.subjects, score.by_subject.tolist(), strict=True)),
        "confidence_bins": bins,
    }


def from_json(values: Mapping[str, Any]) -> Score:
    """The score from the result of ``to_json`` with counts."""
    people = values["confusion_by_subject"]
    return Score(tuple(people), np.array(list(people.values()), np.int64), np.array(values["confidence_bins"], float))


def _hits(confusion: NDArray[Any]) -> NDArray[Any]:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _share(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part / whole, np.float64)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    return _share(np.where(known, values, 0).sum(-1), known.sum(-1))


def _rounded(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 5)
