"""``kinestream train`` and ``kinestream evaluate`` on the command line."""

import json
import subprocess
import sys

import pytest

from kinestream.cli import main
from kinestream.cli.train import MODEL_NAMES
from kinestream.inference.model_file import load_model
from kinestream.train import recipe_names
from kinestream.train.recipe.recipe_toml import OVERLAYS

SMALL = """\
name = "small"
[network]
widths = [0.1, 1.0]
resolutions = [128]
[data]
train_hop = 2000
[training]
epochs = 1
statistics_windows = 64
"""


def kinestream(*words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    code = f"import sys; {before}from kinestream.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)


def test_the_model_names_are_the_bundled_recipes():
    assert set(MODEL_NAMES) == set(recipe_names()) - set(OVERLAYS)


def test_an_unknown_network_is_refused_with_the_known_names(capsys):
    assert main(["train", "--model_name", "lstm"]) == 2
    assert "resnet_unimib" in capsys.readouterr().err


def test_a_mistyped_setting_is_refused_with_the_nearest_known_one(tmp_path, capsys):
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[training]\nepoch = 3\n")
    assert main(["train", "--model_name", "uci", "--recipe", str(recipe)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "did you mean 'epochs'" in err


def test_missing_recordings_are_refused_with_the_command_to_fetch_them(tmp_path, capsys):
    assert main(["train", "--model_name", "uci", "--data", str(tmp_path), "--out", str(tmp_path / "run")]) == 1
    assert "kinestream data fetch hapt" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", [["train", "--model_name", "uci"], ["evaluate", "uci_cnn"]])
def test_without_torch_the_error_names_the_extra_to_install(command):
    done = kinestream(*command, before="sys.modules['torch'] = None; ")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install '.[train]'" in done.stderr


def test_an_unknown_device_is_refused_before_the_recordings_are_read(tmp_path, capsys):
    assert main(["train", "--model_name", "uci", "--data", str(tmp_path / "nowhere"), "--device", "gpu"]) == 2
    err = capsys.readouterr().err
    assert "device 'gpu' is unknown" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words", [[], ["uci_cnn", "--folds", "runs/one"], ["--folds", "runs/one", "--protocol", "loso"]]
)
def test_evaluate_needs_either_a_model_or_runs(words, capsys):
    assert main(["evaluate", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_fold_of_hapt_is_trained_evaluated_and_pooled(tmp_path, data_dir, capsys):
    recipe = tmp_path / "small.toml"
    recipe.write_text(SMALL)
    out = tmp_path / "run"
    words = ["--recipe", str(recipe), "--protocol", "loso", "--fold", "2", "--data", str(data_dir), "--out", str(out)]
    assert main(["train", "--model_name", "uci", *words, "--test"]) == 0
    path = capsys.readouterr().out.strip()
    assert path == str(out / "small.safetensors")
    model = load_model(path)
    command = "kinestream train --model_name uci --recipe small.toml --protocol loso --fold 2 --test"
    assert model.card["command"] == command
    assert model.card["subjects"]["test"] == ["2"]
    assert "may not be used commercially" in (out / "small.md").read_text()

    assert main(["evaluate", path, "--data", str(data_dir), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["accuracy"] == model.card["test"]["accuracy"]
    assert figures["accuracy"]["1.00x-128"] > 0.3  # one in six by chance
    assert (figures["protocol"], figures["fold"], figures["folds"]) == ("loso", 2, 30)
    assert not figures["seen_in_training"]

    assert main(["evaluate", path, "--data", str(data_dir), "--fold", "1", "--subnet", "0.1x-128"]) == 0
    shown = capsys.readouterr().out
    assert "SEEN IN TRAINING" in shown
    assert "0.10x-128: percent of each class" in shown

    assert main(["evaluate", "--folds", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "INCOMPLETE: folds 1, 3," in shown
    assert f"{100 * figures['accuracy']['1.00x-128']:.2f}" in shown
    assert "SEEN" not in shown
