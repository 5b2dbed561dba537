"""How a network does on each dataset that it never saw: the tested runs of protocol ``datasets`` side by side.

    for fold in 1 2 3 4 5; do kinestream train --model_name anywhere_acc --protocol datasets --fold $fold --test; done
    python -m benchmarks.left_out runs/anywhere_acc_datasets_*

``accuracy`` is over the activities with a name; ``with other`` also counts the windows whose truth is ``other``.
``worst`` is the person with the lowest accuracy among those with ``MIN_WINDOWS`` windows.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.result_file import ResultFile
from kinestream.core.errors import ConfigError

MIN_WINDOWS = 10
OTHER = "other"
ABOUT = {
    "title": "Networks on the dataset that they never saw",
    "command": "python -m benchmarks.left_out RUN ... --json FILE",
    "protocol": "datasets: one dataset left out, all its people tested; settings chosen on the other datasets' people",
    "part": "test",
    "leaky": False,
}


def add_run(results: ResultFile, run: dict[str, Any]) -> None:
    """Add a row for each subnetwork with all scores, of one run's ``metrics.json``, unless it is there.

    Raises:
        ConfigError: the run was not tested, or under another protocol.
    """
    test, recipe = run.get("test"), run["recipe"]
    if not test or test["protocol"] != "datasets":
        raise ConfigError(f"{run['model']}: expected a run with --protocol datasets --fold N --test")
    dataset = recipe["data"]["dataset"].split(" + ")[test["fold"] - 1]
    named = np.array([label != OTHER for label in recipe["data"]["labels"]])
    for subnet, scores in test["scores"].items():
        if results.has(dataset, subnet, recipe["seed"]):
            continue
        people = [np.array(own)[named] for own in scores["confusion_by_subject"].values()]
        figures = {
            "accuracy": _share(np.array(scores["confusion"])[named], named),
            "with_other": scores["accuracy"],
            "macro_f1": scores["macro_f1"],
            "worst_person": min(_share(own, named) for own in people if own.sum() >= MIN_WINDOWS),
            "calibration_error": scores["calibration_error"],
        }
        results.add(dataset, subnet, recipe["seed"], figures, network=recipe["network"]["preset"])


def _share(confusion: Any, named: Any) -> float:
    """The share of right answers among windows of these classes: rows are the truth, columns the answer."""
    right = confusion[:, named].diagonal().sum()
    return float(right / confusion.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of kinestream train")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    args = parser.parse_args()
    results = ResultFile(args.json, ABOUT)
    for run in args.runs:
        add_run(results, json.loads((run / "metrics.json").read_text("utf-8")))
    print(f"{'left out':18} {'subnet':10} {'accuracy':>9} {'with other':>11} {'macro F1':>9} {'worst':>6} {'seeds':>6}")
    for row in results.rows:
        means = [100 * float(np.mean(row[key])) for key in ("accuracy", "with_other", "macro_f1", "worst_person")]
        numbers = " ".join(f"{mean:{width}.1f}" for mean, width in zip(means, (9, 11, 9, 6), strict=True))
        print(f"{row['name']:18} {row['subnet']:10} {numbers} {len(row['seeds']):6}")


if __name__ == "__main__":
    main()
