"""Training, judging and pooling under every protocol, on a file of twelve made-up people."""

import json
import shutil
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
    """Twelve people's recordings in one file; the last one never lies."""
    worn = [recording(one, LABELS if one != "11" else LABELS[:5]) for one in PEOPLE]
    table = {"t": [r.t for r in worn], "label": [np.array(LABELS)[r.labels] for r in worn]}
    table |= {name: [r.x[:, i] for r in worn] for i, name in enumerate(worn[0].channels)}
    table["subject"] = [np.full(len(r.t), r.subject) for r in worn]
    path = tmp_path_factory.mktemp("folds")
    pq.write_table(pa.table({name: np.concatenate(parts) for name, parts in table.items()}), path / "made.parquet")
    return path


def recipe_of(folder: Path, **data) -> Recipe:
    recipe = small_recipe(epochs=1, batch_size=64)
    how = {"dataset": str(folder / "made.parquet"), "test_subjects": ()} | data
    return replace(recipe, data=replace(recipe.data, **how))


@pytest.fixture(scope="module")
def trained(folder):
    """Gives the run folder of a fold, trained once."""

    @cache
    def run(protocol: str, fold: int = 1, seed: int = 0, test: bool = True) -> Path:
        out = folder / f"{protocol}_{fold}_{seed}_{test}"
        train_model(replace(recipe_of(folder, protocol=protocol, fold=fold), seed=seed), out, test=test)
        return out

    return run


