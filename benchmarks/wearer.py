"""Realism of the built-in wearer in both directions, and its speed.

    python benchmarks/wearer.py --data ../shared/data             # both, training included: about ten minutes
    python benchmarks/wearer.py --data ../shared/data --no-train  # only the first

1. A model trained on real people reads wearers it never saw: does it recognise what they do?
2. A model trained on wearers alone reads the nine official test people of HAPT: did it learn what people do?

Windows come out of the live windowing code; those that lie wholly inside one of the six activities count.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.core.signals import SampleChunk
from kinestream.inference import Engine, Model, find_model, load_model
from kinestream.replay_data import Dataset, Entry, Recording, open_dataset, simulate
from kinestream.replay_data.datasets.hapt import OFFICIAL_TEST_SUBJECTS
from kinestream.replay_data.wearer.body import ACTIVITIES
from kinestream.windowing import Segmenter

JUDGED_SEEDS = range(10_000, 10_060)
LEARNT_SEEDS = range(20_000, 20_120)
VALIDATION_SEEDS = range(30_000, 30_008)


def wearers(seeds: Iterable[int], duration_s: float) -> Dataset:
    """Made-up people as a dataset."""
    entries = (Entry(f"wearer-{seed}", str(seed), partial(simulate, seed, duration_s)) for seed in seeds)
    return Dataset("wearer", ACTIVITIES, entries)


def confusion(engine: Engine, recording: Recording) -> np.ndarray[Any, Any]:
    """(true, predicted) windows of one recording, full network, in the order of ``ACTIVITIES``."""
    model = engine.model
    segmenter = Segmenter(model.input)
    windows = []
    for number, (start, stop) in enumerate(recording.segments):
        chunk = SampleChunk(
            stream=recording.name,
            session=str(number),
            t=recording.t[start:stop],
            x=recording.x[start:stop],
            channels=recording.channels,
            fs_hz=recording.fs_hz,
            seq=0,
            received_s=float(recording.t[stop - 1]),
            labels=None if recording.labels is None else recording.labels[start:stop],
            label_names=recording.label_names,
        )
        windows += segmenter.push(chunk)
    windows = [w for w in windows + segmenter.flush() if w.truth_share == 1.0 and w.truth in ACTIVITIES]
    table = np.zeros((len(ACTIVITIES), len(ACTIVITIES)), int)
    if windows:
        best = engine.predict_batch(np.stack([w.x for w in windows]), model.full).argmax(axis=1)
        predicted = [ACTIVITIES.index(model.labels[i]) for i in best]
        truth = [ACTIVITIES.index(w.truth) for w in windows if w.truth]
        np.add.at(table, (truth, predicted), 1)
    return table


def judge(model: Model, recordings: Dataset, what: str) -> None:
    """Print how well a model reads these people."""
    engine = Engine(model)
    by_person: dict[str, np.ndarray[Any, Any]] = {}
    for entry in recordings.entries:
        by_person[entry.subject] = by_person.get(entry.subject, 0) + confusion(engine, entry.load())
    table = np.sum(list(by_person.values()), axis=0)
    each = [100 * np.trace(own) / max(1, own.sum()) for own in by_person.values()]
    print(f"\n{what}: {100 * np.trace(table) / table.sum():.2f} % of {table.sum()} windows at {model.full}")
    print(f"  {len(each)} people: worst {min(each):.1f}, lower quarter {np.percentile(each, 25):.1f}, ", end="")
    print(f"median {np.median(each):.1f} %")
    print(f"  {'true, then % read as':20}" + "".join(f"{name[:12]:>14}" for name in ACTIVITIES))
    for name, row in zip(ACTIVITIES, table, strict=True):
        print(f"  {name:20}" + "".join(f"{100 * share:14.1f}" for share in row / max(1, row.sum())))


def train_on_wearers(people: Dataset, watched: Dataset, epochs: int, run_dir: Path) -> Model:
    """The network and recipe of ``uci_cnn``, fed with made-up people only."""
    from kinestream.train import load_recipe
    from kinestream.train.data.windows import load_windows
    from kinestream.train.fit.trainer import fit

    recipe = load_recipe("uci")
    recipe = replace(
        recipe,
        name="wearer_cnn",
        network=replace(recipe.network, widths=(0.1, 1.0), resolutions=(128,)),
        data=replace(recipe.data, dataset="wearer", description="made-up people only", train_hop=0),
        training=replace(recipe.training, epochs=epochs, passes=3),
    )
    learnt = load_windows(people, recipe, people.subjects)
    validation = load_windows(watched, recipe, watched.subjects)
    print(f"\ntraining on {len(learnt)} windows of {len(people)} wearers, {epochs} epochs ...", flush=True)
    return fit(recipe, learnt, validation, run_dir, card={})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KINESTREAM_DATA", "../shared/data")))
    parser.add_argument("--model", default="uci_cnn", help="the model trained on real people: a name or a file")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--no-train", action="store_true")
    parser.add_argument("--no-judge", action="store_true", help="leave out the first part")
    args = parser.parse_args()

    began_s = time.process_time()
    simulate(1, 3600.0)
    print(f"an hour of one wearer takes {time.process_time() - began_s:.2f} CPU-seconds")
    if not args.no_judge:
        judge(load_model(find_model(args.model)), wearers(JUDGED_SEEDS, 600), f"{args.model} on wearers it never saw")
    if not args.no_train:
        with tempfile.TemporaryDirectory() as folder:
            people, watched = wearers(LEARNT_SEEDS, 200), wearers(VALIDATION_SEEDS, 200)
            model = train_on_wearers(people, watched, args.epochs, Path(folder) / "run")
        judge(model, wearers(JUDGED_SEEDS, 600), "trained on wearers, tested on other wearers")
        real = open_dataset("hapt", args.data).select(OFFICIAL_TEST_SUBJECTS)
        judge(model, real, "trained on wearers alone, tested on HAPT's nine test people")


if __name__ == "__main__":
    main()
