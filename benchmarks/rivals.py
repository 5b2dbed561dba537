"""Small static rivals, trained under our protocol, compared with one switchable network at every latency.

    python -m benchmarks.rivals --data ../shared/data --json benchmarks/results/rivals.json

A network after the published description of TinierHAR (same windows, split, optimizer and augmentation as the recipe
of ``uci_cnn``, but ``EPOCHS`` of its epochs: small and recurrent, it learns slower, and a starved rival proves nothing)
and a random forest of 500 trees on standard features (needs scikit-learn). Validation people choose nothing here; the
test people are predicted once per seed, and results already in the file are not recomputed. Latencies of one window on
one core are measured again in every run, all in turn.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from benchmarks.inference import median_us
from benchmarks.result_file import ResultFile
from benchmarks.rivals_models.features import window_features
from benchmarks.rivals_models.static import fit_static
from benchmarks.rivals_models.tinier_har import TinierHar
from kinestream.core.signals import Subnet
from kinestream.inference import Engine, find_model, load_model, macs
from kinestream.inference.measure import machine
from kinestream.train import Recipe, load_recipe
from kinestream.train.data.windows import Windows, open_data
from kinestream.train.fit.device import choose_device
from kinestream.train.judge.scores import score_of
from kinestream.train.train_model import load_part

EPOCHS = 60
"""Of TinierHAR: thirty times over all overlapping windows."""
TREES = 500
TINIER, FOREST = "TinierHAR-like", "random forest"
SHOWN = (Subnet(1.0, 128), Subnet(0.35, 128), Subnet(0.1, 128), Subnet(0.1, 96))
"""Subnetworks of the switchable network, where it has them."""

Call = Callable[[], object]


def figures(probs: NDArray[np.floating], windows: Windows) -> dict[str, float]:
    """The scores of (n, classes) probabilities."""
    score = score_of(probs, windows.labels, windows.subjects)
    return {"accuracy": score.accuracy, "macro_f1": score.macro_f1}


def tinier_har(recipe: Recipe, train: Windows, test: Windows, *, seed: int) -> NDArray[np.float32]:
    """(n, classes) probabilities on the test windows of a network trained on the others."""
    columns, classes = len(recipe.input.channels), len(recipe.data.labels)
    training = replace(recipe.training, precision="float32")  # its recurrent layer gains nothing by bfloat16
    slow = replace(recipe, training=training)
    net, mean, std = fit_static(lambda: TinierHar(columns, classes), slow, train, seed=seed, device=choose_device())
    with torch.inference_mode():
        x = (torch.from_numpy(test.x) - mean) / std
        return torch.cat([net(part) for part in x.split(256)]).softmax(1).numpy()


def tinier_call(columns: int, classes: int, length: int) -> Call:
    """One window through the network in ONNX Runtime, on one thread; what its weights are costs no time."""
    net = TinierHar(columns, classes).eval()
    window = np.random.default_rng(0).standard_normal((1, length, columns)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "net.onnx"
        torch.onnx.export(net, (torch.zeros(window.shape),), str(path), dynamo=False, input_names=["x"])
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(str(path), options)
    return lambda: session.run(None, {"x": window})


def show(results: ResultFile) -> None:
    for row in results.rows:
        name = f"{row['name']} {row.get('subnet', '')}"
        accuracy, f1 = row["accuracy"], row["macro_f1"]
        print(
            f"{name:28}{np.mean(accuracy):9.2%} ±{np.std(accuracy):6.2%}{np.mean(f1):10.4f} ±{np.std(f1):7.4f}"
            f"{row['latency_us']:10.0f} us{len(accuracy):4d} seeds"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="uci_cnn", help="a switchable network to stand beside (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of TinierHAR (default %(default)s)")
    parser.add_argument("--json", type=Path, help="where the figures go, and are looked for first")
    args = parser.parse_args()

    try:
        forests = import_module("sklearn.ensemble")
    except ImportError:
        raise SystemExit("the random forest is missing; pip install scikit-learn") from None
    recipe = load_recipe("uci")
    recipe = replace(recipe, training=replace(recipe.training, epochs=args.epochs))
    about = {
        "title": "Small static rivals",
        "command": "python -m benchmarks.rivals --data ../shared/data --json benchmarks/results/rivals.json",
        "protocol": "UCI-HAR rebuilt from HAPT, official subject split, nine test people",
        "machine": f"{machine()}; one core used, batch 1, all in turn",
        "epochs": args.epochs,
    }
    results = ResultFile(args.json, about)
    dataset = open_data(recipe.data, args.data)
    train, test = load_part(dataset, recipe, "train"), load_part(dataset, recipe, "test")
    print(f"{len(train)} training windows, {len(test)} test windows; UCI-HAR rebuilt from HAPT", flush=True)

    model = load_model(find_model(args.model))
    engine = Engine(model)
    kind = {"network": model.architecture.kind}
    for subnet in (at for at in SHOWN if at in model.subnets and not results.has(model.name, at, 0)):
        cost = macs(model.architecture, subnet)
        results.add(model.name, subnet, 0, figures(engine.predict_batch(test.x, subnet), test), macs=cost, **kind)
    seen, asked = (window_features(windows.x, recipe.input.fs_hz) for windows in (train, test))
    forest = forests.RandomForestClassifier(TREES, random_state=0).fit(seen, train.labels)
    for seed in range(args.seeds):
        if not results.has(FOREST, None, seed):
            grown = forests.RandomForestClassifier(TREES, random_state=seed).fit(seen, train.labels) if seed else forest
            results.add(FOREST, None, seed, figures(grown.predict_proba(asked), test), note=f"{TREES} trees")
    for seed in range(args.seeds):
        if not results.has(TINIER, None, seed):
            results.add(TINIER, None, seed, figures(tinier_har(recipe, train, test, seed=seed), test))

    timed = median_us(
        {
            TINIER: tinier_call(test.x.shape[2], len(recipe.data.labels), test.x.shape[1]),
            **{str(s): (lambda s=s: engine.predict(test.x[0], s)) for s in SHOWN if s in model.subnets},
        },
        runs=5,
    )
    features_us = median_us(
        {FOREST: lambda: forest.predict(window_features(test.x[:1], recipe.input.fs_hz))}, rounds=5, runs=3
    )
    for row in results.rows:
        row["latency_us"] = round((timed | features_us)[row.get("subnet", row["name"])], 1)
    results.save()
    show(results)


if __name__ == "__main__":
    main()
