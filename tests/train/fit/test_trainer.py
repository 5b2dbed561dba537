"""A whole run: reproducible, resumable after a kill, with clear errors."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.progress import Progress

from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.inference.model_file import load_model
from kinestream.train.data.windows import Windows
from kinestream.train.fit.epoch import Trainer
from kinestream.train.fit.run_folder import CHECKPOINT, open_run
from kinestream.train.fit.stopping import best_epoch
from kinestream.train.fit.trainer import fit
from kinestream.train.judge.evaluate import score
from kinestream.train.network.export import from_model, normalised
from kinestream.train.recipe.recipe_toml import to_toml

from ..made_up import small_recipe, windows


def run(folder: Path, recipe=None, **options):
    return fit(recipe or small_recipe(), windows(1), windows(2), folder, card={"data": "made up"}, **options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "whole"
    return folder, run(folder)


def test_a_finished_run_leaves_model_log_metrics_and_plots_in_its_folder(finished):
    folder, model = finished
    assert {p.name for p in folder.iterdir()} == {
        "checkpoint.safetensors",
        "config.toml",
        "curve.png",
        "heat_map.png",
        "log.txt",
        "metrics.jsonl",
        "small.safetensors",
    }
    assert load_model(folder / "small.safetensors").fingerprint == model.fingerprint
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_accuracy_table_in_the_file_is_what_its_network_achieves(finished):
    _, model = finished
    net, validation = from_model(model), windows(2)
    x = normalised(model, validation.x)
    assert len(model.accuracy) == 4
    for subnet, accuracy in model.accuracy.items():
        assert score(net, x, validation.labels, subnet).accuracy == accuracy
    assert model.card["validation"]["accuracy"]["1.00x-128"] == pytest.approx(model.accuracy[model.full], abs=1e-5)


def test_training_makes_every_subnetwork_better_than_chance(tmp_path):
    model = run(tmp_path, small_recipe(epochs=8))
    assert model.accuracy[model.full] > 0.6  # one in six by chance
    assert min(model.accuracy.values()) > 0.35


def test_the_same_seed_gives_the_same_weights_and_another_does_not(finished, tmp_path):
    _, model = finished
    again = run(tmp_path / "again")
    other = run(tmp_path / "other", replace(small_recipe(), seed=1))
    assert all(np.array_equal(tensor, again.tensors[name]) for name, tensor in model.tensors.items())
    assert not np.array_equal(model.tensors["linear.weight"], other.tensors["linear.weight"])


def test_a_killed_run_resumes_to_identical_weights(tmp_path):
    recipe = small_recipe(epochs=3)
    code = (
        "import sys, torch; from pathlib import Path; from tests.train.fit.test_trainer import run, small_recipe\n"
        "torch.set_num_threads(int(sys.argv[2])); run(Path(sys.argv[1]), small_recipe(epochs=3))"
    )
    folder = tmp_path / "killed"
    root = Path(__file__).parents[3]
    threads = str(torch.get_num_threads())
    environment = {**os.environ, "PYTHONPATH": str(root)}
    child = subprocess.Popen([sys.executable, "-c", code, str(folder), threads], env=environment, cwd=root)
    deadline_s = time.monotonic() + 60
    while not (folder / "checkpoint.safetensors").exists():
        assert child.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (folder / "small.safetensors").exists()
    resumed = run(folder, recipe, resume=True)
    whole = run(tmp_path / "whole", recipe)
    assert "resumed after epoch" in (folder / "log.txt").read_text()
    assert [row["epoch"] for row in map(json.loads, (folder / "metrics.jsonl").open())] == [1, 2, 3]
    assert all(np.array_equal(tensor, resumed.tensors[name]) for name, tensor in whole.tensors.items())


def pairs_recipe(**training):
    recipe = small_recipe(draw="datasets", **training)
    return replace(recipe, data=replace(recipe.data, dataset="hapt + sisfall", test_subjects=()))


def unequal_windows():
    """40 windows of HAPT, 8 of SisFall."""
    return replace(windows(1), subjects=("hapt/1",) * 40 + ("sisfall/SA01",) * 8)


@pytest.mark.parametrize("epoch_windows", [0, 208])
def test_every_pair_of_dataset_and_class_is_drawn_equally_often(epoch_windows, monkeypatch):
    train = unequal_windows()
    trainer = Trainer.begin(pairs_recipe(epoch_windows=epoch_windows), train, windows(2))
    seen = []
    draw = Trainer._draw
    monkeypatch.setattr(Trainer, "_draw", lambda self, rng, n: seen.append(draw(self, rng, n)) or seen[-1])
    trainer.run_epoch(0, Progress(disable=True))
    drawn = seen[0]
    assert len(drawn) == (epoch_windows or 32)  # 13 or 2 batches of 16
    keys = [(train.subjects[i][:4], train.labels[i]) for i in drawn]
    everything = {(subject[:4], label) for subject, label in zip(train.subjects, train.labels, strict=True)}
    counts = [keys.count(pair) for pair in everything]
    assert sum(counts) == len(drawn)
    assert max(counts) - min(counts) <= 1
    natural = [list(zip((s[:4] for s in train.subjects), train.labels, strict=True)).count(pair) for pair in everything]
    assert max(natural) - min(natural) > 4


def test_drawing_by_pairs_is_the_same_after_a_resume(tmp_path):
    recipe = pairs_recipe(epochs=2, epoch_windows=80)
    whole = fit(recipe, unequal_windows(), windows(2), tmp_path / "whole", card={})
    trainer = Trainer.begin(recipe, unequal_windows(), windows(2))
    open_run(tmp_path / "killed", recipe, resume=False)
    trainer.save(tmp_path / "killed", [{"epoch": 1, **trainer.run_epoch(0, Progress(disable=True)), "seconds": 0.1}])
    resumed = fit(recipe, unequal_windows(), windows(2), tmp_path / "killed", card={}, resume=True)
    assert all(np.array_equal(tensor, resumed.tensors[name]) for name, tensor in whole.tensors.items())
    as_they_come = replace(recipe, training=replace(recipe.training, draw="windows"))
    other = fit(as_they_come, unequal_windows(), windows(2), tmp_path / "other", card={})
    assert not np.array_equal(whole.tensors["linear.weight"], other.tensors["linear.weight"])


def epochs_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run with patience whose learning rate is so high that the network soon gets worse."""
    recipe = small_recipe(epochs=30, patience=1, learning_rate=0.3, precision="float32", schedule="cosine")
    folder = tmp_path_factory.mktemp("patient") / "stopped"
    return recipe, folder, run(folder, recipe)