def scores_of(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def test_a_folds_folder_tells_protocol_fold_seeds_people_and_scores(trained):
    run = trained("groups", 3)
    told, model = scores_of(run), load_model(run / "small.safetensors")
    test = told["test"]
    assert (test["protocol"], test["fold"], test["folds"], test["leaky"]) == ("groups", 3, 10, False)
    assert "groups" in test["definition"]
    assert test["seeds"] == {"split": 0, "training": 0, "bootstrap": 0}
    parts = [set(test["subjects"][part]) for part in ("train", "validation", "test")]
    assert set.union(*parts) == set(PEOPLE)
    assert sum(map(len, parts)) == len(PEOPLE)
    assert not test["seen_in_training"]
    assert list(test["scores"]) == ["1.00x-128", "1.00x-96", "0.10x-128", "0.10x-96"]
    assert set(test["scores"]["1.00x-128"]["confusion_by_subject"]) == parts[2]
    assert told["validation"]["scores"]["1.00x-128"]["interval_95_over_subjects"]["accuracy"] is not None
    assert model.card["test"]["accuracy"] == test["accuracy"]
    assert "confusion_by_subject" not in model.card["test"]["scores"]["1.00x-128"]


def test_evaluating_the_file_again_gives_the_runs_own_figures(trained):
    run = trained("groups", 3)
    assert evaluate_model(load_model(run / "small.safetensors")) == scores_of(run)["test"]


def test_scores_of_any_subnetwork_can_be_asked_for(trained):
    model = load_model(trained("groups", 3) / "small.safetensors")
    found = evaluate_model(model, subnets=[Subnet(0.1, 96)])
    assert list(found["scores"]) == ["0.10x-96"]
    assert len(found["accuracy"]) == 4
    with pytest.raises(ConfigError, match=r"no subnetwork 0\.50x-96; choose a width of 0\.1, 1"):
        evaluate_model(model, subnets=[Subnet(0.5, 96)])


def test_a_model_judged_on_people_it_knows_is_marked(trained):
    model = load_model(trained("groups", 3) / "small.safetensors")
    known = model.card["subjects"]["train"][0]
    found = evaluate_model(model, protocol="loso", fold=PEOPLE.index(known) + 1)
    assert (found["seen_in_training"], found["seen_subjects"]) == (True, [known])
    stranger = model.card["subjects"]["test"][0]
    found = evaluate_model(model, protocol="loso", fold=PEOPLE.index(stranger) + 1)
    assert (found["seen_in_training"], found["subjects"]["test"]) == (False, [stranger])


def test_one_network_is_not_judged_on_all_folds_at_once(trained):
    model = load_model(trained("groups", 3) / "small.safetensors")
    with pytest.raises(ConfigError, match="loso has 12 folds, each with a network of its own; name one with --fold"):
        evaluate_model(model, protocol="loso")
    with pytest.raises(ConfigError, match="fold must be at least 1"):
        evaluate_model(model, protocol="loso", fold=0)


def test_a_leaky_run_says_so_wherever_it_speaks(trained):
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


def test_leaky_parts_are_all_windows_once(folder):
    recipe = recipe_of(folder, protocol="leaky")
    dataset = open_data(recipe.data)
    parts = [load_part(dataset, recipe, part) for part in ("train", "validation", "test")]
    everyone = replace(recipe, data=replace(recipe.data, protocol="loso"))
    all_x = np.concatenate(
        [load_part(dataset, replace(everyone, data=replace(everyone.data, fold=i + 1)), "test").x for i in range(12)]
    )
    assert sorted(part.tobytes() for x in parts for part in x.x) == sorted(window.tobytes() for window in all_x)


def test_a_rare_class_may_be_missing_in_testing_and_not_in_training(folder):
    recipe = recipe_of(folder, protocol="loso", fold=12)
    dataset = open_data(recipe.data)
    assert "11" not in load_part(dataset, recipe, "train").subjects
    assert np.bincount(load_part(dataset, recipe, "test").labels, minlength=6).tolist() == [*[3] * 5, 0]
    labels = (*recipe.data.labels[:5], "flying")
    with pytest.raises(DataDamaged, match="class 'flying' has no window"):
        load_part(dataset, replace(recipe, data=replace(recipe.data, labels=labels)), "train")


def test_pooled_folds_are_mean_spread_and_one_confusion(trained):
    runs = [trained("groups", 3), trained("groups", 4)]
    tests = [scores_of(run)["test"] for run in runs]
    found = pool_runs(runs)
    assert found["missing_folds"] == [1, 2, 5, 6, 7, 8, 9, 10]
    assert found["subjects"] == sorted(tests[0]["subjects"]["test"] + tests[1]["subjects"]["test"])
    assert found["windows"] == tests[0]["windows"] + tests[1]["windows"]
    one, other = (test["scores"]["1.00x-96"] for test in tests)
    pooled = found["scores"]["1.00x-96"]
    assert pooled["mean"]["macro_f1"] == pytest.approx((one["macro_f1"] + other["macro_f1"]) / 2, abs=1e-5)
    assert pooled["sd_over_runs"]["accuracy"] == pytest.approx(
        abs(one["accuracy"] - other["accuracy"]) / 2**0.5, abs=1e-5
    )
    assert np.array_equal(pooled["pooled"]["confusion"], np.add(one["confusion"], other["confusion"]))
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_several_seeds_of_a_fold_pool_into_the_same_people(trained):
    runs = [trained("groups", 3), trained("groups", 3, seed=1)]
    found = pool_runs(runs)
    assert found["seeds"]["training"] == [0, 1]
    assert found["subjects"] == scores_of(runs[0])["test"]["subjects"]["test"]
    counts = from_json(scores_of(runs[0])["test"]["scores"]["1.00x-128"]).windows
    assert np.sum(found["scores"]["1.00x-128"]["pooled"]["confusion"]) == 2 * counts


def test_runs_that_do_not_belong_together_are_refused(trained, tmp_path):
    run = trained("groups", 3)
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    with pytest.raises(ConfigError, match="two runs have fold 3 and seed 0"):
        pool_runs([run, copy])
    told = scores_of(run)

    def refused(message: str, **changed):
        (copy / "metrics.json").write_text(json.dumps(told | changed))
        with pytest.raises(ConfigError, match=message):
            pool_runs([run, copy])

    refused(
        "differ in training.epochs", recipe=told["recipe"] | {"training": told["recipe"]["training"] | {"epochs": 9}}
    )
    refused("tested on people it had seen", test=told["test"] | {"seen_in_training": True})
    with pytest.raises(ConfigError, match="has no test scores; train it with --test"):
        pool_runs([trained("groups", 4, test=False)])
    with pytest.raises(ConfigError, match=r"has no metrics\.json"):
        pool_runs([tmp_path])
    (copy / "metrics.json").write_text("{")
    with pytest.raises(DataDamaged, match="is not valid JSON"):
        pool_runs([copy])
