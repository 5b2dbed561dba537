"""Learns how far to trust a model, from people of several datasets: ``interpret/reliability.py`` applies it.

For every dataset, the probability that a label is right is learnt where the network is a stranger: on people of a
dataset it was not trained on. How each activity moves is then taken from the other datasets, as in use. So are the
people's windows of activities that the model was never taught: no label is right there.

All datasets weigh the same, and in each of them all activities. Where the network's own dataset takes part with people
kept out of its training, it counts half: one wearer in two is as the model expects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import DataDamaged
from kinestream.interpret.movement import MOTION, POSITION
from kinestream.interpret.reliability import FEATURES, SPEAK_FOR, Profile, Reliability, features

from .unseen import NEVER_TAUGHT, OTHER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .unseen import Unseen

    Floats = NDArray[np.float64]

NEVER_TAUGHT_SHARE = 0.05
"""What the windows of activities never taught weigh, together, against those of known ones."""
RIDGE = 0.001
"""Of the weights, for features of unit variance and a mean loss."""
LABEL_RIDGES = (None, 0.1, 0.03)
"""Of what each label adds; None: nothing. Chosen by leaving out one dataset after the other."""
FEWEST = 20
"""Fewer windows of an activity in a dataset weigh less, and do not show how it moves."""
MIN_WINDOWS = 200
"""Minimum windows of known activities, over all datasets."""
SHRINK = 0.01
"""Added to every variance, as a share of the mean of all activities'."""


def fit_reliability(
    parts: Sequence[Unseen],
    labels: Sequence[str],
    widths: Sequence[float],
    learnt: Sequence[Unseen] = (),
    *,
    without: Sequence[int] = (),
) -> tuple[Reliability, float | None]:
    """The reliability, and the ridge of the labels' offsets that other datasets chose.

    Args:
        parts: answers for people the networks never saw, one part a dataset; of several networks of one architecture
            where each saw the other datasets only.
        labels: the model's.
        widths: the model's.
        learnt: windows of the people a single network was trained on: they show how it expects its sensor to lie. By
            default those of the other parts do.
        without: the features that get no weight, to measure what they are worth.
    Raises:
        DataDamaged: fewer than ``MIN_WINDOWS`` windows show an activity that the model knows.
    """
    if (known := sum(int((part.labels >= 0).sum()) for part in parts)) < MIN_WINDOWS:
        raise DataDamaged(
            f"{known} windows show an activity that the model knows ({', '.join(labels)}); at least {MIN_WINDOWS} are "
            "needed: name more datasets or recordings"
        )
    shares = _shares(parts)
    materials: dict[float, list[_Material]] = {width: [] for width in widths}
    for part, share in zip(parts, shares, strict=True):
        if not len(part):
            continue
        others = [other for other in (*learnt, *parts) if other.source != part.source or other in learnt]
        motion = _profile(others, parts, len(labels), slice(0, MOTION))
        position = _profile(learnt or others, parts, len(labels), slice(MOTION, MOTION + POSITION))
        weight = _weights(part) * share
        for width in widths:
            for probs in part.probs[width]:
                x = features(motion, position, probs, part.movement)
                x[:, list(without)] = 0
                right = _right(probs.argmax(axis=1), part, labels)
                materials[width].append(
                    _Material(part.source, _with_label(x, probs), right, weight / len(part.probs[width]))
                )
    losses = {ridge: sum(_loss_elsewhere(materials[width], ridge) for width in widths) for ridge in LABEL_RIDGES}
    ridge = min(losses, key=lambda ridge: losses[ridge])
    everyone = [*learnt, *parts]
    return Reliability(
        motion=_profile(everyone, everyone, len(labels), slice(0, MOTION)),
        position=_profile(learnt or parts, everyone, len(labels), slice(MOTION, MOTION + POSITION)),
        weights={width: _rounded(_logistic(materials[width], ridge)) for width in widths},
    ), ridge


def _right(named: NDArray[np.intp], part: Unseen, labels: Sequence[str]) -> Floats:
    """(n,) 1 where the label is right, else 0."""
    right = named == part.labels
    if OTHER in labels:
        right |= (part.labels == NEVER_TAUGHT) & (named == labels.index(OTHER))
    return right.astype(np.float64)


def _shares(parts: Sequence[Unseen]) -> list[float]:
    """The weight of each part; their sum is 1."""
    home = sum(part.at_home for part in parts)
    away = len(parts) - home
    if not home or not away:
        return [1 / len(parts)] * len(parts)
    return [0.5 / home if part.at_home else 0.5 / away for part in parts]


def _weights(part: Unseen) -> Floats:
    """(n,) the weight of each window; known activities weigh 1 together."""
    weights = np.zeros(len(part))
    known = part.labels >= 0
    activities = np.array(part.activities)
    for chosen, total in ((known, 1.0), (~known, NEVER_TAUGHT_SHARE)):
        for name in np.unique(activities[chosen]):
            of_activity = chosen & (activities == name)
            weights[of_activity] = 1 / max(FEWEST, int(of_activity.sum()))
        if chosen.any():
            weights[chosen] *= total / weights[chosen].sum()
    return weights


