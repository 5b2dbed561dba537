"""The people behind the subjects of joined datasets: one person can appear in two datasets, or at two places.

UCI-HAR and HAPT show the same 30 people, and ``umafall/01/phone`` and ``umafall/01/waist`` are one person. A split
keeps all subjects of a person in one part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from kinestream.replay_data.datasets.registry import DATASETS

if TYPE_CHECKING:
    from ..recipe.data_settings import Data


def person_of(subject: str, data: Data) -> str:
    """The name of a subject's person: equal for all subjects that are the same person, and no others.

    >>> from dataclasses import replace
    >>> from kinestream.train import load_recipe
    >>> joined = replace(load_recipe("uci").data, dataset="hapt + uci-har + umafall")
    >>> [person_of(subject, joined) for subject in ("hapt/1", "uci-har/1", "umafall/01/phone", "umafall/01/waist")]
    ['hapt/1', 'hapt/1', 'umafall/01', 'umafall/01']
    """
    person = global_person_of(subject, data)
    known = DATASETS.get(data.dataset_of(subject))
    if known is None or len(data.datasets) > 1:
        return person
    return person.removeprefix(f"{known.population}/")


def global_person_of(subject: str, data: Data) -> str:
    """As ``person_of``, but equal in the data of any recipe.

    >>> from kinestream.train import load_recipe
    >>> global_person_of("7", load_recipe("uci").data), global_person_of("hapt/7", load_recipe("phone_acc").data)
    ('hapt/7', 'hapt/7')
    """
    name = data.dataset_of(subject)
    known = DATASETS.get(name)
    if known is None:
        return subject
    return known.person(subject if len(data.datasets) == 1 else subject.removeprefix(f"{name}/"))


def by_person(subjects: Iterable[str], data: Data) -> dict[str, tuple[str, ...]]:
    """The subjects of each person; people and subjects in the given order."""
    people: dict[str, list[str]] = {}
    for subject in subjects:
        people.setdefault(person_of(subject, data), []).append(subject)
    return {person: tuple(own) for person, own in people.items()}


def populations(subjects: Sequence[str], data: Data) -> Mapping[tuple[str, ...], list[str]]:
    """The datasets that share their people, each time with these people, in the order of ``data.datasets``.

    >>> from dataclasses import replace
    >>> from kinestream.train import load_recipe
    >>> joined = replace(load_recipe("uci").data, dataset="hapt + sisfall + uci-har")
    >>> populations(("hapt/1", "hapt/2", "sisfall/SA01", "uci-har/2", "uci-har/3"), joined)
    {('hapt', 'uci-har'): ['hapt/1', 'hapt/2', 'hapt/3'], ('sisfall',): ['sisfall/SA01']}
    """
    shared: dict[str, list[str]] = {}
    for name in data.datasets:
        shared.setdefault(DATASETS[name].population if name in DATASETS else name, []).append(name)
    return {
        tuple(names): list(by_person((subject for subject in subjects if data.dataset_of(subject) in names), data))
        for names in shared.values()
    }


def in_order(
    subjects: Iterable[str], people: Iterable[str], subjects_of: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The subjects of these people, in the order of ``subjects``.

    Args:
        subjects_of: as from ``by_person``.
    """
    wanted = {subject for person in people for subject in subjects_of[person]}
    return tuple(subject for subject in subjects if subject in wanted)
