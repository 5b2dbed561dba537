"""Training, evaluation and pooling under every protocol, on a file of twelve synthetic people."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.core.signals import Subnet
from kinestream.inference.model_file import load_model
from kinestream.train import Recipe
from kinestream.train.data.windows import open_data
from kinestream.train.judge.scores import from_json
from kinestream.train.pool_folds import pool_runs
from kinestream.train.train_model import evaluate_model, load_part, train_model

from .made_up import LABELS, recording, small_recipe

PEOPLE = [f"{i:02}" for i in range(12)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with twelve people's recordings in one file; the last person never lies."""
    path = tmp_path_factory.mktemp("folds")
    write_people(path / "made.parquet", {person: LABELS if person != "11" else LABELS[:5] for person in PEOPLE})
    return path


def write_people(path: Path, labels: Mapping[str, tuple[str, ...]]) -> None:
    """Write a table of people and the activities of each."""
    recordings = [recording(person, own) for person, own in labels.items()]
    table = {"t": [r.t for r in recordings], "label": [np.array(r.label_names)[r.labels] for r in recordings]}
    table |= {name: [r.x[:, i] for r in recordings] for i, name in enumerate(recordings[0].channels)}
    table["subject"] = [np.full(len(r.t), r.subject) for r in recordings]
    pq.write_table(pa.table({name: np.concatenate(parts) for name, parts in table.items()}), path)


def recipe_of(folder: Path, **data) -> Recipe:
    recipe = small_recipe(epochs=1, batch_size=64)
    settings = {"dataset": str(folder / "made.parquet"), "test_subjects": ()} | data
    return replace(recipe, data=replace(recipe.data, **settings))


@pytest.fixture(scope="module")
def trained(folder):
    """A function that returns the run folder of a fold, trained once."""

    @cache
    def run(protocol: str, fold: int = 1, seed: int = 0, test: bool = True) -> Path:
        out = folder / f"{protocol}_{fold}_{seed}_{test}"
        train_model(replace(recipe_of(folder, protocol=protocol, fold=fold), seed=seed), out, test=test)
        return out

    return run


