"""Many runs as one figure: the folds of a cross-validation, the seeds of one split, or both."""

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
    """The test figures of finished runs together: mean, spread, and all their windows pooled.

    The mean and the standard deviation (of a sample: divided by one less) are over the RUNS, each weighing the same.
    The pooled confusion adds all windows up; its intervals are over people, each with the windows of all their runs.

    Raises:
        ConfigError: a folder has no finished run or none that was tested, two runs differ in more than fold and seed
            or not even in these, or a run was tested on people it had seen.
        DataDamaged: a folder's figures cannot be read.
    """
    runs = {run_dir: read_scores(run_dir) for run_dir in run_dirs}
    for run_dir, run in runs.items():
        _check(run_dir, run)
    (first_dir, first), *others = runs.items()
    for run_dir, run in others:
        if changed := _difference(first["recipe"], run["recipe"]):
            raise ConfigError(f"{run_dir} and {first_dir} differ in {changed}; pool runs of one recipe only")
    tests = [run["test"] for run in runs.values()]
    told = [(test["fold"], test["seeds"]["training"]) for test in tests]
    if twice := [pair for pair in told if told.count(pair) > 1]:
        raise ConfigError(f"fold {twice[0][0]} with seed {twice[0][1]} is there twice; name each run once")
    names = [name for name in tests[0]["scores"] if all(name in test["scores"] for test in tests)]
    test = tests[0]
    return {
        "model": first["model"],
        **{key: test[key] for key in ("protocol", "definition", "leaky", "folds")},
        "missing_folds": sorted(set(range(1, test["folds"] + 1)) - {fold for fold, _ in told}),
        "seeds": {
            "split": test["seeds"]["split"],
            "training": sorted({seed for _, seed in told}),
            "bootstrap": test["seeds"]["bootstrap"],
        },
        "subjects": sorted({subject for test in tests for subject in test["subjects"]["test"]}),
        "windows": sum(test["windows"] for test in tests),
        "runs": [
            {"run": run_dir.name, "fold": fold, "seed": seed, **_figures(run["test"], names)}
            for (run_dir, run), (fold, seed) in zip(runs.items(), told, strict=True)
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
            f"the run in {run_dir} was never tested; train it with --test, by a protocol that tests somebody"
        )
    if test["seen_in_training"] and not test["leaky"]:
        raise ConfigError(f"the run in {run_dir} was tested on people it had seen in training; leave it out")


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    """The first setting in which two recipes differ, fold and seed aside; empty if there is none."""
    # Read anew, a recipe of before a setting existed names that setting's default.
    recipes = map(parse_recipe, (one, other))
    alike = [replace(recipe, seed=0, data=replace(recipe.data, fold=1)) for recipe in recipes]
    return next(iter(differences(*alike)), "")


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
