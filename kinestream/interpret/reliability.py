"""The probability that a window's label is right, also where the model was never trained or never taught.

A softmax only divides the window among the activities it knows. The reliability adds what the network does not say:
whether the movement and the position of the sensor (``movement.py``) are those of the activity it names. It is a
logistic regression, learnt by ``train/judge/reliability.py`` from people of datasets the network never saw; windows of
activities it was never taught count as wrong.

Sources: Platt, "Probabilistic outputs for support vector machines", 1999; the Mahalanobis distance to a class as a
sign of novelty: Lee et al., "A simple unified framework for detecting out-of-distribution samples", NeurIPS 2018.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.errors import ConfigError

from .movement import MOTION, POSITION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from kinestream.core.signals import Subnet

FEATURES = 6
"""Log-odds of the label, the same where it fits, its fit to the movement, twice that to the position, and whether up is
known."""
SPEAK_FOR = 5
"""The first features can only speak for a label."""
FARTHEST = 20.0
"""Mean squared standard deviations beyond which a position is simply another one."""
NEAR = 3.0
"""Mean squared standard deviations within which the network knows what it is shown, so that its log-odds count."""
LEAST = 1e-7
"""Lower bound of both a label's probability and its complement: float32 rounds the softmax to 0 and 1."""


@dataclass(frozen=True)
class Profile:
    """How each activity looks in a few numbers: normal distributions.

    Raises:
        ConfigError: the shapes differ, or a number is not finite.

    >>> profile = Profile(((0.0,), (5.0,)), (((1.0,),), ((1.0,),)))
    >>> profile.distances([[3.0]], [0]).tolist(), profile.distances([[3.0]], [1]).tolist()
    ([9.0], [4.0])
    """

    means: tuple[tuple[float, ...], ...]
    """(classes, numbers)."""
    precisions: tuple[tuple[tuple[float, ...], ...], ...]
    """(classes, numbers, numbers) inverse covariances."""

    def __post_init__(self) -> None:
        means, precisions = self._arrays
        if means.ndim != 2 or precisions.shape != (*means.shape, means.shape[1]):
            raise ConfigError(f"a profile of means {means.shape} and precisions {precisions.shape}; calibrate again")
        if not (np.isfinite(means).all() and np.isfinite(precisions).all()):
            raise ConfigError("a profile holds numbers that are not finite; calibrate again")

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        try:
            return np.array(self.means, np.float64), np.array(self.precisions, np.float64)
        except ValueError as error:
            raise ConfigError("the rows of a profile differ in length; calibrate again") from error

    def distances(self, x: ArrayLike, label: ArrayLike) -> NDArray[np.float64]:
        """(n,) mean squared distance of (n, numbers) to the (n,) activity in standard deviations: about 1 within it."""
        means, precisions = self._arrays
        of = np.asarray(label)
        away = np.asarray(x, np.float64) - means[of]
        return np.maximum(np.einsum("ni,nij,nj->n", away, precisions[of], away), 0) / means.shape[1]


