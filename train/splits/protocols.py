"""Evaluation protocols: which people train, validate and test.

A protocol splits the people of a dataset into folds, numbered from 1. It is a pure function of the list of people and
of the recipe's ``[data]`` table, above all its ``split_seed``. Except under ``leaky`` and ``blocks``, each person is in
one part of a fold only, with all subjects that are this person (``people.py``), and the validation people are drawn
after the test people are removed. ``datasets`` leaves out whole datasets. ``named`` and ``blocks`` are for a user's own
recordings, which are all needed for learning: there is no test part, and with too few people to hold one out,
``blocks`` validates on other minutes of the same people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError
from kinestream.replay_data.datasets.hapt import OFFICIAL_TEST_SUBJECTS as UCI_TEST_SUBJECTS

from . import left_out_dataset
from .people import by_person, in_order
from .split import Split, split_subjects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..recipe.data_settings import Data

OFFICIAL_TEST_SUBJECTS: dict[str, tuple[str, ...]] = {"hapt": UCI_TEST_SUBJECTS, "uci-har": UCI_TEST_SUBJECTS}
"""Test people of the datasets whose authors published a split."""
GROUPS = 10
"""Number of groups of people in protocol ``groups``."""
LEAKY_TEST_SHARE, LEAKY_VALIDATION_SHARE = 0.3, 0.1
"""Share of all windows, and share of the remaining ones."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A rule that splits people into training, validation and test parts.

    >>> from kinestream.train import load_recipe
    >>> data = load_recipe("uci").data
    >>> PROTOCOLS["loso"].fold(("anna", "ben", "cleo"), data)
    Split(train=('cleo',), validation=('ben',), test=('anna',))
    """

    name: str
    make_folds: Callable[[Sequence[str], Data], tuple[Split, ...]]
    """The folds of these people; over all folds each subject tests exactly once (``official`` and ``holdout``: one
    fold)."""
    define: Callable[[Data], str]
    """A description of the split, stored with the scores measured under it."""
    leaks: bool = False
    """Everyone is in all parts, and ``shuffled_windows`` splits the windows instead."""
    by_time: bool = False
    """The same people train and validate; ``time_blocks.last_blocks`` splits their windows."""
    every_class: bool = True
    """Whether a class without training windows is an error; a left-out dataset can be the only one that shows it."""

    def folds(self, subjects: Sequence[str], data: Data) -> tuple[Split, ...]:
        """All folds, ordered by number.

        Raises:
            ConfigError: there are too few people, or a person the protocol names is missing.
        """
        return self.make_folds(subjects, data)

    def fold(self, subjects: Sequence[str], data: Data) -> Split:
        """Fold number ``data.fold``.

        Raises:
            ConfigError: as ``folds``, or the fold does not exist.
        """
        folds = self.folds(subjects, data)
        if not 1 <= data.fold <= len(folds):
            raise ConfigError(f"protocol {self.name} has no fold {data.fold} here; choose 1 to {len(folds)}")
        fold = folds[data.fold - 1]
        if not data.validation_trains:
            return fold
        learning = {*fold.train, *fold.validation}
        return replace(fold, train=tuple(subject for subject in subjects if subject in learning))


def protocol_of(data: Data) -> Protocol:
    """The recipe's protocol; by default ``official`` if its test people are the dataset's own, else ``holdout``."""
    if data.protocol:
        return PROTOCOLS[data.protocol]
    official = data.test_subjects and data.test_subjects == OFFICIAL_TEST_SUBJECTS.get(data.dataset)
    return PROTOCOLS["official" if official else "holdout"]


def shuffled_windows(n: int, seed: int) -> dict[str, NDArray[np.intp]]:
    """Ascending indices of the windows in each part of protocol ``leaky``: 63, 7 and 30 % of ``n``.

    >>> {part: len(indices) for part, indices in shuffled_windows(100, seed=0).items()}
    {'train': 63, 'validation': 7, 'test': 30}
    """
    order = np.random.default_rng(seed).permutation(n)
    test, rest = np.split(order, [round(LEAKY_TEST_SHARE * n)])
    validation, train = np.split(rest, [round(LEAKY_VALIDATION_SHARE * len(rest))])
    return {"train": np.sort(train), "validation": np.sort(validation), "test": np.sort(test)}


def _official(subjects: Sequence[str], data: Data) -> tuple[Split, ...]:
    if data.dataset not in OFFICIAL_TEST_SUBJECTS:
        raise ConfigError(
            f"{data.dataset} has no official split (only {', '.join(OFFICIAL_TEST_SUBJECTS)} do); "
            "choose protocol groups, loso or holdout"
        )
    return (split_subjects(subjects, replace(data, test_subjects=OFFICIAL_TEST_SUBJECTS[data.dataset])),)


def _holdout(subjects: Sequence[str], data: Data) -> tuple[Split, ...]:
    return (split_subjects(subjects, data),)


def _groups(subjects: Sequence[str], data: Data) -> tuple[Split, ...]:
    subjects_of = by_person(subjects, data)
    people = list(subjects_of)
    if len(people) < GROUPS:
        raise ConfigError(f"{data.dataset} has {len(people)} people, fewer than {GROUPS} groups; choose loso")
    shuffled = np.random.default_rng(data.split_seed).permutation(len(people))
    groups = ([people[int(i)] for i in sorted(group)] for group in np.array_split(shuffled, GROUPS))
    return _leave_out(subjects, subjects_of, groups, data)


def _loso(subjects: Sequence[str], data: Data) -> tuple[Split, ...]:
    subjects_of = by_person(subjects, data)
    if len(subjects_of) < 3:
        raise ConfigError(
            f"{data.dataset} has {len(subjects_of)} people; protocol loso needs at least 3, choose blocks"
        )
    return _leave_out(subjects, subjects_of, ((person,) for person in subjects_of), data)


def _named(subjects: Sequence[str], data: Data) -> tuple[Split, ...]:
    if unknown := [subject for subject in data.validate_on if subject not in subjects]:
        raise ConfigError(f"validate_on names {unknown[0]}; {data.dataset} has {', '.join(subjects)}")
    train = tuple(subject for subject in subjects if subject not in data.validate_on)
    if not data.validate_on or not train:
        raise ConfigError(
            f"protocol named needs validate_on in [data]: some, but not all, of {', '.join(subjects)}; or choose blocks"
        )
    return (Split(train, tuple(subject for subject in subjects if subject in data.validate_on), ()),)


def _blocks(subjects: Sequence[str], data: Data) -> tuple[Split, ...]:
    everyone = tuple(subjects)
    return (Split(everyone, everyone, ()),)


def _leaky(subjects: Sequence[str], data: Data) -> tuple[Split, ...]:
    everyone = tuple(subjects)
    return (Split(everyone, everyone, everyone),)


def _leave_out(
    subjects: Sequence[str], subjects_of: Mapping[str, Sequence[str]], groups: Iterable[Sequence[str]], data: Data
) -> tuple[Split, ...]:
    """One fold per group of people: the group tests, ``validation_share`` of the others are drawn to validate."""
    folds: list[Split] = []
    for number, test in enumerate(groups, start=1):
        rest = [person for person in subjects_of if person not in test]
        rng = np.random.default_rng((data.split_seed, number))
        n_validation = min(len(rest) - 1, max(1, round(data.validation_share * len(rest))))
        drawn = {rest[i] for i in rng.permutation(len(rest))[:n_validation].tolist()}
        train = [person for person in rest if person not in drawn]
        folds.append(Split(*(in_order(subjects, part, subjects_of) for part in (train, drawn, test))))
    return tuple(folds)


def _define_official(data: Data) -> str:
    return (
        f"the dataset's own test people; {data.validation_subjects} of the others, drawn with seed "
        f"{data.split_seed}, validate"
    )


def _define_holdout(data: Data) -> str:
    choice = f"{100 * data.test_share:g} % of all, drawn with seed {data.split_seed}"
    several = len(data.datasets) > 1
    if data.test_subjects:
        drawn_from = [
            name for name in data.datasets if several and not any(_is_of(name, s) for s in data.test_subjects)
        ]
        choice = "named by the recipe" + (f", of {' and '.join(drawn_from)} {choice}" if drawn_from else "")
    of_each = " of each dataset" if several else ""
    return (
        f"test people {choice}; {data.validation_subjects} of the others{of_each}, drawn with seed {data.split_seed}, "
        "validate"
    )


def _is_of(dataset: str, subject: str) -> bool:
    """Whether a person of several joined datasets belongs to this one."""
    return subject.startswith(f"{dataset}/")


def _define_groups(data: Data) -> str:
    return (
        f"people shuffled with seed {data.split_seed} into {GROUPS} groups, each tested once by a network trained on "
        f"the others, of whom {100 * data.validation_share:g} % validate (the split of WHAR Arena)"
    )


def _define_loso(data: Data) -> str:
    return (
        f"each person tested once by a network trained on the others, of whom {100 * data.validation_share:g} %, "
        f"drawn with seed {data.split_seed}, validate"
    )


def _define_named(data: Data) -> str:
    return f"{', '.join(data.validate_on)} validate, all others train; there are no test people"


def _define_blocks(data: Data) -> str:
    return (
        f"the SAME people at other times: the last {100 * data.validation_share:g} % of each activity validate, "
        "windows less than a window's length away from them are left out; there are no test people"
    )


def _define_leaky(data: Data) -> str:
    return (
        f"LEAKY: all people's windows shuffled with seed {data.split_seed}, 30 % of them test: every person, "
        "and windows that share samples with a test window, are in training; only for comparison with figures "
        "measured in the same way"
    )


PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("official", _official, _define_official),
        Protocol("holdout", _holdout, _define_holdout),
        Protocol("groups", _groups, _define_groups),
        Protocol("loso", _loso, _define_loso),
        Protocol("datasets", left_out_dataset.leave_dataset_out, left_out_dataset.define, every_class=False),
        Protocol("named", _named, _define_named),
        Protocol("blocks", _blocks, _define_blocks, by_time=True),
        Protocol("leaky", _leaky, _define_leaky, leaks=True),
    )
}
