"""``kinestream models`` and ``kinestream table`` on the command line."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import pytest

from kinestream.cli.models import add_parser
from kinestream.cli.run_options import PLACES as HELP_ON_PLACES
from kinestream.core.errors import ModelError
from kinestream.inference import find_model, list_models, load_model, save_model
from kinestream.inference.zoo_table import ANYWHERE, PLACES
from tests.random_models import random_model


@pytest.fixture
def kinestream(tmp_path, monkeypatch, capsys):
    """A function that runs a command and returns its output."""
    monkeypatch.setenv("KINESTREAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "120")

    def run(*words: str) -> str:
        parser = argparse.ArgumentParser()
        add_parser(parser.add_subparsers())
        args = parser.parse_args(words)
        assert args.run(args) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def path(tmp_path) -> str:
    save_model(tmp_path / "tiny.safetensors", random_model())
    return str(tmp_path / "tiny.safetensors")


def test_list_names_every_bundled_model(kinestream):
    assert [row["name"] for row in json.loads(kinestream("models", "list", "--json"))] == list(list_models())
    assert all(name in kinestream("models", "list") for name in list_models())
    assert kinestream("models") == kinestream("models", "list")


def test_list_says_in_a_line_of_80_columns_what_each_model_is_good_for(kinestream, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = kinestream("models").splitlines()
    assert max(map(len, lines)) <= 80
    for row in json.loads(kinestream("models", "list", "--json")):
        (line,) = [line for line in lines if line.split()[:1] == [row["name"]]]
        assert row["good_for"] in line
        assert ("not measured" in line) is not bool(row["elsewhere"])


def test_show_prints_the_card(kinestream, path):
    facts = json.loads(kinestream("models", "show", path, "--json"))
    assert facts["card"]["limits"] == ["recognises nothing"]
    assert facts["labels"] == list(random_model().labels)
    assert facts["accuracy"] == 0.97
    text = kinestream("models", "show", path)
    assert "none: random weights" in text
    assert "97.00 %" in text


def test_show_truncates_no_path_and_omits_the_accuracy_grid(kinestream, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    model = load_model(find_model("uci_cnn"))
    shown = kinestream("models", "show", "uci_cnn")
    assert "…" not in shown
    assert "{" not in shown
    assert f"accuracy: {len(model.card['validation']['accuracy'])} figures, shown with --json" in " ".join(
        shown.split()
    )


def test_table_prints_every_subnetwork_and_marks_the_front(kinestream, path):
    facts = json.loads(kinestream("table", path, "--json"))
    assert len(facts["points"]) == 6
    assert facts["model"] == "tiny"
    front = [row["subnet"] for row in facts["points"] if row["front"]]
    text = kinestream("table", path)
    marked = [line.split()[1] for line in text.splitlines() if line.strip().startswith("*") and "x-" in line]
    assert sorted(marked) == sorted(front)
    assert facts["machine"] in text
    assert facts["energy_model"] in text
    shown = json.loads(kinestream("table", path, "--front", "--json"))["points"]
    assert [row["subnet"] for row in shown] == front


def test_power_scales_the_energy(kinestream, path):
    at_1_w, at_2_w = (
        json.loads(kinestream("table", path, "--json", "--power", watts))["points"] for watts in ("1", "2")
    )
    assert [row["energy_mj"] * 2 for row in at_1_w] == [row["energy_mj"] for row in at_2_w]


def test_an_unknown_model_is_an_error(kinestream):
    with pytest.raises(ModelError, match="no model 'unknown'"):
        kinestream("table", "unknown")


def test_show_leaves_what_is_for_programs_to_json(kinestream, tmp_path):
    card = {
        "limits": ["few people"],
        "subjects": {"train": [str(number) for number in range(970, 1000)]},
        "recipe": {"training": {"epochs": 999}},
        "test": {
            "accuracy": 0.9,
            "scores": {"1.00x-128": {"macro_f1": 0.81}, "0.50x-128": {"macro_f1": 0.73}},
            "confusion": [[1, 2], [3, 4]],
            "confusion_by_subject": {"1": [[1, 2], [3, 4]]},
        },
    }
    save_model(tmp_path / "counted.safetensors", replace(random_model(), card=card))
    shown = kinestream("models", "show", str(tmp_path / "counted.safetensors"))
    assert "confusion: shown with --json" in shown
    assert "3, 4" not in shown
    assert "999" not in shown
    assert "0.81" in shown
    assert "0.73" not in shown
    assert "train: 30 entries, shown with --json" in shown
    assert "card: limits" in shown
    assert json.loads(kinestream("models", "show", str(tmp_path / "counted.safetensors"), "--json"))["card"] == card


def test_the_help_names_every_place():
    assert f"{', '.join(PLACES)}, or {ANYWHERE}: unknown" == HELP_ON_PLACES
