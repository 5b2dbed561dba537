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
@settings(deadline=None, max_examples=50)
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


JOINED = "hapt + sisfall + umafall + uci-har"
SUBJECTS = (
    *(f"hapt/{i}" for i in range(1, 7)),
    *(f"sisfall/SA{i:02}" for i in range(1, 9)),
    *(f"umafall/{i:02}/{place}" for i in range(1, 8) for place in ("phone", "waist")),
    *(f"uci-har/{i}" for i in range(3, 9)),
)


def joined(name, seed=0, **data):
    return folds(name, SUBJECTS, seed, **{"dataset": JOINED, "test_subjects": (), "validation_subjects": 2} | data)


@pytest.mark.parametrize("name", ["holdout", "groups", "loso"])
@settings(deadline=None, max_examples=30)
@given(seeds)
def test_a_person_of_two_datasets_or_places_is_always_in_one_part(name, seed):
    for fold in joined(name, seed):
        part_of = {subject: part for part in ("train", "validation", "test") for subject in getattr(fold, part)}
        assert sorted(part_of) == sorted(SUBJECTS)
        for i in range(3, 7):
            assert part_of[f"hapt/{i}"] == part_of[f"uci-har/{i}"]
        for i in range(1, 8):
            assert part_of[f"umafall/{i:02}/phone"] == part_of[f"umafall/{i:02}/waist"]


def test_a_named_test_person_tests_in_every_dataset_and_place():
    (fold,) = joined("holdout", test_subjects=("uci-har/4", "umafall/02/waist", "sisfall/SA03"))
    assert fold.test == ("hapt/4", "sisfall/SA03", "umafall/02/phone", "umafall/02/waist", "uci-har/4")


def test_loso_tests_people_not_subjects():
    tested = [fold.test for fold in joined("loso")]
    assert len(tested) == 8 + 8 + 7
    assert ("hapt/3", "uci-har/3") in tested
    assert ("umafall/01/phone", "umafall/01/waist") in tested


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_each_dataset_is_left_out_with_its_people_wherever_they_appear(seed):
    all_folds = joined("datasets", seed)
    assert len(all_folds) == 4
    for name, fold in zip(["hapt", "sisfall", "umafall", "uci-har"], all_folds, strict=True):
        assert fold.test == tuple(subject for subject in SUBJECTS if subject.startswith(f"{name}/"))
        same = ("hapt/", "uci-har/") if name in ("hapt", "uci-har") else (f"{name}/",)
        others = {subject for subject in SUBJECTS if not subject.startswith(same)}
        assert set(fold.train) | set(fold.validation) == others
        assert not set(fold.train) & set(fold.validation)
        people = {
            subject.rsplit("/", 1)[0] if subject.startswith("umafall") else subject for subject in fold.validation
        }
        people = {person.replace("uci-har", "hapt") for person in people}
        assert len(people) == 2 * 2  # two populations remain, two people validate in each


def test_a_datasets_validation_people_are_the_same_whichever_dataset_is_left_out():
    by_fold = [set(fold.validation) for fold in joined("datasets")]
    umafall = [{subject for subject in part if subject.startswith("umafall")} for part in by_fold]
    assert umafall[0] == umafall[1] == umafall[3] != set()
    assert {frozenset(fold.validation) for fold in joined("datasets", seed=1)} != set(map(frozenset, by_fold))


@pytest.mark.parametrize(
    ("dataset", "found"),
    [("hapt", "is hapt alone"), ("hapt + uci-har", "is hapt and uci-har, which show the same people")],
)
def test_leaving_a_dataset_out_needs_people_of_another(dataset, found):
    subjects = THIRTY if dataset == "hapt" else SUBJECTS[:6] + SUBJECTS[-6:]
    with pytest.raises(ConfigError, match=f"leaves one dataset out .* {found}; join others"):
        folds("datasets", subjects, dataset=dataset)


def test_leaving_a_dataset_out_needs_people_to_train_on_in_each():
    with pytest.raises(ConfigError, match="umafall has 7 people beside the test subjects; expected 7 for validation"):
        joined("datasets", validation_subjects=7)


def test_the_arena_recipe_gives_the_arenas_windows_classes_and_groups(data_dir):
    recipe = load_recipe("arena_hapt")
    assert (recipe.input.window_s, recipe.input.hop_s, recipe.input.fs_hz) == (3.0, 1.5, 50.0)
    assert len(recipe.data.labels) == 12
    assert protocol_of(recipe.data).name == "groups"
    dataset = open_data(recipe.data, data_dir)
    assert [len(fold.test) for fold in protocol_of(recipe.data).folds(dataset.subjects, recipe.data)] == [3] * 10


def test_validation_people_train_too_once_all_is_chosen():
    data = load_recipe("uci").data
    people = tuple(str(number) for number in range(1, 31))
    before = protocol_of(data).fold(people, data)
    after = protocol_of(data).fold(people, replace(data, validation_trains=True))
    assert set(after.train) == {*before.train, *before.validation}
    assert (after.validation, after.test) == (before.validation, before.test)
