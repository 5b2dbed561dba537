"""Every bundled model on every dataset it can read, and two rivals that learnt from the other datasets.

    python -m benchmarks.elsewhere --data ../shared/data

Each row stands for one network on one dataset, at full size and at its smallest, as shown with and without
``--smooth``. People a model learnt from (training or validation) are left out of its rows; ``home`` marks a dataset it
learnt from, where the other people wore the same sensor at the same place, ``calibrated`` one that its reliability was
learnt from. Windows lie inside one activity.

``accuracy``, ``macro_f1``, the worst person and the calibration error (of the confidence shown) are over windows whose
activity the network can name, ``confident errors`` is the share of them with a wrong label at ``--unknown 0.9``.
Windows of activities it never learnt count apart: ``never taught`` and the share of them shown as an activity it knows.

The rivals are trained once and kept in ``--work``. Rows already in the file are not computed again unless the model
changed, or with ``--again``. MobiFall is for a last look, after all choices: its rows need ``--final``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.result_file import ResultFile
from kinestream.core.errors import DataMissing, InputMismatch
from kinestream.core.signals import Subnet
from kinestream.inference import Engine, Model, load_model
from kinestream.inference.bundled_models import list_models
from kinestream.interpret.calibration import Calibration
from kinestream.replay_data.datasets.registry import DATASETS, KnownDataset, open_dataset
from kinestream.train.data.windows import Windows, open_data
from kinestream.train.train_model import load_part

from .datasets import LAST_LOOK
from .judge import conclude, figures
from .load import load_stretches
from .network import Network, network_of, of_strangers
from .rivals import RIVALS, Answers, Predict, answers, cached, rival_recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec
    from kinestream.replay_data import Dataset
    from kinestream.train import Recipe

RESULTS = Path(__file__).parent.parent / "results" / "elsewhere.json"
COLUMNS = {
    "accuracy": "acc",
    "macro_f1": "F1",
    "worst_person": "worst",
    "calibration_error": "ECE",
    "confident_errors": "conf.err",
    "shown": "shown",
    "never_taught_shown": "n.t.shown",
}
"""The shares that are printed, in percent, and their headings."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--datasets", nargs="+", metavar="NAME", choices=tuple(DATASETS), default=list(DATASETS))
    parser.add_argument("--models", nargs="+", metavar="NAME", help="bundled models or model files (default: bundled)")
    parser.add_argument("--no-rivals", action="store_true", help="leave out the rivals, whose training takes minutes")
    parser.add_argument("--final", action="store_true", help=f"judge {', '.join(LAST_LOOK)} too")
    parser.add_argument("--work", type=Path, default=Path("runs/elsewhere"), help="keeps what the rivals predicted")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go, and are looked for first")
    parser.add_argument("--again", action="store_true", help="compute everything again, as after a change of the data")
    args = parser.parse_args()
    about = {
        "title": "Other people, phones and places",
        "command": "python -m benchmarks.elsewhere --data ../shared/data",
        "protocol": "whole datasets, without the people a model learnt from; windows inside one activity; rivals: each "
        "dataset left out in turn (protocol datasets)",
        "part": "test",
        "leaky": False,
    }
    results = ResultFile(args.json, about)
    bundled = list_models()
    models = [load_model(bundled.get(name, Path(name))) for name in args.models or bundled]
    names = [name for name in args.datasets if args.final or name not in LAST_LOOK]
    if args.again:
        _forget(results, args.work, names)
    print(f"{'':56}{'subnet':>9} {'windows':>8}" + "".join(f"{title:>10}" for title in COLUMNS.values()))
    for number, name in enumerate(names, start=1):
        try:
            dataset = open_dataset(name, args.data)
        except DataMissing as error:
            _note(f"{name} is left out: {error}")
            continue
        _note(f"{name} ({number} of {len(names)})")
        _judge_models(results, models, DATASETS[name], dataset)
        recipe = None if args.no_rivals else rival_recipe(name)
        if recipe is not None:
            _judge_rivals(results, recipe, DATASETS[name], dataset, args)


def _forget(results: ResultFile, work: Path, names: list[str]) -> None:
    """Remove the figures of these datasets, and what rivals that learnt from other labels said of them."""
    results.rows = [row for row in results.rows if row["dataset"] not in names]
    results.save()
    for name in names:
        for rival in RIVALS:
            _answers_path(work, rival, name).unlink(missing_ok=True)


