"""Collect the tested runs of one model with different seeds in the small file that is committed.

    python benchmarks/collect.py runs/uci_0 runs/uci_1 ... [--json FILE]

Seeds already in the file remain, unless a run with the same seed replaces them. The default file is
``benchmarks/results/MODEL_seeds.json``; ``README.md`` beside it describes the layout.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from kinestream.core.errors import ConfigError, KinestreamError
from kinestream.train.fit.run_folder import read_scores
from kinestream.train.judge.model_card import without_counts
from kinestream.train.pool_folds import pool_runs

RESULTS = Path(__file__).parent / "results"
KEPT = ("windows", "leaky", "accuracy", "scores")


def entry(run: dict[str, Any]) -> dict[str, Any]:
    """The figures of a run folder that the file keeps."""
    test = without_counts(run["test"])
    shared = {"protocol": test["definition"], "protocol_name": test["protocol"], "command": run["command"]}
    return shared | {key: test[key] for key in KEPT}


def collect(run_dirs: list[Path], held: dict[str, Any]) -> dict[str, Any]:
    """The file's entries by seed, including those of the runs.

    Raises:
        ConfigError: as ``pool_runs``, or the runs were judged on other windows than the seeds in the file.
    """
    pool_runs(run_dirs)  # refuses runs that do not belong together
    runs = [read_scores(run_dir) for run_dir in run_dirs]
    entries = {str(run["test"]["seeds"]["training"]): entry(run) for run in runs}
    for seed, seed_entry in held.items():
        if seed_entry["windows"] != next(iter(entries.values()))["windows"]:
            raise ConfigError(
                f"seed {seed} in the file was judged on {seed_entry['windows']} windows; choose another --json"
            )
    return dict(sorted({**held, **entries}.items(), key=lambda pair: int(pair[0])))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs trained with --test")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    try:
        path = args.json or RESULTS / f"{read_scores(args.runs[0])['model']}_seeds.json"
        held = json.loads(path.read_text("utf-8")) if path.exists() else {}
        seeds = collect(args.runs, held)
    except KinestreamError as error:
        print(f"collect: {error}", file=sys.stderr)
        return error.exit_status
    lines = (f"{json.dumps(seed)}: {json.dumps(seed_entry, ensure_ascii=False)}" for seed, seed_entry in seeds.items())
    path.write_text("{" + ",\n".join(lines) + "}\n", "utf-8")
    print(f"{path}: seeds {', '.join(seeds)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