def features(
    motion: Profile, position: Profile, probs: ArrayLike, movement: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, FEATURES) of (n, classes) probabilities as the network gave them, and the (n, 8) ``Movement`` of each."""
    p = np.asarray(probs, np.float64)
    label = p.argmax(axis=1)
    top = np.minimum(p.max(axis=1), 1 - LEAST)
    out = np.empty((len(p), FEATURES))
    out[:, 0] = np.log(top / (1 - top))
    moves = motion.distances(movement[:, :MOTION], label)
    lies = position.distances(movement[:, MOTION : MOTION + POSITION], label)
    out[:, 1] = out[:, 0] / ((1 + (moves / NEAR) ** 2) * (1 + (lies / NEAR) ** 2))
    out[:, 2] = -np.log1p(moves)
    out[:, 3] = -np.log1p(lies)  # tells near positions apart
    out[:, 4] = -np.minimum(lies, FARTHEST)  # and this one far ones, such as another pocket
    out[:, 5] = movement[:, -1]
    return out


@dataclass(frozen=True)
class Reliability:
    """How probable it is that a label is right.

    Raises:
        ConfigError: the parts do not fit together, or a number is not finite.

    >>> from kinestream.core.signals import Subnet
    >>> motion = Profile(((0.0,) * 4,) * 2, (tuple(map(tuple, np.eye(4).tolist())),) * 2)
    >>> position = Profile(((0.0,) * 3,) * 2, (tuple(map(tuple, np.eye(3).tolist())),) * 2)
    >>> reliability = Reliability(motion, position, {1.0: (1.0, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)})
    >>> like, unlike = np.zeros((1, 8)), np.full((1, 8), 9.0)
    >>> [reliability.confidences([[0.9, 0.1]], m, Subnet(1.0, 80)).round(2).tolist() for m in (like, unlike)]
    [[0.89], [0.09]]
    """

    motion: Profile
    """Of how the wearer moves."""
    position: Profile
    """Of how the sensor lies."""
    weights: Mapping[float, tuple[float, ...]]
    """By width: a constant, the weight of each of ``FEATURES``, and what each of the labels adds: some are right
    elsewhere more often than others."""

    def __post_init__(self) -> None:
        classes = self.classes
        for name, profile, numbers in (("motion", self.motion, MOTION), ("position", self.position, POSITION)):
            if len(profile.means) != classes or len(profile.means[0]) != numbers:
                raise ConfigError(f"the profile of {name} does not have {numbers} numbers of {classes} activities")
        if not self.weights:
            raise ConfigError("a reliability without weights; calibrate again")
        for width, weights in self.weights.items():
            if len(weights) != (expected := 1 + FEATURES + classes) or not all(map(math.isfinite, weights)):
                raise ConfigError(f"weights {weights} of width {width:g}: expected {expected} finite numbers")

    @property
    def classes(self) -> int:
        """Number of activities."""
        return len(self.motion.means)

    def confidences(self, probs: ArrayLike, movement: NDArray[np.float64], subnet: Subnet) -> NDArray[np.float64]:
        """(n,) probability that the most probable label of each window is right; arguments as for ``features``."""
        weights = np.array(self.weights[subnet.width])
        of_label = weights[1 + FEATURES :][np.asarray(probs).argmax(axis=1)]
        x = features(self.motion, self.position, probs, movement)
        score = weights[0] + x @ weights[1 : 1 + FEATURES] + of_label
        return 1 / (1 + np.exp(-score))

    def novelty(self, probs: ArrayLike, movement: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) how unlike the label's own the movement is: about 1 where it is alike, 10 and more where it is not."""
        return self.motion.distances(movement[:, :MOTION], np.asarray(probs).argmax(axis=1))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, which ``from_json`` reads."""
        return {
            **{
                name: {"means": profile.means, "precisions": profile.precisions}
                for name, profile in (("motion", self.motion), ("position", self.position))
            },
            "weights": {f"{width:g}": list(values) for width, values in sorted(self.weights.items())},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Reliability:
        """The reliability that ``to_json`` wrote.

        Raises:
            ConfigError, KeyError, TypeError, ValueError, AttributeError: the values are not a reliability.
        """
        return cls(
            motion=_profile(values["motion"]),
            position=_profile(values["position"]),
            weights={float(width): _floats(weights) for width, weights in values["weights"].items()},
        )


def _profile(values: Mapping[str, Any]) -> Profile:
    return Profile(_floats(values["means"]), _floats(values["precisions"]))


def _floats(value: Any) -> Any:
    """Nested lists of numbers as tuples of floats."""
    if isinstance(value, list | tuple):
        return tuple(map(_floats, value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{str(value)[:60]!r} is not a number")
    return float(value)


def with_confidence(probs: ArrayLike, confidence: float) -> NDArray[np.float64]:
    """(classes,) probabilities flattened or sharpened until the highest is ``confidence``; the order stays.

    Below one in ``classes``, all are equal: such a window speaks for no activity. The highest is then more probable
    than ``confidence`` says, which counts activities that have no name here.

    >>> with_confidence([0.9, 0.06, 0.04], 0.6).round(3).tolist()
    [0.6, 0.205, 0.195]
    >>> with_confidence([0.9, 0.06, 0.04], 0.1).round(3).tolist()
    [0.333, 0.333, 0.333]
    """
    p = np.asarray(probs, np.float64)
    best, classes = int(p.argmax()), len(p)
    if classes == 1:
        return np.ones(1)
    top = min(max(confidence, 1 / classes), 1.0)
    if top <= p[best]:
        share = (top - 1 / classes) / max(p[best] - 1 / classes, LEAST)
        return share * p + (1 - share) / classes
    out = p * ((1 - top) / (1 - p[best]))
    out[best] = top
    return out
