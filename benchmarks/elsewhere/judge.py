"""The figures of one network on one dataset: how often it is right, how sure, and how often surely wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import Decision, Prediction, Subnet
from kinestream.interpret.concluder import Concluder
from kinestream.interpret.movement import Movement
from kinestream.train.judge.scores import calibration_error, confidence_bins, f1
from kinestream.train.judge.unseen import OTHER

from .activities import common_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec
    from kinestream.interpret.calibration import Calibration
    from kinestream.train.data.windows import Windows

UNKNOWN_BELOW = 0.9
"""The threshold of ``--unknown`` at which a wrong label counts as a confident error."""
FEWEST_WINDOWS = 10
"""A person with fewer judged windows cannot be the worst one."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the product would show of each window."""

    label: NDArray[np.int64]
    """(n,) index of the most probable label, whether shown or not."""
    confidence: NDArray[np.float64]
    is_unknown: NDArray[np.bool_]
    """(n,) whether ``unknown`` is shown instead, at ``UNKNOWN_BELOW``."""


def conclude(
    probs: NDArray[np.float32],
    windows: Windows,
    labels: Sequence[str],
    calibration: Calibration,
    subnet: Subnet,
    spec: InputSpec,
    *,
    smooth: bool,
) -> Shown:
    """The conclusions that ``--unknown`` and ``--smooth`` draw from (n, classes) probabilities.

    Smoothing begins anew where ``windows.recordings`` changes.

    Args:
        spec: the network's input.
    """
    # Without a threshold the label stays known where it is hidden; hidden is what is less sure than the threshold.
    concluder = Concluder(calibration, len(labels), spec.window_s, smooth=smooth)
    movement = Movement(spec.channels, spec.fs_hz).of(windows.x) if calibration.reliability else None
    decision, names = Decision(subnet, "benchmark"), tuple(labels)
    n = len(windows)
    label, confidence = np.zeros(n, np.int64), np.zeros(n)
    for i in range(n):
        stream, start_s = str(windows.recordings[i]), float(windows.t_start_s[i])
        prediction = Prediction(
            stream=stream,
            session=stream,
            index=i,
            t_start_s=start_s,
            t_end_s=start_s + spec.window_s,
            label=names[int(probs[i].argmax())],
            confidence=float(probs[i].max()),
            probs=probs[i],
            labels=names,
            decision=decision,
            latency_ms=0.0,
            energy_mj=0.0,
            age_ms=0.0,
            coverage=1.0,
            movement=None if movement is None else movement[i],
        )
        conclusion = concluder.conclude(prediction).conclusion
        assert conclusion is not None
        label[i] = names.index(conclusion.label)
        confidence[i] = conclusion.confidence
    return Shown(label, confidence, confidence < UNKNOWN_BELOW)


def figures(
    shown: Shown, labels: Sequence[str], truth: NDArray[np.int64], truths: Sequence[str], people: Sequence[str]
) -> dict[str, float]:
    """The figures over the windows whose activity the network can name, and apart from them over the others.

    Without such windows, or with a single activity among the network's labels, only the counts.

    Args:
        labels: the network's.
        truth: (n,) index into ``truths``, the dataset's labels.
        people: (n,) person of each window.

    >>> shown = Shown(np.array([0, 1, 1]), np.array([0.95, 0.95, 0.5]), np.array([False, False, True]))
    >>> scores = figures(shown, ("walking", "stairs"), np.array([0, 0, 2]), ("walking", "lying", "fall"), ["a"] * 3)
    >>> scores["accuracy"], scores["confident_errors"], scores["never_taught"], scores["never_taught_shown"]
    (0.5, 0.5, 1, 0.0)
    """
    name_of = common_names(labels, truths)
    names = sorted({name_of[label] for label in (*labels, *truths)})
    predicted = np.array([names.index(name_of[label]) for label in labels])[shown.label]
    expected = np.array([names.index(name_of[label]) for label in truths])[truth]
    known = np.isin(expected, [names.index(name_of[label]) for label in labels])
    as_activity = ~shown.is_unknown & (predicted != (names.index(OTHER) if OTHER in names else -1))
    right = predicted == expected
    counts: dict[str, float] = {"windows": int(known.sum()), "never_taught": int((~known).sum())}
    if not known.all():
        counts["never_taught_shown"] = float(as_activity[~known].mean())
    if not known.any() or len({name_of[label] for label in labels}) < 2:
        return counts  # nothing to tell apart: all labels of a network of falls are one activity here
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (expected[known], predicted[known]), 1)
    # Activities the dataset does not show are no class of it: one stray window would count as much as all of walking.
    macro_f1 = float(f1(confusion)[confusion.sum(1) > 0].mean())
    by_person = [right[known][own] for own in _windows_of_each(np.array(people)[known])]
    judged = [own.mean() for own in by_person if len(own) >= FEWEST_WINDOWS]
    return {
        "accuracy": float(right[known].mean()),
        "macro_f1": macro_f1,
        **({"worst_person": float(min(judged))} if judged else {}),
        "people": len(by_person),
        "calibration_error": calibration_error(confidence_bins(shown.confidence[known], right[known])),
        "confident_errors": float((~shown.is_unknown & ~right)[known].mean()),
        "shown": float((~shown.is_unknown)[known].mean()),
        **counts,
    }


def _windows_of_each(people: NDArray[np.str_]) -> list[NDArray[np.intp]]:
    return [np.flatnonzero(people == person) for person in np.unique(people)]