def test_a_run_that_stops_early_exports_the_weights_of_its_best_epoch(stopped):
    recipe, folder, model = stopped
    history = epochs_of(folder)
    best = best_epoch(history)
    assert len(history) == best + 1 < 30
    assert f"stopped: the best epoch was {best}" in (folder / "log.txt").read_text()
    trainer = Trainer.begin(replace(recipe, training=replace(recipe.training, patience=0)), windows(1), windows(2))
    for epoch in range(best):
        trainer.run_epoch(epoch, Progress(disable=True))
    for name, tensor in trainer.averaged.items():
        assert np.array_equal(tensor.numpy(), model.tensors[name]), name


def test_a_resumed_run_with_patience_keeps_the_weights_of_its_best_epoch(stopped, tmp_path):
    recipe, folder, whole = stopped
    trainer = Trainer.begin(recipe, windows(1), windows(2))
    history = []
    for epoch in range(best_epoch(epochs_of(folder)) + 1):  # killed one epoch after the best one
        history.append({"epoch": epoch + 1, **trainer.run_epoch(epoch, Progress(disable=True)), "seconds": 0.1})
        trainer.keep_best(history)
    open_run(tmp_path / "killed", recipe, resume=False)
    trainer.save(tmp_path / "killed", history)
    resumed = run(tmp_path / "killed", recipe, resume=True)
    assert "resumed after epoch" in (tmp_path / "killed" / "log.txt").read_text()
    assert all(np.array_equal(tensor, resumed.tensors[name]) for name, tensor in whole.tensors.items())


