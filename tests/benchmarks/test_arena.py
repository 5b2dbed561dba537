"""The arena's run: complete folds are not trained again, and every row is timed beside the rival."""

from dataclasses import replace

import pytest

from benchmarks.arena import RECIPES, fold_of, timed
from benchmarks.inference import median_us
from benchmarks.result_file import ResultFile
from benchmarks.rivals import TINIER, tinier_call
from kinestream.inference import save_model
from kinestream.train import load_recipe
from tests.random_models import random_model


def test_the_model_of_a_complete_fold_is_read(tmp_path):
    recipe = replace(load_recipe("arena_hapt"), name="made_up")
    model = random_model("made_up")
    (tmp_path / "made_up_3").mkdir()
    save_model(tmp_path / "made_up_3" / "made_up.safetensors", model)
    assert fold_of(recipe, (), 3, tmp_path, data_dir=tmp_path / "no data").fingerprint == model.fingerprint


def test_every_row_is_timed_and_so_is_the_rival(tmp_path):
    pytest.importorskip("torch", reason="the rival is a PyTorch network")
    models, path = {"first": random_model(), "second": random_model()}, tmp_path / "figures.json"
    results = ResultFile(path, {"title": "made up"})
    for name, model in models.items():
        for subnet in model.subnets:
            results.add(name, subnet, 1, {"macro_f1": 0.5})
    timed(results, models)
    again = ResultFile(path, {})
    assert all(row["latency_us"] > 0 for row in again.rows)
    assert again.about["rival_us"] > 0


def test_both_networks_learn_from_the_same_windows():
    cnn, kinet = (load_recipe("arena_hapt", *overlays) for overlays in RECIPES.values())
    assert (kinet.name, kinet.network.architecture.kind) == ("arena_kinet", "kinet")
    assert (kinet.data, kinet.input) == (cnn.data, cnn.input)
    assert (kinet.training.patience, kinet.training.class_weights) == (10, "balanced")


def test_calls_take_turns_and_the_slower_one_takes_longer():
    pytest.importorskip("torch", reason="the rival is a PyTorch network")
    order: list[str] = []
    calls = {"idle": lambda: order.append("idle"), TINIER: tinier_call(9, 6, 128)}
    time_us = median_us(calls, rounds=2, runs=1)
    assert order == ["idle"] * 4
    assert time_us["idle"] < time_us[TINIER]