@dataclass(frozen=True, eq=False)
class _Material:
    """Design matrix, truth and weights of one part at one subnetwork."""

    source: str
    x: Floats
    right: Floats
    weight: Floats


def _with_label(x: Floats, probs: NDArray[np.float32]) -> Floats:
    """The features, then 1 in the column of the most probable label."""
    return np.hstack([x, np.eye(probs.shape[1])[probs.argmax(axis=1)]])


def _loss_elsewhere(materials: Sequence[_Material], ridge: float | None) -> float:
    """The mean log loss on each dataset, learnt on the others; 0 with fewer than three, which leave no choice."""
    sources = dict.fromkeys(material.source for material in materials)
    if len(sources) < 3:
        return 0.0
    losses: list[float] = []
    for source in sources:
        weights = _logistic([material for material in materials if material.source != source], ridge)
        for m in (material for material in materials if material.source == source):
            score = weights[0] + m.x @ weights[1:]
            losses.append(float((m.weight * (np.logaddexp(0, score) - m.right * score)).sum() / m.weight.sum()))
    return float(np.mean(losses))


def _logistic(materials: Sequence[_Material], ridge: float | None) -> Floats:
    """(1 + FEATURES + classes,) the weights with the least ridge-penalised log loss.

    The first features may only speak for a label: a likelier label, a movement and a position more like the
    label's never make it less reliable, however the datasets fell.
    """
    from scipy.optimize import minimize

    x, right, weight = (np.concatenate([getattr(m, name) for m in materials]) for name in ("x", "right", "weight"))
    weight = weight / weight.sum()
    mean = weight @ x[:, :FEATURES]
    deviation = np.sqrt(weight @ (x[:, :FEATURES] - mean) ** 2)
    varies = deviation > 1e-9
    scaled = x.copy()
    scaled[:, :FEATURES] = np.where(varies, (x[:, :FEATURES] - mean) / np.where(varies, deviation, 1), 0)
    scaled = np.hstack([np.ones((len(x), 1)), scaled])
    classes = x.shape[1] - FEATURES
    penalty = np.array([0.0] + [RIDGE] * FEATURES + [ridge or 0.0] * classes)

    def loss(w: Floats) -> tuple[float, Floats]:
        score = scaled @ w
        value = weight @ (np.logaddexp(0, score) - right * score) + penalty @ (w * w)
        return float(value), scaled.T @ (weight * (1 / (1 + np.exp(-score)) - right)) + 2 * penalty * w

    offset = (None, None) if ridge else (0.0, 0.0)
    bounds = [(None, None), *[(0.0, None)] * SPEAK_FOR, *[(None, None)] * (FEATURES - SPEAK_FOR), *[offset] * classes]
    w = np.asarray(minimize(loss, np.zeros(scaled.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x)
    slopes = np.where(varies, w[1 : 1 + FEATURES] / np.where(varies, deviation, 1), 0)
    return np.concatenate([[w[0] - slopes @ mean], slopes, w[1 + FEATURES :]])


def _profile(parts: Sequence[Unseen], everyone: Sequence[Unseen], classes: int, columns: slice) -> Profile:
    """Mean and precision of each activity, all datasets weighing the same.

    An activity that ``parts`` do not show is taken from ``everyone``; one that no dataset shows, from all activities.
    """
    moments = [_moments(parts, columns, c) or _moments(everyone, columns, c) for c in range(classes)]
    of_all = _moments(everyone, columns, None)
    assert of_all is not None  # there are windows of known activities
    shown = [moment[1] for moment in moments if moment] or [of_all[1]]
    floor = SHRINK * np.diag(np.mean([np.diag(covariance) for covariance in shown], axis=0))
    filled = [moment or of_all for moment in moments]
    return Profile(
        tuple(_rounded(mean) for mean, _ in filled),
        tuple(tuple(_rounded(row) for row in np.linalg.inv(covariance + floor)) for _, covariance in filled),
    )


def _moments(parts: Sequence[Unseen], columns: slice, label: int | None) -> tuple[Floats, Floats] | None:
    """Mean and covariance of one activity, or of all known ones; None with too few windows in every part."""
    shown = [part.movement[part.labels >= 0 if label is None else part.labels == label, columns] for part in parts]
    shown = [x for x in shown if len(x) >= FEWEST]
    if not shown:
        return None
    weight = np.concatenate([np.full(len(x), 1 / len(x) / len(shown)) for x in shown])
    x = np.concatenate(shown)
    mean = weight @ x
    away = x - mean
    return mean, (away * weight[:, None]).T @ away


def _rounded(values: Floats) -> tuple[float, ...]:
    """Six significant digits: the file stays small, and the same wherever it is written."""
    return tuple(float(f"{value:.6g}") for value in values)
