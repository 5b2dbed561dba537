"""Small static rivals, trained here under our protocol, beside what one switchable network does at every latency.

    python benchmarks/rivals.py --data ../shared/data

A network after the published description of TinierHAR (same windows, split, optimizer and augmentation as the recipe of
``uci_cnn``; the epochs of that recipe) and a random forest of 500 trees on standard features. Validation people choose
nothing here; the test people are predicted once a seed. Latencies of one window in one interleaved run, one core.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import tempfile
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from kinestream.inference import Engine, find_model, load_model
from kinestream.signals import Subnet
from kinestream.train import load_recipe
from kinestream.train.data import Windows, open_data
from kinestream.train.features import window_features
from kinestream.train.run import load_part
from kinestream.train.scores import score_of
from kinestream.train.static import fit_static
from kinestream.train.tinier_har import TinierHar


def row(name: str, probs: list[NDArray[Any]], test: Windows, latency_us: float) -> dict[str, Any]:
    """One line of the table: the scores of each seed's (n, classes) probabilities."""
    scores = [score_of(p, test.labels, test.subjects) for p in probs]
    accuracy, f1 = [s.accuracy for s in scores], [s.macro_f1 for s in scores]
    print(
        f"{name:28}{np.mean(accuracy):9.2%} ±{np.std(accuracy):6.2%}{np.mean(f1):10.4f} ±{np.std(f1):7.4f}"
        f"{latency_us:10.0f} us{len(probs):4d} seeds",
        flush=True,
    )
    return {"name": name, "accuracy": accuracy, "macro_f1": f1, "latency_us": latency_us}


def onnx_session(net: torch.nn.Module, shape: tuple[int, ...]) -> ort.InferenceSession:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "net.onnx"
        torch.onnx.export(net, (torch.zeros(shape),), str(path), dynamo=False, input_names=["x"], output_names=["y"])
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        return ort.InferenceSession(str(path), options)


def median_us(run: Any, times: int = 300) -> float:
    run()
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        spent.append(time.perf_counter() - started)
    return float(np.median(spent)) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="uci_cnn")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    args = parser.parse_args()

    recipe = load_recipe("uci")
    dataset = open_data(recipe.data, args.data)
    train, test = load_part(dataset, recipe, "train"), load_part(dataset, recipe, "test")
    people = sorted(set(test.subjects), key=int)
    print(f"{len(train)} training windows, {len(test)} test windows of {', '.join(people)}; UCI-HAR rebuilt from HAPT")

    rows: list[dict[str, Any]] = []
    engine = Engine(load_model(find_model(args.model)))
    for subnet in (Subnet(1.0, 128), Subnet(0.35, 128), Subnet(0.1, 128), Subnet(0.1, 96)):
        probs = engine.predict_batch(test.x, subnet)
        latency_us = median_us(lambda s=subnet: engine.predict(test.x[0], s))
        rows.append(row(f"{args.model} {subnet}", [probs], test, latency_us))

    seeds: list[NDArray[Any]] = []
    latency_us = float("nan")
    columns, classes = test.x.shape[2], len(recipe.data.labels)
    for seed in range(args.seeds):
        net, mean, std = fit_static(lambda: TinierHar(columns, classes), recipe, train, seed=seed, epochs=args.epochs)
        with torch.no_grad():
            x = (torch.from_numpy(test.x) - mean) / std
            seeds.append(torch.cat([net(part) for part in x.split(256)]).softmax(1).numpy())
        session = onnx_session(net, (1, *test.x.shape[1:]))
        one = x[:1].numpy()
        latency_us = median_us(lambda s=session, o=one: s.run(None, {"x": o}))
    rows.append(row("TinierHAR-like, 9,589 weights", seeds, test, latency_us))

    try:
        forests = import_module("sklearn.ensemble")
    except ImportError:
        print("random forest left out: pip install scikit-learn")
    else:
        seen, asked = (window_features(w.x, recipe.input.fs_hz) for w in (train, test))
        grown = [forests.RandomForestClassifier(500, random_state=seed) for seed in range(args.seeds)]
        seeds = [forest.fit(seen, train.labels).predict_proba(asked) for forest in grown]
        forest = grown[0]
        latency_us = median_us(lambda: forest.predict(window_features(test.x[:1], recipe.input.fs_hz)), 20)
        rows.append(row("random forest, 500 trees", seeds, test, latency_us))
    if args.json:
        args.json.write_text(
            json.dumps({"protocol": "UCI-HAR rebuilt from HAPT, official subject split", "rows": rows})
        )


if __name__ == "__main__":
    main()
