"""Copy the accuracy of the bundled models on datasets they never saw into the table beside the models.

    python -m benchmarks.elsewhere
    python -m benchmarks.zoo_figures

reads ``benchmarks/results/elsewhere.json`` and ``LEFT_OUT``, and writes ``elsewhere`` in ``inference/zoo/zoo.toml``,
from which ``kinestream models`` and docs/models.md take it. A test fails while the table says anything else than the
results.

A model made for certain places is judged on datasets from these places only; one for any place on all. A model that
learned from all of them is judged by networks of its recipe that learned from all but one (``benchmarks/left_out.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import Table

from kinestream.core.atomic_file import write_atomically
from kinestream.inference import list_models, load_model
from kinestream.inference.zoo_table import read_table

from .elsewhere.datasets import WORN

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "elsewhere.json"
LEFT_OUT = {"anywhere_acc": ROOT / "benchmarks" / "results" / "anywhere_left_out.json"}
"""By model, the figures of networks of its recipe on the dataset each never saw."""
TABLE = ROOT / "inference" / "zoo" / "zoo.toml"


def measured(results: Mapping[str, Any], table: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the accuracies of the full networks, without smoothing, by model and dataset.

    >>> row = {"model": "walker", "dataset": "sisfall", "subnet": "1.00x-80", "home": False, "smoothed": False}
    >>> table = {"walker": {"places": ("waist",), "any_place": False}}
    >>> measured({"rows": [row | {"accuracy": [0.8]}, row | {"dataset": "unimib", "accuracy": [0.3]}]}, table)
    {'walker': {'sisfall': 0.8}}
    """
    figures: dict[str, dict[str, float]] = {}
    for row in results["rows"]:
        model, dataset = row.get("model"), row.get("dataset")
        if model not in table or row["home"] or row["smoothed"] or not row.get("accuracy"):
            continue
        if not row["subnet"].startswith("1.00x") or not _is_place_of(table[model], dataset):
            continue
        figures.setdefault(model, {}).setdefault(dataset, row["accuracy"][0])
    return figures


def left_out(results: Mapping[str, Any]) -> dict[str, float]:
    """Return the accuracies of full networks on the dataset each never saw, the mean over seeds.

    >>> left_out({"rows": [{"name": "sisfall", "subnet": "1.00x-80", "accuracy": [0.8, 0.9]}]})
    {'sisfall': 0.85}
    """
    full = [row for row in results["rows"] if row["subnet"] == results["rows"][0]["subnet"]]
    return {row["name"]: round(sum(row["accuracy"]) / len(row["accuracy"]), 5) for row in full}


def all_measured(table: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return ``measured`` and ``left_out`` of the committed results."""
    figures = measured(json.loads(RESULTS.read_text("utf-8")), table)
    for name, path in LEFT_OUT.items():
        figures[name] = left_out(json.loads(path.read_text("utf-8"))) | figures.get(name, {})
    return figures


def with_figures(text: str, figures: Mapping[str, Mapping[str, float]]) -> str:
    """Return the table's text with these figures, and no others."""
    document = tomlkit.parse(text)
    for name, row in document.items():
        assert isinstance(row, Table)
        row.pop("elsewhere", None)
        if name in figures:
            inline = tomlkit.inline_table()
            inline.update(figures[name])
            row.add("elsewhere", inline)
    return tomlkit.dumps(document)


def _is_place_of(row: Mapping[str, Any], dataset: str) -> bool:
    return row["any_place"] or not set(WORN[dataset]).isdisjoint(row["places"])


def main() -> None:
    figures = all_measured(read_table(TABLE))
    for name, path in list_models().items():
        full = load_model(path).full
        print(f"{name} ({full}): {', '.join(f'{key} {value:.4f}' for key, value in figures.get(name, {}).items())}")
    write_atomically(TABLE, with_figures(TABLE.read_text("utf-8"), figures))


if __name__ == "__main__":
    main()
