"""Protocol ``datasets``: each dataset is tested once by a network that has seen none of its people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError

from .people import by_person, in_order, populations
from .split import Split, draw_validation

if TYPE_CHECKING:
    from ..recipe.data_settings import Data


def leave_dataset_out(subjects: Sequence[str], data: Data) -> tuple[Split, ...]:
    """One fold per dataset: all its people test, and datasets of the same people neither train nor validate.

    The validation people of a dataset are the same in every fold that trains on it.

    >>> from dataclasses import replace
    >>> from kinestream.train import load_recipe
    >>> data = replace(load_recipe("uci").data, dataset="hapt + sisfall + uci-har", validation_subjects=1)
    >>> people = ("hapt/1", "hapt/2", "sisfall/SA01", "sisfall/SA02", "uci-har/1")
    >>> leave_dataset_out(people, data)[0]
    Split(train=('sisfall/SA02',), validation=('sisfall/SA01',), test=('hapt/1', 'hapt/2'))

    Raises:
        ConfigError: all datasets show the same people, or one has too few to validate and train.
    """
    people, subjects_of = populations(subjects, data), by_person(subjects, data)
    if len(people) < 2:
        (names,) = people
        found = f"{names[0]} alone" if len(names) == 1 else f"{' and '.join(names)}, which show the same people"
        raise ConfigError(
            f"protocol datasets leaves one dataset out and learns from the others, but the recipe's data is {found}; "
            "join others with ' + ' in [data] dataset, or choose protocol holdout, groups or loso"
        )
    validating = {
        names: draw_validation(own, names, data, np.random.default_rng((data.split_seed, number)))
        for number, (names, own) in enumerate(people.items())
    }
    folds: list[Split] = []
    for left_out in data.datasets:
        test = tuple(subject for subject in subjects if data.dataset_of(subject) == left_out)
        others = {names: own for names, own in people.items() if left_out not in names}
        validation = {person for names in others for person in validating[names]}
        train = {person for own in others.values() for person in own} - validation
        folds.append(Split(in_order(subjects, train, subjects_of), in_order(subjects, validation, subjects_of), test))
    return tuple(folds)


def define(data: Data) -> str:
    """A description of the split, stored with the scores measured under it."""
    return (
        f"each of {' and '.join(data.datasets)} tested once, whole, by a network trained on the others without its "
        f"people; of each dataset trained on, {data.validation_subjects} people, drawn with seed {data.split_seed}, "
        "validate"
    )
