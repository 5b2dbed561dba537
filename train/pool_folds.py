"""Pooled scores of several runs: the folds of a cross-validation, the seeds of one split, or both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.errors import ConfigError

from .fit.run_folder import read_scores
from .judge.scores import MEASURES, from_json, pooled, to_json
from .recipe.recipe_toml import differences, parse_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SHOWN = (*MEASURES, "calibration_error")


def pool_runs(run_dirs: Sequence[Path]) -> dict[str, Any]:
    """The test scores of finished runs as JSON values: mean, standard deviation, and the pooled windows.

    Mean and sample standard deviation (divided by n - 1) are over the RUNS, with equal weights. The pooled confusion
    adds up all windows; its intervals are over people, each with the windows of all their runs.

    Raises:
        ConfigError: a folder has no finished or no tested run, two runs differ in more than fold and seed or in
            neither, or a run was tested on people it had seen.
        DataDamaged: a folder's scores cannot be read.
    """
    runs = {run_dir: read_scores(run_dir) for run_dir in run_dirs}
    for run_dir, run in runs.items():
        _check(run_dir, run)
    (first_dir, first), *others = runs.items()
    for run_dir, run in others:
        if changed := _difference(first["recipe"], run["recipe"]):
            raise ConfigError(f"{run_dir} and {first_dir} differ in {changed}; pool runs of one recipe only")
    tests = [run["test"] for run in runs.values()]
    folds_and_seeds = [(test["fold"], test["seeds"]["training"]) for test in tests]
    if repeated := [pair for pair in folds_and_seeds if folds_and_seeds.count(pair) > 1]:
        fold, seed = repeated[0]
        raise ConfigError(f"two runs have fold {fold} and seed {seed}; name each run once")
    names = [name for name in tests[0]["scores"] if all(name in test["scores"] for test in tests)]
    test = tests[0]
    return {
        "model": first["model"],
        **{key: test[key] for key in ("protocol", "definition", "leaky", "folds")},
        "missing_folds": sorted(set(range(1, test["folds"] + 1)) - {fold for fold, _ in folds_and_seeds}),
        "seeds": {
            "split": test["seeds"]["split"],
            "training": sorted({seed for _, seed in folds_and_seeds}),
            "bootstrap": test["seeds"]["bootstrap"],
        },
        "subjects": sorted({subject for test in tests for subject in test["subjects"]["test"]}),
        "windows": sum(test["windows"] for test in tests),
        "runs": [
            {"run": run_dir.name, "fold": fold, "seed": seed, **_figures(run["test"], names)}
            for (run_dir, run), (fold, seed) in zip(runs.items(), folds_and_seeds, strict=True)
        ],
        "accuracy": {
            name: round(float(np.mean([test["accuracy"][name] for test in tests])), 5) for name in test["accuracy"]
        },
        "scores": {
            name: _pooled([test["scores"][name] for test in tests], list(first["recipe"]["data"]["labels"]))
            for name in names
        },
    }


def _check(run_dir: Path, run: dict[str, Any]) -> None:
    test = run.get("test")
    if test is None:
        raise ConfigError(
            f"the run in {run_dir} has no test scores; train it with --test and a protocol with test people"
        )
    if test["seen_in_training"] and not test["leaky"]:
        raise ConfigError(f"the run in {run_dir} was tested on people it had seen in training; leave it out")


def _difference(first: dict[str, Any], second: dict[str, Any]) -> str:
    """The first setting in which two recipes differ, apart from fold and seed; empty if there is none."""
    # Parsing fills in the defaults of settings that are newer than a stored recipe.
    recipes = map(parse_recipe, (first, second))
    comparable = [replace(recipe, seed=0, data=replace(recipe.data, fold=1)) for recipe in recipes]
    return next(iter(differences(*comparable)), "")


def _figures(test: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {measure: {name: test["scores"][name][measure] for name in names} for measure in SHOWN}


def _pooled(scores: Sequence[dict[str, Any]], labels: Sequence[str]) -> dict[str, Any]:
    values = np.array([[score[measure] for measure in SHOWN] for score in scores])
    sd = np.std(values, axis=0, ddof=1).round(5).tolist() if len(scores) > 1 else [None] * len(SHOWN)
    return {
        "mean": dict(zip(SHOWN, values.mean(0).round(5).tolist(), strict=True)),
        "sd_over_runs": dict(zip(SHOWN, sd, strict=True)),
        "pooled": to_json(pooled(map(from_json, scores)), labels, counts=False),
    }
