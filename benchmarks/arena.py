"""Our switchable networks under the protocol of WHAR Arena on HAPT, to compare with 17 published networks.

    python -m benchmarks.arena --data ../shared/data --json benchmarks/results/arena_hapt.json

Trains the recipe ``arena_hapt``, and kinet by ``benchmarks/recipes/arena_kinet.toml`` over it, once for each of its ten
folds and scores every subnetwork on the fold's test people, once. The figure to compare is the mean macro-F1 over the
folds. Folds already in the file are not trained again, and an interrupted fold continues after its last epoch. At the
end every subnetwork is timed beside the TinierHAR-like network.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inference import median_us
from benchmarks.result_file import ResultFile
from benchmarks.rivals import TINIER, tinier_call
from kinestream.inference import Engine, Model, load_model, macs
from kinestream.inference.measure import machine
from kinestream.train import Recipe, load_recipe
from kinestream.train.splits.protocols import GROUPS, PROTOCOLS
from kinestream.train.train_model import evaluate_model, train_model

RECIPES: dict[str, tuple[Path, ...]] = {
    "switchable CNN": (),
    "switchable kinet": (Path(__file__).parent / "recipes" / "arena_kinet.toml",),
}
"""The overlays of ``arena_hapt`` for each network."""


def fold_of(recipe: Recipe, overlays: Sequence[Path], fold: int, runs: Path, data_dir: Path | None) -> Model:
    """The fold's model: read if its run is complete, else trained from its last epoch."""
    recipe = replace(recipe, data=replace(recipe.data, fold=fold))
    run_dir = runs / f"{recipe.name}_{fold}"
    finished = run_dir / f"{recipe.name}.safetensors"
    if finished.exists():
        return load_model(finished)
    over = "".join(f" --recipe benchmarks/recipes/{path.name}" for path in overlays)
    command = f"kinestream train --model_name arena_hapt{over} --fold {fold}"
    resume = (run_dir / "config.toml").exists()
    return train_model(recipe, run_dir, data_dir=data_dir, resume=resume, command=command)


def judge(results: ResultFile, name: str, model: Model, recipe: Recipe, fold: int, data_dir: Path | None) -> None:
    """Score every subnetwork on the fold's test people."""
    scores = evaluate_model(model, subnets=model.subnets, data_dir=data_dir)["scores"]
    fixed = {"network": model.architecture.kind, "epochs": recipe.training.epochs}
    for subnet in model.subnets:
        if not results.has(name, subnet, fold):
            figures = {measure: scores[str(subnet)][measure] for measure in ("accuracy", "macro_f1")}
            figures["validation"] = model.accuracy[subnet]
            results.add(name, subnet, fold, figures, macs=macs(model.architecture, subnet), **fixed)


def timed(results: ResultFile, models: Mapping[str, Model]) -> None:
    """Give every row its latency, and the file that of the TinierHAR-like network, measured in turn."""
    calls: dict[str, Any] = {}
    for name, model in models.items():
        engine = Engine(model, max_sessions=len(model.subnets))
        window = np.tile(model.mean, (model.architecture.length, 1)).astype(np.float32)
        for at in model.subnets:
            calls[f"{name} {at}"] = lambda engine=engine, window=window, at=at: engine.predict(window, at)
    arch = next(iter(models.values())).architecture
    time_us = median_us(calls | {TINIER: tinier_call(arch.columns, arch.classes, arch.length)}, rounds=30, runs=5)
    for row in results.rows:
        row["latency_us"] = round(time_us[f"{row['name']} {row['subnet']}"], 1)
    results.about |= {
        "machine": f"{machine()}; one core used, batch 1, all in turn",
        "rival_us": round(time_us[TINIER], 1),
    }
    results.save()


def show(results: ResultFile) -> None:
    for row in results.rows:
        f1, accuracy = row["macro_f1"], row["accuracy"]
        print(
            f"{row['name']:17}{row['subnet']:11}{row['macs']:12,}{row['latency_us']:9.0f} us  "
            f"macro-F1 {np.mean(f1):.4f} ±{np.std(f1, ddof=1) if len(f1) > 1 else 0:.4f}  "
            f"accuracy {np.mean(accuracy):.2%}  validation {np.mean(row['validation']):.2%}  {len(f1)} folds"
        )
    print(f"{TINIER:40}{results.about['rival_us']:9.0f} us")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--folds", type=int, nargs="+", default=range(1, GROUPS + 1), metavar="N", help="default: all")
    parser.add_argument("--epochs", type=int, help="at most; the recipes' by default")
    parser.add_argument("--json", type=Path, help="where the figures go, and are looked for first")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the run folders are")
    args = parser.parse_args()
    results = ResultFile(
        args.json,
        {
            "title": "HAPT, twelve classes, under the protocol of WHAR Arena",
            "command": "python -m benchmarks.arena --data ../shared/data --json benchmarks/results/arena_hapt.json",
            "protocol": "HAPT, twelve classes, windows of 3 s; "
            f"{PROTOCOLS['groups'].define(load_recipe('arena_hapt').data)}",
            "over": "folds",
        },
    )
    models: dict[str, Model] = {}
    for name, overlays in RECIPES.items():
        recipe = load_recipe("arena_hapt", *overlays)
        recipe = replace(recipe, training=replace(recipe.training, epochs=args.epochs or recipe.training.epochs))
        for fold in args.folds:
            if all(results.has(name, subnet, fold) for subnet in recipe.network.subnets):
                continue
            model = models[name] = fold_of(recipe, overlays, fold, args.runs, args.data)
            judge(results, name, model, recipe, fold, args.data)
            print(f"fold {fold}: {results.find(name, recipe.network.full)}", flush=True)
        if name not in models:
            models[name] = fold_of(recipe, overlays, args.folds[0], args.runs, args.data)
    timed(results, models)
    show(results)


if __name__ == "__main__":
    main()
