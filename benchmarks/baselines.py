"""The paper's baselines of a switchable network, under the protocol and the training of the recipe ``uci``:

- ``independent``: a static network of each configuration's width, trained at its length, nothing shared;
- ``resolution-only``: the independent full networks tested at other lengths, with the batch-norm statistics of the full
  length, and once more with statistics of the length tested (``..., recalibrated``);
- ``width-only``: one switchable network trained over all widths at full length only;
- ``independent, paper's training`` (``--paper``): the static full network trained by the recipe ``paper`` instead;

and how much computing a switchable network saves at the accuracy of the independent full network.

    python -m benchmarks.baselines --data ../shared/data --json benchmarks/results/baselines.json
    python -m benchmarks.baselines --saved RUN/uci_cnn.safetensors ... --json benchmarks/results/baselines.json
    python -m benchmarks.baselines --original --json benchmarks/results/baselines_original.json

UCI-HAR rebuilt from HAPT, official subjects; ``--original``: the independent full network on the original windows.
Every network is scored on the test people once, after training; results already in the file are not recomputed.
``--saved`` takes the models of several seeds of one network and finds, for each independent network, the subnetwork
that replaces it and its saving in multiply-accumulates and measured time.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.front import interleaved_us
from benchmarks.result_file import ResultFile
from benchmarks.rivals_models.static import StaticNet, fit_static
from kinestream.core.signals import Subnet
from kinestream.inference import Model, load_model, macs
from kinestream.train import Recipe, load_recipe
from kinestream.train.data.windows import Windows, open_data
from kinestream.train.fit.device import choose_device
from kinestream.train.fit.trainer import fit
from kinestream.train.judge.evaluate import score
from kinestream.train.network.export import from_model, normalised
from kinestream.train.network.switchable import SwitchableNet
from kinestream.train.train_model import load_part

CONFIGURATIONS = (Subnet(1.0, 128), Subnet(0.8, 128), Subnet(0.55, 104), Subnet(0.1, 96))
"""Those the paper prints."""
FULL = CONFIGURATIONS[0]
OURS, PAPERS = "independent", "independent, paper's training"
ORIGINAL = {
    "title": "The independent full CNN on the original windows",
    "command": "python -m benchmarks.baselines --original --json benchmarks/results/baselines_original.json",
    "protocol": "UCI-HAR, the original windows, official subject split, nine test people, four others validate",
}


def judge(net: SwitchableNet, at: Subnet, x: dict[str, torch.Tensor], parts: dict[str, Windows]) -> dict[str, float]:
    """Accuracy and macro-F1 on the test people, accuracy on the validation people."""
    scores = {name: score(net, x[name], parts[name].labels, at) for name in ("test", "validation")}
    return {
        "accuracy": scores["test"].accuracy,
        "macro_f1": scores["test"].macro_f1,
        "validation": scores["validation"].accuracy,
    }


def independent(
    results: ResultFile, recipe: Recipe, parts: dict[str, Windows], subnet: Subnet, seed: int, *, name: str = OURS
) -> None:
    """Train one static network and judge it; ours at full size at the other lengths too."""
    arch = recipe.network.architecture
    net, mean, std = fit_static(
        lambda: StaticNet(arch, subnet), recipe, parts["train"], seed=seed, device=choose_device()
    )
    x = {name: (torch.from_numpy(windows.x) - mean) / std for name, windows in parts.items()}
    chosen = np.random.default_rng(seed).permutation(len(x["train"]))[: recipe.training.statistics_windows]
    sample = x["train"][torch.from_numpy(chosen)]
    net.settle(sample)
    fixed = {"network": arch.kind, "macs": macs(arch, subnet)}
    figures = judge(net.net, net.subnet, x, parts)
    if (name, subnet) == (OURS, FULL):
        shorter = recipe.network.resolutions[:-1]
        for norm in net.net.norms().values():
            norm.moments |= {Subnet(1.0, length): norm.moments[net.subnet] for length in shorter}
        lengths(results, "resolution-only", net, recipe, x, parts, seed)
        net.settle(sample, shorter)
        lengths(results, "resolution-only, recalibrated", net, recipe, x, parts, seed)
    results.add(name, subnet, seed, figures, **fixed)


def lengths(
    results: ResultFile,
    name: str,
    net: StaticNet,
    recipe: Recipe,
    x: dict[str, torch.Tensor],
    parts: dict[str, Windows],
    seed: int,
) -> None:
    for length in recipe.network.resolutions:
        at = Subnet(1.0, length)
        if not results.has(name, at, seed):
            arch = recipe.network.architecture
            fixed = {"network": arch.kind, "macs": macs(arch, at)}
            results.add(name, at, seed, judge(net.net, at, x, parts), **fixed)


def width_only(results: ResultFile, recipe: Recipe, parts: dict[str, Windows], seed: int, run_dir: Path) -> None:
    """Train one network that is cut in width alone; an interrupted run continues."""
    network = replace(recipe.network, resolutions=recipe.network.resolutions[-1:])
    recipe = replace(recipe, name="uci_cnn_width_only", network=network, seed=seed)
    resume = (run_dir / "config.toml").exists()
    model = fit(recipe, parts["train"], parts["validation"], run_dir, card={}, resume=resume, device=choose_device())
    net = from_model(model)
    x = {name: normalised(model, parts[name].x) for name in ("validation", "test")}
    for subnet in model.subnets:
        if not results.has("width-only", subnet, seed):
            cost = macs(model.architecture, subnet)
            figures = judge(net, subnet, x, parts)
            results.add("width-only", subnet, seed, figures, network=model.architecture.kind, macs=cost)


def means(models: Sequence[Model]) -> dict[Subnet, tuple[float, float]]:
    """Each subnetwork's mean accuracy over the seeds, on the validation people and on the test people."""
    accuracies = {}
    for subnet in models[0].subnets:
        tests = [model.card["test"]["accuracy"][str(subnet)] for model in models]
        accuracies[subnet] = float(np.mean([m.accuracy[subnet] for m in models])), float(np.mean(tests))
    return accuracies


