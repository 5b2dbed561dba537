"""Accuracy against measured latency of several models, and the model that leads each stretch of their joint front.

    python benchmarks/front.py [MODEL ...] [--rounds 12] [--all] [--reach] [--json FILE]

Every subnetwork of every model is timed in one run; all take turns within every round, so the machine's noise affects
all equally: one window at a time, ONNX Runtime, one core. A point is on the joint front if nothing faster is as
accurate on the validation people, by the table in the model file. Test accuracy is printed if the model's card has
it, but chooses nothing. ``--reach`` prints, for several test accuracies, the fastest subnetwork of each model that
reaches them in the mean over the seeds of ``benchmarks/results/MODEL_seeds.json``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.core.signals import Subnet
from kinestream.inference import Engine, Model, find_model, list_models, load_model, macs
from kinestream.inference.measure import machine

RESULTS = Path(__file__).parent / "results"
FIGURES = (0.950, 0.958, 0.966, 0.971, 0.972, 0.977, 0.978, 0.979)
"""Test accuracies to reach: a point or so above what the paper prints for its CNN and its ResNet."""
RUNS = 5
"""Timed runs of a subnetwork in each round, after one that is not timed."""


@dataclass(frozen=True, slots=True)
class Point:
    model: str
    subnet: Subnet
    macs: int
    us: float
    """Median time of one window."""
    accuracy: float
    """On the validation people."""
    test: float | None


def interleaved_us(models: list[Model], rounds: int) -> dict[tuple[str, Subnet], float]:
    """The median latency of every subnetwork of every model, in microseconds."""
    calls = []
    for model in models:
        engine = Engine(model, max_sessions=len(model.subnets))
        engine.warm(model.subnets)
        noise = np.random.default_rng(0).standard_normal((model.input.length, len(model.mean)))
        x = (model.mean + model.std * noise).astype(np.float32)
        calls += [((model.name, subnet), engine, x) for subnet in model.subnets]
    times: dict[tuple[str, Subnet], list[float]] = {key: [] for key, _, _ in calls}
    order = np.random.default_rng(1)
    for _ in range(rounds):
        for at in order.permutation(len(calls)):
            key, engine, x = calls[at]
            engine.predict(x, key[1])
            times[key] += [engine.predict(x, key[1]).latency_ms for _ in range(RUNS)]
    return {key: float(np.median(measured)) * 1e3 for key, measured in times.items()}


def points(models: list[Model], rounds: int) -> list[Point]:
    """The accuracy and latency of every subnetwork, fastest first; those without a validation accuracy are left out."""
    timed = []
    for (name, subnet), us in interleaved_us(models, rounds).items():
        model = next(model for model in models if model.name == name)
        if subnet in model.accuracy:
            test = model.card.get("test", {}).get("accuracy", {}).get(str(subnet))
            cost = macs(model.architecture, subnet)
            timed.append(Point(name, subnet, cost, us, model.accuracy[subnet], test))
    return sorted(timed, key=lambda point: (point.us, -point.accuracy))


def front(candidates: list[Point]) -> list[Point]:
    """The points that are more accurate than everything faster; ``candidates`` are sorted by latency."""
    best, kept = -1.0, []
    for point in candidates:
        if point.accuracy > best:
            best = point.accuracy
            kept.append(point)
    return kept


def show(candidates: list[Point]) -> None:
    print(f"{'model':<14}{'subnetwork':<13}{'latency':>11}{'MACs':>13}{'validation':>12}{'test':>9}")
    for point in candidates:
        test = "-" if point.test is None else f"{100 * point.test:.2f} %"
        print(
            f"{point.model:<14}{point.subnet!s:<13}{point.us:>8.1f} us{point.macs:>13,}"
            f"{100 * point.accuracy:>10.2f} %{test:>9}"
        )


def seed_means(name: str) -> dict[str, float]:
    """The mean test accuracy over a model's seeds, by subnetwork; empty where no seeds are kept."""
    path = RESULTS / f"{name}_seeds.json"
    seeds = list(json.loads(path.read_text("utf-8")).values()) if path.exists() else []
    return (
        {at: sum(seed["accuracy"][at] for seed in seeds) / len(seeds) for at in seeds[0]["accuracy"]} if seeds else {}
    )


def fastest(candidates: list[Point], test: dict[str, float], figure: float) -> Point | None:
    """The fastest of one model's points that reaches ``figure``; ``candidates`` are sorted by latency."""
    return next((point for point in candidates if test.get(str(point.subnet), 0.0) >= figure), None)


def show_reach(candidates: list[Point], models: list[Model]) -> None:
    print(f"{'test accuracy, mean over seeds':<32}" + "".join(f"{model.name:>26}" for model in models))
    own = {model.name: [point for point in candidates if point.model == model.name] for model in models}
    tests = {name: seed_means(name) for name in own}
    for figure in FIGURES:
        reached = [fastest(own[name], tests[name], figure) for name in own]
        cells = ["-" if point is None else f"{point.subnet!s}, {point.us:.1f} us" for point in reached]
        print(f"{100 * figure:>10.1f} %{'':<20}" + "".join(f"{text:>26}" for text in cells))


def as_json(candidates: list[Point], models: list[Model]) -> dict[str, Any]:
    """Every point, fastest first, laid out as benchmarks/results/README.md says."""
    kinds = {model.name: model.architecture.kind for model in models}
    rows = [
        {
            "name": point.model,
            "network": kinds[point.model],
            "subnet": str(point.subnet),
            "macs": point.macs,
            "latency_us": round(point.us, 2),
            "validation": point.accuracy,
            "test": point.test,
        }
        for point in candidates
    ]
    return {
        "title": "Accuracy and measured latency of every subnetwork",
        "command": f"python benchmarks/front.py {' '.join(kinds)} --json benchmarks/results/front.json",
        "protocol": "; ".join(dict.fromkeys(model.card["data"] for model in models if "data" in model.card)),
        "machine": f"{machine()}; one core used, batch 1, ONNX Runtime, all models in one interleaved run",
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy against measured latency of several models.")
    parser.add_argument("models", nargs="*", help="bundled models or model files; default: all bundled for UCI-HAR")
    parser.add_argument("--rounds", type=int, default=12, help="times everything is timed (default %(default)s)")
    parser.add_argument("--all", action="store_true", help="print every point of each model's own front too")
    parser.add_argument("--reach", action="store_true", help="tell what reaches each test figure first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every point there too")
    args = parser.parse_args()
    names = args.models or [name for name in list_models() if name.startswith("uci_")]
    models = [load_model(find_model(name)) for name in names]
    if len({model.name for model in models}) < len(models):
        parser.error("two of the files hold a model of the same name")
    candidates = points(models, args.rounds)
    if args.json:
        args.json.write_text(json.dumps(as_json(candidates, models), indent=1) + "\n", "utf-8")
    if args.all:
        for model in models:
            show(front([point for point in candidates if point.model == model.name]))
            print()
    joint = front(candidates)
    show(joint)
    print()
    for owner, stretch in groupby(joint, key=lambda point: point.model):
        part = list(stretch)
        print(
            f"{owner} owns {len(part)} points, {part[0].us:.1f} to {part[-1].us:.1f} us, "
            f"{100 * part[0].accuracy:.2f} to {100 * part[-1].accuracy:.2f} % on the validation people"
        )

    if args.reach:
        print()
        show_reach(candidates, models)


if __name__ == "__main__":
    main()
