"""The switchable network under the protocol of WHAR Arena on HAPT: where it stands beside 17 published networks.

    python -m benchmarks.arena --data ../shared/data --json benchmarks/results/arena_hapt.json

Trains the recipe ``arena_hapt`` once for each of its ten folds and scores every subnetwork on the fold's test people,
once. The figure to compare is the mean macro-F1 over the folds. A fold that the file holds is not trained again, and a
killed fold goes on after its last epoch. In the end every subnetwork is timed beside the TinierHAR-like network.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
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
from kinestream.train.protocols import GROUPS, PROTOCOLS
from kinestream.train.run import evaluate_model, train_model

NAME = "switchable CNN"


def fold_of(recipe: Recipe, fold: int, runs: Path, data_dir: Path | None) -> Model:
    """The fold's model: read if its run is over, else trained, or trained on."""
    recipe = replace(recipe, data=replace(recipe.data, fold=fold))
    run_dir = runs / f"{recipe.name}_{fold}"
    finished = run_dir / f"{recipe.name}.safetensors"
    if finished.exists():
        return load_model(finished)
    command = f"kinestream train --model_name arena_hapt --fold {fold}"
    resume = (run_dir / "config.toml").exists()
    return train_model(recipe, run_dir, data_dir=data_dir, resume=resume, command=command)


def judge(results: ResultFile, model: Model, fold: int, data_dir: Path | None) -> None:
    """Score every subnetwork on the fold's test people."""
    found = evaluate_model(model, subnets=model.subnets, data_dir=data_dir)["scores"]
    for subnet in model.subnets:
        if not results.has(NAME, subnet, fold):
            figures = {name: found[str(subnet)][name] for name in ("accuracy", "macro_f1")}
            figures["validation"] = model.accuracy[subnet]
            cost = macs(model.architecture, subnet)
            results.add(NAME, subnet, fold, figures, network=model.architecture.kind, macs=cost)


def timed(results: ResultFile, model: Model) -> None:
    """Give every row its latency, and the file that of the TinierHAR-like network, measured in turn."""
    arch, engine = model.architecture, Engine(model)
    window = np.tile(model.mean, (arch.length, 1)).astype(np.float32)
    calls: dict[str, Any] = {str(at): (lambda at=at: engine.predict(window, at)) for at in model.subnets}
    found = median_us(calls | {TINIER: tinier_call(arch.columns, arch.classes, arch.length)}, rounds=30, runs=5)
    for row in results.rows:
        row["latency_us"] = round(found[row["subnet"]], 1)
    results.about |= {
        "machine": f"{machine()}; one core used, batch 1, all in turn",
        "rival_us": round(found[TINIER], 1),
    }
    results.save()


def show(results: ResultFile) -> None:
    for row in results.rows:
        f1, accuracy = row["macro_f1"], row["accuracy"]
        print(
            f"{row['subnet']:11}{row['macs']:12,}{row['latency_us']:9.0f} us  macro-F1 {np.mean(f1):.4f} "
            f"±{np.std(f1):.4f}  accuracy {np.mean(accuracy):.2%}  {len(f1)} folds"
        )
    print(f"{TINIER:23}{results.about['rival_us']:9.0f} us")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--folds", type=int, nargs="+", default=range(1, GROUPS + 1), metavar="N", help="default: all")
    parser.add_argument("--epochs", type=int, help="at most; the recipe's by default")
    parser.add_argument("--json", type=Path, help="where the figures go, and are looked for first")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the run folders are")
    args = parser.parse_args()
    recipe = load_recipe("arena_hapt")
    recipe = replace(recipe, training=replace(recipe.training, epochs=args.epochs or recipe.training.epochs))
    results = ResultFile(
        args.json,
        {
            "title": "HAPT, twelve classes, under the protocol of WHAR Arena",
            "command": "python -m benchmarks.arena --data ../shared/data --json benchmarks/results/arena_hapt.json",
            "protocol": f"HAPT, twelve classes, windows of 3 s; {PROTOCOLS['groups'].define(recipe.data)}",
            "over": "folds",
            "epochs": recipe.training.epochs,
        },
    )
    model = None
    for fold in args.folds:
        if all(results.has(NAME, subnet, fold) for subnet in recipe.network.subnets):
            continue
        model = fold_of(recipe, fold, args.runs, args.data)
        judge(results, model, fold, args.data)
        row = results.find(NAME, recipe.network.full)
        print(f"fold {fold}: {row}", flush=True)
    timed(results, model or fold_of(recipe, args.folds[0], args.runs, args.data))
    show(results)


if __name__ == "__main__":
    main()
