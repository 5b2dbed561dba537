"""The split of people into three disjoint parts: training, validation, test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError

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
    test: set[str] = set()
    validation: set[str] = set()
    for name in data.datasets:
        people = [subject for subject in subjects if len(data.datasets) == 1 or subject.startswith(f"{name}/")]
        testing = {subject for subject in data.test_subjects if subject in people}
        if not testing:
            testing = set(rng.permutation(people)[: max(1, round(data.test_share * len(people)))].tolist())
        rest = [subject for subject in people if subject not in testing]
        if len(rest) <= data.validation_subjects:
            raise ConfigError(
                f"{name} has {len(rest)} people beside the test subjects; expected {data.validation_subjects} for "
                "validation and at least one for training; lower validation_subjects in [data] or name fewer to test"
            )
        test |= testing
        validation |= set(rng.permutation(rest)[: data.validation_subjects].tolist())

    def ordered(part: set[str]) -> tuple[str, ...]:
        return tuple(subject for subject in subjects if subject in part)

    return Split(ordered(set(subjects) - test - validation), ordered(validation), ordered(test))
