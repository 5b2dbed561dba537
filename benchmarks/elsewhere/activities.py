"""Compares labels of a model with labels of a dataset that names activities otherwise, or more finely."""

from __future__ import annotations

from collections.abc import Iterable

from kinestream.core.activities import FAMILY


def common_names(ours: Iterable[str], theirs: Iterable[str]) -> dict[str, str]:
    """The name under which each label of two vocabularies is compared.

    Activities of one family are compared as the family, unless both sides distinguish the same ones.

    >>> names = common_names(["walking", "stairs"], ["walking_upstairs", "walking_downstairs", "jumping"])
    >>> names["stairs"], names["walking_upstairs"], names["jumping"]
    ('stairs', 'stairs', 'jumping')
    >>> fine = ("walking_upstairs", "walking_downstairs")
    >>> common_names(fine, fine)["walking_upstairs"]
    'walking_upstairs'
    """
    ours, theirs = set(ours), set(theirs)
    families = {FAMILY.get(label, label) for label in ours | theirs}
    alike = {family for family in families if _members(ours, family) == _members(theirs, family)}
    return {
        label: label if (family := FAMILY.get(label, label)) in alike else family for label in sorted(ours | theirs)
    }


def _members(labels: set[str], family: str) -> set[str]:
    return {label for label in labels if FAMILY.get(label, label) == family}
