"""``kinestream train`` and ``kinestream evaluate`` as a person types them."""

import json
import subprocess
import sys

import pytest

from kinestream.cli import main
from kinestream.cli.train import MODEL_NAMES
from kinestream.inference.model_file import load_model
from kinestream.train import recipe_names

SMALL = """\
name = "small"
[network]
widths = [0.1, 1.0]
resolutions = [128]
[data]
test_subjects = ["2"]
validation_subjects = 1
train_hop = 2000
[training]
epochs = 1
statistics_windows = 64
"""


def kinestream(*words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    code = f"import sys; {before}from kinestream.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)


def test_the_models_to_train_are_the_recipes_there_are():
    assert set(MODEL_NAMES) == set(recipe_names()) - {"paper"}


def test_an_unknown_network_is_wrong_use():
    done = kinestream("train", "--model_name", "lstm")
    assert done.returncode == 2
    assert "resnet_unimib" in done.stderr


def test_a_mistyped_setting_is_one_line_that_names_the_right_one(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[training]\nepoch = 3\n")
    done = kinestream("train", "--model_name", "uci", "--recipe", str(recipe))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "did you mean 'epochs'" in done.stderr


def test_missing_recordings_name_the_command_that_fetches_them(tmp_path):
    done = kinestream("train", "--model_name", "uci", "--data", str(tmp_path), "--out", str(tmp_path / "run"))
    assert done.returncode == 1
    assert "kinestream data fetch hapt" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", [["train", "--model_name", "uci"], ["evaluate", "uci_cnn"]])
def test_without_torch_the_extra_to_install_is_named(command):
    done = kinestream(*command, before="sys.modules['torch'] = None; ")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install '.[train]'" in done.stderr


def test_a_network_is_trained_on_hapt_and_evaluated_on_people_it_never_saw(tmp_path, data_dir, capsys):
    recipe = tmp_path / "small.toml"
    recipe.write_text(SMALL)
    out = tmp_path / "run"
    words = ["--model_name", "uci", "--recipe", str(recipe), "--data", str(data_dir), "--out", str(out), "--test"]
    assert main(["train", *words]) == 0
    path = capsys.readouterr().out.strip()
    assert path == str(out / "small.safetensors")
    model = load_model(path)
    assert model.card["command"] == "kinestream train --model_name uci --recipe small.toml --test"
    assert model.card["subjects"]["test"] == ["2"]
    assert "may not be used commercially" in (out / "small.md").read_text()

    assert main(["evaluate", path, "--data", str(data_dir), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["accuracy"] == model.card["test"]["accuracy"]
    assert figures["accuracy"]["1.00x-128"] > 0.3  # one in six by chance
    assert "test subjects 2 (named by the recipe), never trained or validated on" in figures["protocol"]

    assert main(["evaluate", path, "--data", str(data_dir)]) == 0
    assert f"{100 * figures['accuracy']['1.00x-128']:.2f}" in capsys.readouterr().out
