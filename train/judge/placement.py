"""Learns how the training people wore the sensor, and from which angle on another wearer wears it otherwise.

The centre is the spherical median of the directions of up of all recordings, so that a few people who wore the sensor
in another way do not move it. The limit is derived by leaving out one person at a time: the greatest angle to the
others' centre at which the live check would have been sure about that person. It is Tukey's fence over the people, the
upper quartile plus 1.5 times the distance of the quartiles, beyond which a value counts as an outlier; people who
happen to agree closely get ``LEAST_DEG``.

Sources: Weiszfeld, "Sur le point pour lequel la somme des distances de n points donnés est minimum", 1937 (the median);
Tukey, "Exploratory Data Analysis", 1977 (the fence).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kinestream.interpret.placement import SURE_BLOCKS, WIDEST_DEG, Placement
from kinestream.windowing.training_windows import up_course

from ..data.windows import chunks_of
from ..splits.people import person_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec
    from kinestream.core.signals import Vector
    from kinestream.replay_data import Dataset

    from ..data.windows import Track
    from ..recipe.data_settings import Data

    Floats = NDArray[np.float64]
    Course = Sequence[Vector | None]

LEAST_PEOPLE = 5
"""People who must have been seen moving; the quartiles of fewer mean nothing."""
FENCE = 1.5
"""Distances of the quartiles above the upper one: Tukey's usual fence."""
LEAST_DEG = 30.0
"""The limit is no stricter: within this, one wearer's own movements differ in nine blocks of ten."""
STEPS = 100
"""Iterations of the median; it moves by less than a thousandth of a degree after thirty."""


def learn_placement(
    dataset: Dataset, data: Data, spec: InputSpec, subjects: Sequence[str], *, track: Track = iter
) -> Placement | None:
    """The placement of these people's sensors.

    None where there can be no check: the model does not read acceleration in the sensor's axes, too few people are
    seen moving for the 12 s that up needs, or they wore the sensor anyhow.

    Args:
        dataset: contains the recordings of ``subjects``.
        data: the recipe's, which says which subjects are one person.
        spec: the model's input.
    """
    if not spec.reads_sensor_axes:
        return None
    courses: dict[str, list[Course]] = {}
    for recording in track(dataset.select(subjects)):
        course = up_course(spec, chunks_of(recording))
        if any(up is not None for up in course):
            courses.setdefault(person_of(recording.subject, data), []).append(course)
    return placement_of(courses)


def is_worn_like(placement: Placement, dataset: Dataset, spec: InputSpec, subjects: Sequence[str]) -> bool:
    """Whether a live run would not have noticed any of these recordings to be worn otherwise."""
    centre = np.array(placement.up)
    courses = (up_course(spec, chunks_of(recording)) for recording in dataset.select(subjects))
    return all(sure_angle_deg(course, centre) <= placement.limit_deg for course in courses)


def placement_of(courses: Mapping[str, Sequence[Course]]) -> Placement | None:
    """The placement by the people's recordings; None if too few people are given, or they wore the sensor anyhow.

    Args:
        courses: by person, one ``up_course`` per recording, each with a known direction.

    >>> upright = {f"person {n}": [[(0.0, 0.0, 1.0)] * 9] for n in range(6)}
    >>> upright["askew"] = [[(0.0, 0.6, 0.8)] * 9]
    >>> placement_of(upright).up
    (0.0, 0.0, 1.0)
    """
    if len(courses) < LEAST_PEOPLE:
        return None
    directions = {person: np.array([_last(course) for course in own]) for person, own in courses.items()}
    angles = []
    for person, own in courses.items():
        centre = _centre([ups for other, ups in directions.items() if other != person])
        angles.append(max(sure_angle_deg(course, centre) for course in own))
    lower, upper = np.percentile(angles, [25, 75])
    limit_deg = max(float(upper + FENCE * (upper - lower)), LEAST_DEG)
    if limit_deg > WIDEST_DEG:
        return None
    x, y, z = (round(number, 6) + 0.0 for number in _centre(list(directions.values())).tolist())
    return Placement((x, y, z), round(limit_deg, 2), len(courses))


def _centre(people: Sequence[Floats]) -> Floats:
    """The median of the directions of people, each with (recordings, 3) of them; every person counts equally."""
    weights = np.concatenate([np.full(len(ups), 1 / len(ups)) for ups in people])
    return spherical_median(np.concatenate(people), weights)


def spherical_median(directions: Floats, weights: Floats) -> Floats:
    """The unit vector with the least weighted sum of distances to (n, 3) unit vectors.

    >>> spherical_median(np.array([[1.0, 0, 0], [0, 1.0, 0]]), np.array([2.0, 1.0])).round(3).tolist()
    [1.0, 0.0, 0.0]
    """
    centre = _unit(weights @ directions)
    for _ in range(STEPS):
        distances = np.maximum(np.linalg.norm(directions - centre, axis=1), 1e-6)
        centre = _unit((weights / distances) @ directions)
    return centre


def sure_angle_deg(course: Course, centre: Floats) -> float:
    """The greatest limit at which ``PlacementWatch`` would still have been sure about this recording.

    It is sure at a limit if ``SURE_BLOCKS`` consecutive directions lie beyond it.

    >>> sure_angle_deg([(0.0, 1.0, 0.0)] * 5 + [(1.0, 0.0, 0.0)], np.array([1.0, 0.0, 0.0]))
    90.0
    >>> sure_angle_deg([(0.0, 1.0, 0.0)] * 4 + [(1.0, 0.0, 0.0)], np.array([1.0, 0.0, 0.0]))
    0.0
    """
    cosines = [1.0 if up is None else min(1.0, max(-1.0, float(np.dot(up, centre)))) for up in course]
    angles = np.degrees(np.arccos(cosines))
    if len(angles) < SURE_BLOCKS:
        return 0.0
    return float(np.lib.stride_tricks.sliding_window_view(angles, SURE_BLOCKS).min(axis=1).max())


def _last(course: Course) -> Vector:
    return next(up for up in reversed(course) if up is not None)


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else np.array([0.0, 0.0, 1.0])
