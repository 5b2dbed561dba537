"""Who is learnt from, who validates, who tests: no person is in two of the three parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError

if TYPE_CHECKING:
    from ..recipe.schema import Data


@dataclass(frozen=True, slots=True)
class Split:
    """Who belongs to which part, in the dataset's order."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def split_subjects(subjects: Sequence[str], data: Data) -> Split:
    """Part the people of each dataset: test first (named or drawn), then validation out of those left.

    Raises:
        ConfigError: a test subject is not in the dataset, or too few people are left to train on.
    """
    rng = np.random.default_rng(data.split_seed)
    if unknown := [subject for subject in data.test_subjects if subject not in subjects]:
        raise ConfigError(f"test subject {unknown[0]} is not in {data.dataset}; it has {', '.join(subjects)}")
    test: set[str] = set()
    validation: set[str] = set()
    for name in data.datasets:
        own = [one for one in subjects if len(data.datasets) == 1 or one.startswith(f"{name}/")]
        drawn = {one for one in data.test_subjects if one in own}
        if not drawn:
            drawn = set(rng.permutation(own)[: max(1, round(data.test_share * len(own)))].tolist())
        rest = [one for one in own if one not in drawn]
        if len(rest) <= data.validation_subjects:
            raise ConfigError(
                f"{name} has {len(rest)} people beside the test subjects; "
                f"{data.validation_subjects} are wanted for validation and at least one for training"
            )
        test |= drawn
        validation |= set(rng.permutation(rest)[: data.validation_subjects].tolist())

    def ordered(part: set[str]) -> tuple[str, ...]:
        return tuple(subject for subject in subjects if subject in part)

    return Split(ordered(set(subjects) - test - validation), ordered(validation), ordered(test))
