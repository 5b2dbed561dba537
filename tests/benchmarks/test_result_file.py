"""A file of figures that grows with every run."""

import json

from benchmarks.result_file import ResultFile

ABOUT = {"title": "made up", "command": "none", "protocol": "none"}


def test_figures_of_several_seeds_share_one_row(tmp_path):
    path = tmp_path / "deep" / "figures.json"
    results = ResultFile(path, ABOUT)
    results.add("net", "0.10x-96", 0, {"accuracy": 0.5, "macro_f1": 0.25}, macs=7)
    results.add("net", "0.10x-96", 3, {"accuracy": 0.75, "macro_f1": 0.5}, macs=7)
    results.add("forest", None, 0, {"accuracy": 1 / 3})
    assert json.loads(path.read_text()) == ABOUT | {
        "rows": [
            {
                "name": "net",
                "subnet": "0.10x-96",
                "seeds": [0, 3],
                "accuracy": [0.5, 0.75],
                "macro_f1": [0.25, 0.5],
                "macs": 7,
            },
            {"name": "forest", "seeds": [0], "accuracy": [0.33333]},
        ]
    }


def test_the_next_run_finds_the_figures_in_the_file(tmp_path):
    path = tmp_path / "figures.json"
    ResultFile(path, ABOUT).add("net", "0.10x-96", 0, {"accuracy": 0.5})
    again = ResultFile(path, ABOUT | {"title": "renamed"})
    assert again.has("net", "0.10x-96", 0)
    assert not again.has("net", "0.10x-96", 1)
    assert not again.has("net", "0.10x-100", 0)
    assert not again.has("other", "0.10x-96", 0)
    again.add("net", "0.10x-96", 1, {"accuracy": 1})
    held = json.loads(path.read_text())
    assert held["title"] == "renamed"
    assert held["rows"] == [{"name": "net", "subnet": "0.10x-96", "seeds": [0, 1], "accuracy": [0.5, 1.0]}]


def test_two_runs_fill_one_file(tmp_path):
    path = tmp_path / "figures.json"
    first, second = ResultFile(path, ABOUT), ResultFile(path, ABOUT)
    first.add("net", "0.10x-96", 0, {"accuracy": 0.5})
    second.add("forest", None, 0, {"accuracy": 0.25})
    first.add("net", "0.10x-96", 1, {"accuracy": 0.75})
    rows = ResultFile(path, ABOUT).rows
    assert [(row["name"], row["seeds"]) for row in rows] == [("net", [0, 1]), ("forest", [0])]


def test_without_a_file_figures_are_kept_in_memory():
    results = ResultFile(None, ABOUT)
    results.add("net", None, 0, {"accuracy": 0.5})
    assert results.has("net", None, 0)
