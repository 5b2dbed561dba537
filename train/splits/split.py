"""The split of people into three disjoint parts: training, validation, test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError

from .people import by_person, in_order, person_of, populations

if TYPE_CHECKING:
    from ..recipe.data_settings import Data


@dataclass(frozen=True, slots=True)
class Split:
    """The people of each part, in the dataset's order."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def split_subjects(subjects: Sequence[str], data: Data) -> Split:
    """Split the people of each dataset: first test (named or drawn), then validation from the rest.

    >>> from dataclasses import replace
    >>> from kinestream.train import load_recipe
    >>> data = replace(load_recipe("uci").data, test_subjects=("2",), validation_subjects=1)
    >>> split_subjects(("1", "2", "3"), data)
    Split(train=('3',), validation=('1',), test=('2',))

    Raises:
        ConfigError: a test subject is not in the dataset, or too few people remain for training.
    """
    rng = np.random.default_rng(data.split_seed)
    if unknown := [subject for subject in data.test_subjects if subject not in subjects]:
        raise ConfigError(f"test subject {unknown[0]} is not in {data.dataset}; it has {', '.join(subjects)}")
    named = {person_of(subject, data) for subject in data.test_subjects}
    subjects_of = by_person(subjects, data)
    test: set[str] = set()
    validation: set[str] = set()
    for names, people in populations(subjects, data).items():
        testing = named.intersection(people)
        if not testing:
            testing = set(rng.permutation(people)[: max(1, round(data.test_share * len(people)))].tolist())
        test |= testing
        validation |= draw_validation([person for person in people if person not in testing], names, data, rng)
    train = set(subjects_of) - test - validation
    return Split(*(in_order(subjects, part, subjects_of) for part in (train, validation, test)))


def draw_validation(people: Sequence[str], datasets: Sequence[str], data: Data, rng: np.random.Generator) -> set[str]:
    """``data.validation_subjects`` of the people that do not test.

    Args:
        datasets: their datasets, for the message.

    Raises:
        ConfigError: no one would be left to train on.
    """
    if len(people) <= data.validation_subjects:
        raise ConfigError(
            f"{' and '.join(datasets)} has {len(people)} people beside the test subjects; expected "
            f"{data.validation_subjects} for validation and at least one for training; lower validation_subjects in "
            "[data] or name fewer to test"
        )
    return set(rng.permutation(people)[: data.validation_subjects].tolist())