def scores_of(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def test_a_tested_run_stores_protocol_fold_seeds_people_and_scores(trained):
    run = trained("groups", 3)
    stored, model = scores_of(run), load_model(run / "small.safetensors")
    test = stored["test"]
    assert (test["protocol"], test["fold"], test["folds"], test["leaky"]) == ("groups", 3, 10, False)
    assert "groups" in test["definition"]
    assert test["seeds"] == {"split": 0, "training": 0, "bootstrap": 0}
    parts = [set(test["subjects"][part]) for part in ("train", "validation", "test")]
    assert set.union(*parts) == set(PEOPLE)
    assert sum(map(len, parts)) == len(PEOPLE)
    assert not test["seen_in_training"]
    assert list(test["scores"]) == ["1.00x-128", "1.00x-96", "0.10x-128", "0.10x-96"]
    assert set(test["scores"]["1.00x-128"]["confusion_by_subject"]) == parts[2]
    assert stored["validation"]["scores"]["1.00x-128"]["interval_95_over_subjects"]["accuracy"] is not None
    assert model.card["test"]["accuracy"] == test["accuracy"]
    assert "confusion_by_subject" not in model.card["test"]["scores"]["1.00x-128"]


def test_evaluating_the_model_file_reproduces_the_runs_scores(trained):
    run = trained("groups", 3)
    assert evaluate_model(load_model(run / "small.safetensors")) == scores_of(run)["test"]


def test_evaluation_gives_all_scores_of_the_requested_subnetworks(trained):
    model = load_model(trained("groups", 3) / "small.safetensors")
    scores = evaluate_model(model, subnets=[Subnet(0.1, 96)])
    assert list(scores["scores"]) == ["0.10x-96"]
    assert len(scores["accuracy"]) == 4
    with pytest.raises(ConfigError, match=r"no subnetwork 0\.50x-96; choose a width of 0\.1, 1"):
        evaluate_model(model, subnets=[Subnet(0.5, 96)])


def test_scores_on_people_seen_in_training_are_marked(trained):
    model = load_model(trained("groups", 3) / "small.safetensors")
    known = model.card["subjects"]["train"][0]
    scores = evaluate_model(model, protocol="loso", fold=PEOPLE.index(known) + 1)
    assert (scores["seen_in_training"], scores["seen_subjects"]) == (True, [known])
    stranger = model.card["subjects"]["test"][0]
    scores = evaluate_model(model, protocol="loso", fold=PEOPLE.index(stranger) + 1)
    assert (scores["seen_in_training"], scores["subjects"]["test"]) == (False, [stranger])


def test_evaluating_one_network_on_several_folds_is_refused(trained):
    model = load_model(trained("groups", 3) / "small.safetensors")
    with pytest.raises(ConfigError, match="loso has 12 folds, each with its own network; choose one with --fold"):
        evaluate_model(model, protocol="loso")
    with pytest.raises(ConfigError, match="fold must be at least 1"):
        evaluate_model(model, protocol="loso", fold=0)


def test_a_leaky_run_is_marked_in_scores_card_and_pool(trained):
    run = trained("leaky")
    test = scores_of(run)["test"]
    assert test["leaky"]
    assert test["seen_in_training"]
    assert set(test["seen_subjects"]) == set(PEOPLE)
    assert "LEAKY" in test["definition"]
    page = (run / "small.md").read_text()
    assert "LEAKY" in page
    assert "**Seen in training:**" in page
    assert pool_runs([run])["leaky"]


def test_leaky_parts_contain_every_window_exactly_once(folder):
    recipe = recipe_of(folder, protocol="leaky")
    dataset = open_data(recipe.data)
    parts = [load_part(dataset, recipe, part) for part in ("train", "validation", "test")]
    everyone = replace(recipe, data=replace(recipe.data, protocol="loso"))
    all_x = np.concatenate(
        [load_part(dataset, replace(everyone, data=replace(everyone.data, fold=i + 1)), "test").x for i in range(12)]
    )
    assert sorted(part.tobytes() for x in parts for part in x.x) == sorted(window.tobytes() for window in all_x)


def test_a_class_can_be_missing_from_the_test_part_but_not_from_training(folder):
    recipe = recipe_of(folder, protocol="loso", fold=12)
    dataset = open_data(recipe.data)
    assert "11" not in load_part(dataset, recipe, "train").subjects
    assert np.bincount(load_part(dataset, recipe, "test").labels, minlength=6).tolist() == [*[3] * 5, 0]
    labels = (*recipe.data.labels[:5], "flying")
    with pytest.raises(DataDamaged, match="class 'flying' has no window"):
        load_part(dataset, replace(recipe, data=replace(recipe.data, labels=labels)), "train")


def test_pooling_folds_gives_mean_deviation_and_summed_confusion(trained):
    runs = [trained("groups", 3), trained("groups", 4)]
    tests = [scores_of(run)["test"] for run in runs]
    pool = pool_runs(runs)
    assert pool["missing_folds"] == [1, 2, 5, 6, 7, 8, 9, 10]
    assert pool["subjects"] == sorted(tests[0]["subjects"]["test"] + tests[1]["subjects"]["test"])
    assert pool["windows"] == tests[0]["windows"] + tests[1]["windows"]
    first, second = (test["scores"]["1.00x-96"] for test in tests)
    pooled = pool["scores"]["1.00x-96"]
    assert pooled["mean"]["macro_f1"] == pytest.approx((first["macro_f1"] + second["macro_f1"]) / 2, abs=1e-5)
    assert pooled["sd_over_runs"]["accuracy"] == pytest.approx(
        abs(first["accuracy"] - second["accuracy"]) / 2**0.5, abs=1e-5
    )
    assert np.array_equal(pooled["pooled"]["confusion"], np.add(first["confusion"], second["confusion"]))
    assert json.loads(json.dumps(pool, allow_nan=False)) == pool


def test_several_seeds_of_a_fold_pool_the_windows_of_the_same_people(trained):
    runs = [trained("groups", 3), trained("groups", 3, seed=1)]
    pool = pool_runs(runs)
    assert pool["seeds"]["training"] == [0, 1]
    assert pool["subjects"] == scores_of(runs[0])["test"]["subjects"]["test"]
    windows = from_json(scores_of(runs[0])["test"]["scores"]["1.00x-128"]).windows
    assert np.sum(pool["scores"]["1.00x-128"]["pooled"]["confusion"]) == 2 * windows


def test_pooling_incompatible_runs_is_refused(trained, tmp_path):
    run = trained("groups", 3)
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    with pytest.raises(ConfigError, match="two runs have fold 3 and seed 0"):
        pool_runs([run, copy])
    stored = scores_of(run)

    def assert_refused(message: str, **changes):
        (copy / "metrics.json").write_text(json.dumps(stored | changes))
        with pytest.raises(ConfigError, match=message):
            pool_runs([run, copy])

    other_training = stored["recipe"]["training"] | {"epochs": 9}
    assert_refused("differ in training.epochs", recipe=stored["recipe"] | {"training": other_training})
    assert_refused("tested on people it had seen", test=stored["test"] | {"seen_in_training": True})
    with pytest.raises(ConfigError, match="has no test scores; train it with --test"):
        pool_runs([trained("groups", 4, test=False)])
    with pytest.raises(ConfigError, match=r"has no metrics\.json"):
        pool_runs([tmp_path])
    (copy / "metrics.json").write_text("{")
    with pytest.raises(DataDamaged, match="is not valid JSON"):
        pool_runs([copy])


@pytest.fixture(scope="module")
def two_datasets(folder) -> Path:
    """A folder with two datasets: four people who never lie down, and three who lie and also sit down."""
    write_people(folder / "upright.parquet", {f"{i:02}": LABELS[:5] for i in range(4)})
    write_people(folder / "lying.parquet", {f"{i:02}": (*LABELS, "stand_to_sit") for i in range(3)})
    return folder


@pytest.mark.parametrize(("fold", "missing"), [(1, []), (2, ["lying"])])
def test_a_dataset_is_left_out_and_what_it_alone_shows_is_not_learnt(two_datasets, tmp_path, fold, missing):
    names = [str(two_datasets / name) for name in ("upright.parquet", "lying.parquet")]
    recipe = recipe_of(two_datasets, dataset=" + ".join(names), protocol="datasets", fold=fold, validation_subjects=1)
    model = train_model(recipe, tmp_path / "run", test=True)
    test = scores_of(tmp_path / "run")["test"]
    assert {subject.rpartition("/")[0] for subject in test["subjects"]["test"]} == {names[fold - 1]}
    assert {subject.rpartition("/")[0] for subject in test["subjects"]["train"]} == {names[2 - fold]}
    assert (test["folds"], test["seen_in_training"]) == (2, False)
    assert set(test["left_out"]) == (set() if fold == 1 else {"stand_to_sit"})
    assert test["scores"]["1.00x-128"]["classes"]["lying"]["windows"] == (0 if fold == 1 else 3 * 3)
    assert model.card["windows"]["train"]["without"] == missing
    log = (tmp_path / "run" / "log.txt").read_text()
    assert ("no training window of lying" in log) == bool(missing)
    assert ("none of lying" in (tmp_path / "run" / "small.md").read_text()) == (fold == 2)
    assert evaluate_model(model) == test
