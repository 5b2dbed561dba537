"""The contribution of each part of the recipe ``uci``: one change at a time, scored on the VALIDATION people.

    python -m benchmarks.ablation --data ../shared/data --json benchmarks/results/ablation.json

Every variant trains for ``EPOCHS`` epochs on the recipe's training people and is scored on the four validation people
at six subnetworks. Test people are never read. Results already in the file are not recomputed; ``--only`` trains only
the named variants, ``--seeds`` several seeds of each.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from benchmarks.result_file import ResultFile
from kinestream.core.signals import Subnet
from kinestream.inference import macs
from kinestream.train import Recipe, load_recipe
from kinestream.train.data.windows import Windows, open_data
from kinestream.train.fit.epoch import Trainer
from kinestream.train.judge.evaluate import score
from kinestream.train.network import batch_statistics
from kinestream.train.train_model import load_part

EPOCHS = 10
JUDGED = tuple(Subnet(*at) for at in ((1.0, 128), (0.8, 128), (0.55, 104), (0.35, 128), (0.1, 128), (0.1, 96)))
BASE = "complete recipe"
VARIANTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    BASE: {},
    "two passes": {"training": {"passes": 2}},
    "nine passes": {"training": {"passes": 9}},
    "milestones, not one cycle": {"training": {"schedule": "milestones", "milestones": (EPOCHS // 3, 2 * EPOCHS // 3)}},
    "without EMA": {"training": {"ema_decay": 0.0}},
    "without label smoothing": {"training": {"label_smoothing": 0.0}},
    "without augmentation": {"augmentation": {"rotation_deg": 0.0, "scale": 0.0, "jitter": 0.0}},
    "without rotation": {"augmentation": {"rotation_deg": 0.0}},
    "without scale": {"augmentation": {"scale": 0.0}},
    "without jitter": {"augmentation": {"jitter": 0.0}},
    "labels only": {"training": {"distillation": 0.0}},
    "teacher only": {"training": {"distillation": 1.0}},
    "alpha-divergence": {"training": {"divergence": "alpha"}},
    "ensemble teacher": {"training": {"teacher": "ensemble"}},
    "random sensor rate": {"augmentation": {"rate": 0.5}},
    "without overlapping windows": {"data": {"train_hop": 0}},
}
"""The changes of each variant, by the recipe's tables and keys."""


def changed(recipe: Recipe, change: Mapping[str, Mapping[str, Any]]) -> Recipe:
    """The recipe with some keys of its tables replaced."""
    return replace(recipe, **{table: replace(getattr(recipe, table), **keys) for table, keys in change.items()})


def run(recipe: Recipe, train: Windows, validation: Windows) -> dict[Subnet, dict[str, float]]:
    """Train it, and score ``JUDGED`` on the validation people."""
    trainer = Trainer.begin(recipe, train, validation)
    for epoch in range(recipe.training.epochs):
        trainer.run_epoch(epoch, Progress(disable=True))
    net = trainer.finished_net()
    batch_statistics.record(net, trainer.sample(recipe.training.statistics_windows), JUDGED)
    scores = {at: score(net, trainer.validation_x, trainer.validation_labels, at) for at in JUDGED}
    return {at: {"accuracy": figures.accuracy, "macro_f1": figures.macro_f1} for at, figures in scores.items()}


def show(results: ResultFile) -> None:
    """Each variant's difference to the complete recipe, in points of accuracy."""
    print(f"{'':30}" + "".join(f"{at!s:>11}" for at in JUDGED) + f"{'mean':>9}")
    base = None
    for name in dict.fromkeys(row["name"] for row in results.rows):
        rows = [results.find(name, at) for at in JUDGED]
        means = np.array([100 * np.mean(row["accuracy"]) if row else np.nan for row in rows])
        base = means if base is None else base
        shown = means if name == BASE else means - base
        form = "11.2f" if name == BASE else "+11.2f"
        print(f"{name:30}" + "".join(f"{value:{form}}" for value in shown) + f"{shown.mean():{form[:-4]}9.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, metavar="VARIANT", help="of: " + "; ".join(VARIANTS))
    parser.add_argument("--json", type=Path, help="where the figures go, and are looked for first")
    args = parser.parse_args()
    recipe = load_recipe("uci")
    recipe = replace(recipe, training=replace(recipe.training, epochs=args.epochs))
    results = ResultFile(
        args.json,
        {
            "title": "What each part of the recipe is worth",
            "command": "python -m benchmarks.ablation --data ../shared/data --json benchmarks/results/ablation.json",
            "protocol": "UCI-HAR rebuilt from HAPT, the four validation people of the recipe uci; no test person read",
            "part": "validation",
            "epochs": args.epochs,
        },
    )
    dataset = open_data(recipe.data, args.data)
    validation = load_part(dataset, recipe, "validation")
    loaded: dict[int, Windows] = {}
    for seed in range(args.seeds):
        for name in args.only or VARIANTS:
            if all(results.has(name, at, seed) for at in JUDGED):
                continue
            variant = replace(changed(recipe, VARIANTS[name]), seed=seed)
            if variant.train_hop not in loaded:
                loaded[variant.train_hop] = load_part(dataset, variant, "train")
            for at, figures in run(variant, loaded[variant.train_hop], validation).items():
                if not results.has(name, at, seed):
                    cost = macs(recipe.network.architecture, at)
                    results.add(name, at, seed, figures, network=recipe.network.architecture.kind, macs=cost)
            show(results)


if __name__ == "__main__":
    main()
