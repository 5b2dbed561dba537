"""Protocols: the parts of every fold are disjoint, complete and reproducible."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.core.errors import ConfigError
from kinestream.train import load_recipe
from kinestream.train.data.windows import Windows, open_data
from kinestream.train.recipe.protocol_names import PROTOCOL_NAMES
from kinestream.train.splits.protocols import (
    GROUPS,
    OFFICIAL_TEST_SUBJECTS,
    PROTOCOLS,
    protocol_of,
    shuffled_windows,
)

UCI = load_recipe("uci").data
THIRTY = tuple(map(str, range(1, 31)))
HONEST = [name for name, protocol in PROTOCOLS.items() if not protocol.leaks]
IN_FOLDS = ["groups", "loso"]

people = st.lists(st.text("abcdefgh0123456789/", min_size=1, max_size=6), min_size=10, max_size=40, unique=True)
seeds = st.integers(0, 10_000)


def folds(name, subjects=THIRTY, seed=0, **data):
    return PROTOCOLS[name].folds(subjects, replace(UCI, split_seed=seed, **data))


@pytest.mark.parametrize("name", IN_FOLDS)
@settings(deadline=None, max_examples=50)
@given(people, seeds)
def test_each_person_is_tested_once_and_the_parts_of_a_fold_are_disjoint(name, subjects, seed):
    all_folds = folds(name, subjects, seed)
    assert sorted(subject for fold in all_folds for subject in fold.test) == sorted(subjects)
    for fold in all_folds:
        assert sorted((*fold.train, *fold.validation, *fold.test)) == sorted(subjects)
        assert fold.train
        assert fold.validation
        assert fold.test


@pytest.mark.parametrize("name", ["official", "holdout"])
@given(seeds)
def test_the_parts_of_a_single_split_are_disjoint_and_complete(name, seed):
    (fold,) = folds(name, seed=seed)
    assert sorted((*fold.train, *fold.validation, *fold.test)) == sorted(THIRTY)


@pytest.mark.parametrize("name", IN_FOLDS)
@given(people, seeds)
def test_the_validation_people_do_not_depend_on_the_test_people(name, subjects, seed):
    for number, fold in enumerate(folds(name, subjects, seed)):
        others = [f"stranger {subject}" if subject in fold.test else subject for subject in subjects]
        other_fold = folds(name, others, seed)[number]
        assert (other_fold.train, other_fold.validation) == (fold.train, fold.validation)


@given(seeds)
def test_the_ten_groups_have_equal_size_and_a_fifth_of_the_rest_validates(seed):
    all_folds = folds("groups", seed=seed)
    assert [len(fold.test) for fold in all_folds] == [3] * GROUPS
    assert {len(fold.validation) for fold in all_folds} == {round(0.2 * 27)}


def test_the_seed_determines_the_groups():
    assert folds("groups", seed=1) == folds("groups", seed=1)
    assert {fold.test for fold in folds("groups", seed=1)} != {fold.test for fold in folds("groups", seed=2)}


def test_official_uses_the_authors_test_people_even_if_the_recipe_names_others():
    for test_subjects in ((), ("1", "3")):
        assert folds("official", test_subjects=test_subjects)[0].test == OFFICIAL_TEST_SUBJECTS["hapt"]
    with pytest.raises(ConfigError, match="wisdm has no official split"):
        folds("official", dataset="wisdm")


def test_the_default_protocol_is_official_only_with_the_authors_test_people():
    assert protocol_of(UCI).name == "official"
    for other in ({"test_subjects": ("2",)}, {"test_subjects": ()}, {"dataset": "wisdm", "test_subjects": ()}):
        assert protocol_of(replace(UCI, **other)).name == "holdout"
    assert protocol_of(replace(UCI, protocol="loso")).name == "loso"


def test_protocol_names_are_exactly_the_defined_protocols():
    assert tuple(PROTOCOLS) == PROTOCOL_NAMES
    with pytest.raises(ConfigError, match="protocol 'kfold' is unknown"):
        replace(UCI, protocol="kfold")


def test_folds_are_numbered_from_one():
    data = replace(UCI, protocol="groups", fold=10)
    assert PROTOCOLS["groups"].fold(THIRTY, data) == folds("groups")[9]
    with pytest.raises(ConfigError, match="has no fold 11 here; choose 1 to 10"):
        PROTOCOLS["groups"].fold(THIRTY, replace(data, fold=11))


@pytest.mark.parametrize(("name", "few"), [("groups", 9), ("loso", 2)])
def test_too_few_people_are_refused(name, few):
    with pytest.raises(ConfigError, match=f"has {few} people"):
        folds(name, THIRTY[:few])


@given(st.integers(20, 2000), seeds)
def test_the_leaky_protocol_tests_on_thirty_percent_of_the_windows(n, seed):
    parts = shuffled_windows(n, seed)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(n))
    assert len(parts["test"]) == round(0.3 * n)


def test_the_leaky_protocol_leaks_and_is_marked_as_leaky():
    (fold,) = folds("leaky")
    assert fold.train == fold.validation == fold.test == THIRTY
    n, hop, length = 300, 64, 128
    subjects = tuple(THIRTY[i // 10] for i in range(n))
    windows = Windows(np.arange(n, dtype=np.float32)[:, None, None], np.zeros(n, np.int64), subjects=subjects)
    train, test = (windows.take(shuffled_windows(n, 0)[part]) for part in ("train", "test"))
    assert set(test.subjects) <= set(train.subjects)
    trained_on = set(train.x.ravel().tolist())
    shared = [i for i in test.x.ravel() if {i - 1, i + 1} & trained_on]  # hop < length: neighbours share samples
    assert hop < length
    assert len(shared) > 0.7 * len(test)
    leaky = PROTOCOLS["leaky"]
    assert leaky.leaks
    assert all("leaky" in text.lower() for text in (leaky.name, leaky.define(UCI)))
    assert [name for name in PROTOCOLS if name not in HONEST] == ["leaky"]


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name not in ("named", "blocks")])
def test_a_protocols_description_names_its_seed(name):
    assert "seed 7" in PROTOCOLS[name].define(replace(UCI, split_seed=7, test_subjects=()))


def test_the_arena_recipe_gives_the_arenas_windows_classes_and_groups(data_dir):
    recipe = load_recipe("arena_hapt")
    assert (recipe.input.window_s, recipe.input.hop_s, recipe.input.fs_hz) == (3.0, 1.5, 50.0)
    assert len(recipe.data.labels) == 12
    assert protocol_of(recipe.data).name == "groups"
    dataset = open_data(recipe.data, data_dir)
    assert [len(fold.test) for fold in protocol_of(recipe.data).folds(dataset.subjects, recipe.data)] == [3] * 10
