"""The benchmark of networks on datasets they never saw reads tested runs, and nothing else."""

from __future__ import annotations

import pytest

from benchmarks.left_out import ABOUT, add_run
from benchmarks.result_file import ResultFile
from kinestream.core.errors import ConfigError

SCORES = {
    "accuracy": 0.75,
    "macro_f1": 0.7,
    "calibration_error": 0.1,
    "confusion": [[30, 6, 4], [10, 20, 10], [0, 0, 40]],
    "confusion_by_subject": {
        "anna": [[30, 0, 0], [0, 10, 0], [0, 0, 20]],
        "ben": [[0, 6, 4], [10, 10, 10], [0, 0, 20]],
    },
}


def run(protocol: str = "datasets", seed: int = 3) -> dict:
    data = {"dataset": "hapt + sisfall", "labels": ["walking", "sitting", "other"]}
    test = {"protocol": protocol, "fold": 2, "scores": {"1.00x-80": SCORES}}
    return {"model": "tiny", "recipe": {"data": data, "network": {"preset": "joint"}, "seed": seed}, "test": test}


def test_other_counts_apart_and_the_worst_person_is_found() -> None:
    results = ResultFile(None, ABOUT)
    add_run(results, run())
    add_run(results, run())
    (row,) = results.rows
    assert (row["name"], row["seeds"], row["accuracy"], row["with_other"]) == ("sisfall", [3], [0.625], [0.75])
    assert row["worst_person"] == [0.25]


def test_a_run_of_another_protocol_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected a run with --protocol datasets"):
        add_run(ResultFile(None, ABOUT), run("holdout"))