def saved(
    results: ResultFile, models: Sequence[Model], reference: Model, rounds: int, *, against: str = OURS
) -> dict[str, Any]:
    """The saving of the cheapest and the fastest subnetwork that are as accurate as the independent full network.

    ``chosen`` compares means on the validation people, and its test accuracy is reported as measured;
    ``read_off_test`` is the cheapest that reaches the test accuracy itself, as the paper's own figure was made.

    Args:
        models: the seeds of one network. reference: the model whose full network has the independent one's shape.
        against: the row of the independent network.
    """
    row = results.find(against, FULL)
    if row is None:
        raise SystemExit(f"the file has no {against} {FULL} yet; run without --saved first")
    validation, test = float(np.mean(row["validation"])), float(np.mean(row["accuracy"]))
    model, accuracies = models[0], means(models)
    timed = interleaved_us([reference] if reference.name == model.name else [reference, model], rounds)
    full_us, full_macs = timed[reference.name, FULL], macs(reference.architecture, FULL)

    def figures_of(subnet: Subnet | None) -> dict[str, Any] | None:
        if subnet is None:
            return None
        us, cost = timed[model.name, subnet], macs(model.architecture, subnet)
        return {
            "subnet": str(subnet),
            "macs": cost,
            "latency_us": round(us, 1),
            "validation": round(accuracies[subnet][0], 5),
            "accuracy": round(accuracies[subnet][1], 5),
            "macs_saved": round(full_macs / cost, 1),
            "time_saved": round(full_us / us, 1),
        }

    def least(part: int, wanted: float, cost: Any) -> dict[str, Any] | None:
        accurate = (s for s in accuracies if accuracies[s][part] >= wanted)
        return figures_of(min(accurate, key=cost, default=None))

    costs = {
        "macs": lambda s: macs(model.architecture, s),
        "time": lambda s: timed[model.name, s],
    }
    return {
        "name": model.name,
        "against": against,
        "seeds": len(models),
        "independent": {
            "macs": full_macs,
            "latency_us": round(full_us, 1),
            "validation": round(validation, 5),
            "accuracy": round(test, 5),
        },
        "chosen": {name: least(0, validation, cost) for name, cost in costs.items()},
        "read_off_test": {name: least(1, test, cost) for name, cost in costs.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="of the independent networks; width-only has one")
    parser.add_argument("--epochs", type=int, help="the recipe's by default")
    parser.add_argument("--paper", action="store_true", help="only the full network, trained as the paper does")
    parser.add_argument("--original", action="store_true", help="only the full network, on UCI-HAR's own windows")
    parser.add_argument("--json", type=Path, help="where the figures go, and are looked for first")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where width-only keeps its run folder")
    parser.add_argument(
        "--saved", type=Path, nargs="+", metavar="MODEL", help="train nothing; compute the saving of these"
    )
    parser.add_argument("--reference", type=Path, help="with --saved of another network: a model of the recipe uci")
    parser.add_argument("--rounds", type=int, default=40, help="of timing (default %(default)s)")
    args = parser.parse_args()
    recipe = load_recipe("uci", *(["original"] if args.original else []))
    recipe = replace(recipe, training=replace(recipe.training, epochs=args.epochs or recipe.training.epochs))
    about = {
        "title": "Baselines of the switchable CNN",
        "command": "python -m benchmarks.baselines --data ../shared/data --json benchmarks/results/baselines.json",
        "protocol": "UCI-HAR rebuilt from HAPT, official subject split, nine test people, four others validate",
        **(ORIGINAL if args.original else {}),
        "epochs": recipe.training.epochs,
    }
    results = ResultFile(args.json, about)
    if args.saved:
        models = [load_model(path) for path in args.saved]
        reference = load_model(args.reference) if args.reference else models[0]
        for against in (name for name in (OURS, PAPERS) if results.find(name, FULL) or name == OURS):
            saving = saved(results, models, reference, args.rounds, against=against)
            others = [
                entry
                for entry in results.about.get("compute_saved", [])
                if (entry["name"], entry["against"]) != (saving["name"], against)
            ]
            results.about["compute_saved"] = [*others, saving]
            print(json.dumps(saving, indent=1))
        results.save()
        return
    dataset = open_data(recipe.data, args.data)
    if args.paper:
        paper = load_recipe("uci", "paper")
        training = replace(paper.training, batch_size=64, epochs=args.epochs or paper.training.epochs)
        paper = replace(paper, training=training)
        parts = {name: load_part(dataset, paper, name) for name in ("train", "validation", "test")}
        for seed in (seed for seed in range(args.seeds) if not results.has(PAPERS, FULL, seed)):
            independent(results, paper, parts, FULL, seed, name=PAPERS)
            print(results.find(PAPERS, FULL), flush=True)
        return
    parts = {name: load_part(dataset, recipe, name) for name in ("train", "validation", "test")}
    for subnet in CONFIGURATIONS[:1] if args.original else CONFIGURATIONS:
        for seed in range(args.seeds):
            if not results.has(OURS, subnet, seed):
                independent(results, recipe, parts, subnet, seed)
                print(results.find(OURS, subnet), flush=True)
    if not args.original and any(
        not results.has("width-only", Subnet(width, FULL.resolution), 0) for width in recipe.network.widths
    ):
        width_only(results, recipe, parts, 0, args.runs / "uci_width_only")
        print(results.find("width-only", FULL), flush=True)


if __name__ == "__main__":
    main()
