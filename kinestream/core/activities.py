"""Names of activities: which label of a model shows an activity that a dataset names otherwise, or more finely."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

FALL_KINDS = (
    "falling_forward",
    "falling_right",
    "falling_back",
    "falling_obstacle",
    "falling_protection",
    "falling_chair",
    "falling_syncope",
    "falling_left",
)
"""The kinds of falls that UniMiB SHAR distinguishes, in the order of its file."""

FAMILY: Mapping[str, str] = {
    "jogging": "running",
    "walking_upstairs": "stairs",
    "walking_downstairs": "stairs",
    **dict.fromkeys(FALL_KINDS, "fall"),
}
"""The broader activity of a finer or synonymous one."""


def shown_as(activity: str, labels: Collection[str]) -> tuple[str, ...]:
    """The labels that are right for an activity: itself, its broader name, or else each of its finer ones.

    >>> known = ("walking", "running", "stairs")
    >>> shown_as("walking_upstairs", known), shown_as("jogging", known), shown_as("jumping", known)
    (('stairs',), ('running',), ())
    >>> shown_as("stairs", ("walking_upstairs", "walking_downstairs"))
    ('walking_upstairs', 'walking_downstairs')
    """
    return _shown_as(activity, tuple(labels))


@lru_cache(maxsize=1024)
def _shown_as(activity: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    if activity in labels:
        return (activity,)
    broader = FAMILY.get(activity)
    if broader is not None:
        return (broader,) if broader in labels else ()
    return tuple(label for label in labels if FAMILY.get(label) == activity)