def _judge_models(results: ResultFile, models: list[Model], known: KnownDataset, dataset: Dataset) -> None:
    """Judge every model that can read the dataset; models that read the same windows share them."""
    specs: dict[InputSpec, list[Model]] = {}
    for model in models:
        specs.setdefault(model.input, []).append(model)
    for spec, readers in specs.items():
        networks = [network_of(model, known) for model in readers]
        windows: Windows | None = None
        for model, network in zip(readers, networks, strict=True):
            if not _is_complete(results, network, known.name):
                try:
                    windows = load_stretches(dataset, spec) if windows is None else windows
                except InputMismatch as error:
                    _note(f"  {', '.join(model.name for model in readers)} cannot read {known.name}: {error}")
                    break
                own = of_strangers(windows, known, model)
                if not len(own):
                    reason = "has learnt from everybody" if len(windows) else "finds no stretch as long as its window"
                    _note(f"  {model.name} {reason} in {known.name}")
                    continue
                engine = Engine(model)
                probs = {subnet: engine.predict_batch(own.x, subnet) for subnet in network.subnets}
                _add_rows(results, network, known, dataset.label_names, own, probs)
            _print_rows(results, network, known.name)


def _judge_rivals(
    results: ResultFile, recipe: Recipe, known: KnownDataset, dataset: Dataset, args: argparse.Namespace
) -> None:
    """Judge the rivals on the dataset that their recipe leaves out."""
    labels, spec = recipe.data.labels, recipe.input
    test: Windows | None = None
    train: Windows | None = None
    for name, predict in RIVALS.items():
        network = Network(name, labels, Calibration(), spec, repr(recipe), False, False, (Subnet(1.0, spec.length),))
        if not _is_complete(results, network, known.name):
            test = load_stretches(dataset, spec) if test is None else test
            if not len(test.x):
                _note(f"  no window of {known.name} is as long as the rivals read")
                return

            def ask(test: Windows = test, predict: Predict = predict, name: str = name) -> Answers:
                nonlocal train
                _note(f"  training the {name} without {known.name}")
                if train is None:
                    train = load_part(open_data(recipe.data, args.data), recipe, "train")
                return answers(predict, recipe, train, test.x)

            said = cached(_answers_path(args.work, name, known.name), recipe, test.x, ask)
            network = replace(network, labels=said.labels)
            _add_rows(results, network, known, dataset.label_names, test, {network.subnets[0]: said.probs})
        _print_rows(results, network, known.name)


def _answers_path(work: Path, rival: str, dataset: str) -> Path:
    return work / f"{rival.replace(' ', '_')}_{dataset}.npz"


def _cells(network: Network, dataset: str) -> Iterator[tuple[str, Subnet, bool]]:
    for subnet in network.subnets:
        for smooth in (False, True):
            yield network.row(dataset, smooth=smooth), subnet, smooth


def _is_complete(results: ResultFile, network: Network, dataset: str) -> bool:
    """Whether the file holds all rows of this very network; rows of an earlier one are removed."""
    rows = [results.find(name, subnet) for name, subnet, _ in _cells(network, dataset)]
    stale = [row for row in rows if row is not None and row["fingerprint"] != _short(network.fingerprint)]
    if stale:
        results.rows = [row for row in results.rows if row not in stale]
        results.save()
    return not stale and None not in rows


def _add_rows(
    results: ResultFile,
    network: Network,
    known: KnownDataset,
    truths: tuple[str, ...],
    windows: Windows,
    probs: dict[Subnet, NDArray[np.float32]],
) -> None:
    people = [known.person(subject) for subject in windows.subjects]
    for name, subnet, smooth in _cells(network, known.name):
        if results.find(name, subnet) is None:
            shown = conclude(
                probs[subnet], windows, network.labels, network.calibration, subnet, network.input, smooth=smooth
            )
            row = figures(shown, network.labels, windows.labels, truths, people)
            fixed = {"model": network.name, "dataset": known.name, "home": network.home, "smoothed": smooth}
            fixed["calibrated_here"] = network.calibrated_here
            results.add(name, subnet, 0, row, **fixed, fingerprint=_short(network.fingerprint))


def _print_rows(results: ResultFile, network: Network, dataset: str) -> None:
    for name, subnet, _ in _cells(network, dataset):
        row = results.find(name, subnet)
        if row is not None:
            shares = ("" if row.get(key) is None else f"{100 * row[key][0]:.1f}" for key in COLUMNS)
            home = " (home)" if row["home"] else " (calibrated)" if row.get("calibrated_here") else ""
            print(
                f"{name + home:56}{subnet!s:>9} {row['windows'][0]:8.0f}" + "".join(f"{share:>10}" for share in shares),
                flush=True,
            )


def _short(fingerprint: str) -> str:
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:12]


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