def test_balanced_weights_alpha_divergence_and_ensemble_work_together(tmp_path):
    recipe = small_recipe(class_weights="balanced", divergence="alpha", teacher="ensemble", passes=2, epochs=1)
    model = run(tmp_path, recipe)
    assert all(np.isfinite(tensor).all() for tensor in model.tensors.values())
    plain = run(tmp_path / "plain", small_recipe(passes=2, epochs=1))
    assert not np.array_equal(model.tensors["linear.weight"], plain.tensors["linear.weight"])


def test_a_folder_with_a_run_is_not_overwritten(finished):
    folder, _ = finished
    with pytest.raises(ConfigError, match="already holds a run; continue it with --resume"):
        run(folder)


def test_a_run_is_not_resumed_with_another_recipe(finished):
    folder, _ = finished
    with pytest.raises(ConfigError, match=r"has another recipe \(config.toml\): training.epochs 2, not 9; resume"):
        run(folder, small_recipe(epochs=9), resume=True)


def test_resuming_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="nothing to resume"):
        run(tmp_path / "none", resume=True)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"\x00" * 20, lambda b: b""])
def test_a_damaged_checkpoint_is_refused(finished, tmp_path, damage):
    folder, _ = finished
    (tmp_path / "config.toml").write_bytes((folder / "config.toml").read_bytes())
    (tmp_path / "checkpoint.safetensors").write_bytes(damage((folder / "checkpoint.safetensors").read_bytes()))
    with pytest.raises(DataDamaged, match="is not a checkpoint of this run"):
        run(tmp_path, resume=True)


def test_a_non_finite_loss_stops_the_run(tmp_path):
    with pytest.raises(ConfigError, match=r"no longer finite in epoch 1, step \d+; lower learning_rate"):
        run(tmp_path, small_recipe(learning_rate=1e30, precision="float32"))


def test_a_non_finite_loss_leaves_the_last_good_checkpoint(tmp_path):
    run(tmp_path, small_recipe(epochs=1))
    good = (tmp_path / CHECKPOINT).read_bytes()
    wild = small_recipe(epochs=3, learning_rate=1e30, precision="float32")
    (tmp_path / "config.toml").write_text(to_toml(wild))
    with pytest.raises(ConfigError, match=r"in epoch 2, .*safetensors keeps the state after epoch 1, the last good"):
        run(tmp_path, wild, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == good
    assert "no longer finite" in (tmp_path / "log.txt").read_text()


def test_non_finite_weights_stop_the_run_before_the_next_loss():
    trainer = Trainer.begin(small_recipe(), windows(1), windows(2))
    trainer.averaged["linear.bias"].fill_(torch.nan)
    with (
        pytest.raises(ConfigError, match="weights are no longer finite after epoch 1; lower learning_rate"),
        Progress(disable=True) as progress,
    ):
        trainer.run_epoch(0, progress)


def test_non_finite_probabilities_stop_the_run_although_loss_and_weights_are_finite():
    trainer = Trainer.begin(small_recipe(), windows(1), windows(2))
    trainer.validation_x.fill_(torch.inf)
    with (
        pytest.raises(ConfigError, match="probabilities are no longer finite after epoch 1; lower learning_rate"),
        Progress(disable=True) as progress,
    ):
        trainer.run_epoch(0, progress)


def test_a_constant_channel_is_named(tmp_path):
    constant = windows(1)
    constant.x[:, :, 4] = 0
    with pytest.raises(ConfigError, match="channel gyro_y never changes"):
        fit(small_recipe(), constant, windows(2), tmp_path, card={})


def test_fewer_windows_than_a_batch_still_train(tmp_path):
    few = windows(1, 10)
    model = fit(small_recipe(), Windows(few.x, few.labels), windows(2), tmp_path, card={})
    assert np.isfinite(model.tensors["linear.weight"]).all()
