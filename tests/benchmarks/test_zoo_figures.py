"""The figures elsewhere in the table of bundled models are those measured."""

from __future__ import annotations

from typing import Any

from benchmarks.elsewhere.datasets import WORN
from benchmarks.zoo_figures import TABLE, all_measured, measured, with_figures
from kinestream.inference.zoo_table import read_table
from kinestream.replay_data.datasets.registry import DATASETS


def row(model: str, dataset: str, accuracy: float, subnet: str = "1.00x-80", **more: bool) -> dict[str, Any]:
    fixed = {"model": model, "dataset": dataset, "subnet": subnet, "home": False, "smoothed": False}
    return {**fixed, **more, "accuracy": [accuracy]}


ROWS = [
    row("phone_acc", "sisfall", 0.61),
    row("phone_acc", "sisfall", 0.62, smoothed=True),
    row("phone_acc", "sisfall", 0.63, subnet="0.10x-60"),
    row("phone_acc", "hapt", 0.9, home=True),
    row("uci_cnn", "wisdm2019-phone", 0.1),
    row("a rival", "sisfall", 0.5),
    row("watch", "unimib", 0.2),
    {**row("unimib_falls", "unimib", 0.0), "accuracy": None},
]


def test_the_full_network_without_smoothing_at_its_own_places_counts() -> None:
    assert measured({"rows": ROWS}, read_table(TABLE)) == {"phone_acc": {"sisfall": 0.61}}


def test_the_table_keeps_its_comments_and_rows_and_drops_earlier_figures(tmp_path) -> None:
    text = TABLE.read_text("utf-8")
    once = with_figures(text, {"phone_acc": {"sisfall": 0.61, "wisdm-windows": 0.8}, "watch": {"wisdm2019": 0.5}})
    twice = with_figures(once, {"phone_acc": {"sisfall": 0.7}})
    path = tmp_path / "zoo.toml"
    path.write_text(twice)
    assert read_table(path)["phone_acc"]["elsewhere"] == (("sisfall", 0.7),)
    assert read_table(path)["watch"]["elsewhere"] == ()
    without = [line for line in text.splitlines() if not line.startswith("elsewhere")]
    assert [line for line in twice.splitlines() if not line.startswith("elsewhere")] == without


def test_every_dataset_has_its_places() -> None:
    assert set(WORN) == set(DATASETS)


def test_the_figures_are_those_of_the_results() -> None:
    table = read_table(TABLE)
    figures = all_measured(table)
    expected = {name: dict(row["elsewhere"]) for name, row in table.items() if row["elsewhere"]}
    assert figures == expected, "run python -m benchmarks.zoo_figures"
