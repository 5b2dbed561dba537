"""Speed of a model and cost of switching between its subnetworks; all in one run, on one core.

    python benchmarks/inference.py [--model uci_cnn]

Rows that are compared take turns within every round, so the machine's noise affects both equally: compare ratios.
Without PyTorch its row is omitted.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import gc
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import psutil

from kinestream.core.signals import Subnet
from kinestream.inference import Engine, Model, find_model, load_model
from kinestream.inference.engine import MAX_SESSIONS

ROUNDS = 60
RUNS = 20


def median_us(calls: dict[str, Callable[[], object]], *, rounds: int = ROUNDS, runs: int = RUNS) -> dict[str, float]:
    """The median time of each call, hot: one untimed, then ``runs`` timed, call after call, round after round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            call()
            for _ in range(runs):
                started = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - started)
    return {name: float(np.median(measured)) * 1e6 for name, measured in times.items()}


def switch_overhead_us(engine: Engine, x: np.ndarray, one: Subnet, other: Subnet) -> float:
    """How much longer two predictions take when they alternate than when each follows its own kind, per switch."""
    hot: list[float] = []
    alternating: list[float] = []
    for _ in range(ROUNDS * RUNS):
        for subnet in (one, other):
            engine.predict(x, subnet)
            started = time.perf_counter()
            engine.predict(x, subnet)
            hot.append(time.perf_counter() - started)
        engine.predict(x, other)
        for subnet in (one, other):
            started = time.perf_counter()
            engine.predict(x, subnet)
            alternating.append(time.perf_counter() - started)
    pairs = (np.median(np.array(times).reshape(-1, 2).sum(axis=1)) for times in (alternating, hot))
    return float(next(pairs) - next(pairs)) / 2 * 1e6


def cold_ms(model: Model, x: np.ndarray) -> np.ndarray:
    """(subnetworks,) the first prediction of every subnetwork, building it included; the best of three engines."""
    engines = [Engine(model) for _ in range(3)]
    return np.array([[engine.predict(x, subnet).latency_ms for subnet in model.subnets] for engine in engines]).min(0)


def memory_mb(model: Model, subnets: tuple[Subnet, ...]) -> float:
    """Resident memory that ``subnets``, all warm, add to the process."""
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    engine = Engine(model, max_sessions=len(subnets))
    engine.warm(subnets)
    return (process.memory_info().rss - before) / 2**20


def eager_pytorch(model: Model, x: np.ndarray, subnet: Subnet) -> Callable[[], object]:
    """One prediction of the same switchable network in eager PyTorch, from the window to the probabilities."""
    import torch

    from kinestream.train.network.export import from_model, normalised

    torch.set_num_threads(1)
    net = from_model(model)

    @torch.inference_mode()
    def predict() -> object:
        return net(normalised(model, x[None]), subnet).softmax(1)

    return predict


def show(what: str, value: str, wanted: str = "") -> None:
    print(f"{what:<58}{value:>12}  {wanted}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast a model runs, and what switching costs.")
    parser.add_argument("--model", default="uci_cnn", help="name of a bundled model, or a model file")
    model = load_model(find_model(parser.parse_args().model))
    full, least = model.full, model.subnets[0]
    rng = np.random.default_rng(0)
    x = (model.mean + model.std * rng.standard_normal((model.input.length, len(model.mean)))).astype(np.float32)

    spread = tuple(model.subnets[i] for i in np.linspace(0, len(model.subnets) - 1, MAX_SESSIONS).astype(int))
    show(f"memory of {len(spread)} warm subnetworks, all an engine keeps", f"{memory_mb(model, spread):.1f} MB")
    cold = cold_ms(model, x)
    show(f"cold switch, worst of {len(cold)} (best of 3 tries each)", f"{cold.max():.1f} ms", "wanted: under 30")
    show("cold switch, median", f"{np.median(cold):.1f} ms")

    engine = Engine(model)
    for one, other in ((full, least), (least, Subnet(model.widths[1], least.resolution))):
        overhead = switch_overhead_us(engine, x, one, other)
        show(f"warm switch between {one} and {other}", f"{overhead:.1f} us", "wanted: under 50")

    calls: dict[str, Callable[[], object]] = {str(s): lambda s=s: engine.predict(x, s) for s in (full, least)}
    if find_spec("torch"):
        calls[f"{full} in eager PyTorch"] = eager_pytorch(model, x, full)
        calls[f"{least} in eager PyTorch"] = eager_pytorch(model, x, least)
    us = median_us(calls)
    for name, time_us in us.items():
        show(name, f"{time_us:.1f} us")
    show(f"{full} / {least}", f"{us[str(full)] / us[str(least)]:.1f} x", "wanted: at least 10")
    if find_spec("torch"):
        for subnet in (full, least):
            ratio = us[f"{subnet} in eager PyTorch"] / us[str(subnet)]
            show(f"eager PyTorch / {subnet}", f"{ratio:.1f} x", "wanted: at least 2")
    else:
        print("PyTorch is not installed: no comparison with it")

    batch = np.repeat(x[None], 256, axis=0)
    for subnet in (full, least):
        batch_us = median_us({"batch": lambda s=subnet: engine.predict_batch(batch, s)}, runs=1)["batch"]
        show(f"batches of 256 at {subnet}", f"{len(batch) / batch_us * 1e6:.0f} /s")


if __name__ == "__main__":
    main()
