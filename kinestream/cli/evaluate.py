"""``kinestream evaluate``: the accuracy of every subnetwork of a model on people it has never seen."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError

from .extras import extra_for
from .terminal import safe_console, show
from .train import add_protocol_options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from rich.console import Console


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("evaluate", help="accuracy of every subnetwork on the test people")
    parser.add_argument("model", metavar="M", nargs="?", help="name of a bundled model, or a model file")
    add_protocol_options(parser, default="the model's own")
    parser.add_argument(
        "--subnet",
        nargs="+",
        default=[],
        metavar="S",
        help="subnetworks with all scores, e.g. 0.5x-128 (default: the corners of the grid)",
    )
    parser.add_argument(
        "--folds", nargs="+", type=Path, metavar="RUN", help="instead of M: pool the scores of these tested runs"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the dataset (default $KINESTREAM_DATA)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the protocol, the accuracy of the grid, and all scores of its corners or of the given subnetworks."""
    if (args.model is None) == (args.folds is None):
        raise ConfigError("name either a model M or runs after --folds, not both or neither")
    if args.folds and (args.protocol or args.fold or args.subnet or args.data):
        raise ConfigError("--folds pools the runs' stored scores; leave out --protocol, --fold, --subnet and --data")
    figures = _pool(args) if args.folds else _evaluate(args)
    if args.json:
        show(json.dumps(figures))
    else:
        _print(figures)
    return 0


def _pool(args: argparse.Namespace) -> dict[str, Any]:
    from kinestream.train.pool_folds import pool_runs

    return pool_runs(args.folds)


def _evaluate(args: argparse.Namespace) -> dict[str, Any]:
    with extra_for("train", "kinestream evaluate"):
        from kinestream.train.train_model import evaluate_model
    from rich.progress import Progress

    from kinestream.core.signals import Subnet
    from kinestream.inference import find_model, load_model

    model = load_model(find_model(args.model))
    with Progress(console=safe_console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        figures = evaluate_model(
            model,
            protocol=args.protocol,
            fold=args.fold,
            subnets=[Subnet.parse(text) for text in args.subnet],
            data_dir=args.data,
            progress=progress,
        )
    return {"model": model.name, **figures}


def _print(figures: dict[str, Any]) -> None:
    console = safe_console()
    leaky = "LEAKY " if figures["leaky"] else ""
    console.print(f"{figures['model']} on {figures['definition']}.")
    if "runs" in figures:
        console.print(_runs_line(figures))
        scores = {name: score["pooled"] for name, score in figures["scores"].items()}
        _print_runs(console, figures, leaky)
    else:
        console.print(f"{leaky}{figures['windows']} windows of test people {', '.join(figures['subjects']['test'])}.")
        if figures["left_out"]:
            counts = ", ".join(f"{n} {name}" for name, n in figures["left_out"].items())
            console.print(f"Left out, as the model does not name them: {counts}.")
        scores = figures["scores"]
    if figures.get("seen_in_training"):
        people = ", ".join(figures["seen_subjects"])
        console.print(
            f"SEEN IN TRAINING: the model was trained or validated on people {people}; they are not new to it."
        )
    _print_grid(console, figures["accuracy"], f"{leaky}accuracy in percent, by width and resolution")
    _print_scores(console, scores, leaky)


def _runs_line(figures: dict[str, Any]) -> str:
    missing = ", ".join(map(str, figures["missing_folds"]))
    seeds = ", ".join(map(str, figures["seeds"]["training"]))
    return (
        f"{len(figures['runs'])} runs, {figures['windows']} windows of {len(figures['subjects'])} people, "
        f"seeds {seeds}; " + (f"INCOMPLETE: folds {missing} are missing." if missing else "all folds.")
    )


def _print_runs(console: Console, figures: dict[str, Any], leaky: str) -> None:
    from kinestream.train.judge.model_card import measure_title, percent

    kinds = list(next(iter(figures["scores"].values()))["mean"])
    rows = [
        [name, *(f"{percent(score['mean'][kind])} +- {percent(score['sd_over_runs'][kind])}" for kind in kinds)]
        for name, score in figures["scores"].items()
    ]
    title = f"{leaky}mean and standard deviation over the runs, in percent"
    _table(console, title, ["", *map(measure_title, kinds)], rows)


def _print_grid(console: Console, accuracy: dict[str, float], title: str) -> None:
    from kinestream.core.signals import Subnet

    subnets = {Subnet.parse(name): name for name in accuracy}
    resolutions = sorted({subnet.resolution for subnet in subnets})
    rows = [
        [f"{width:.2f}", *(f"{100 * accuracy[str(Subnet(width, resolution))]:.2f}" for resolution in resolutions)]
        for width in sorted({subnet.width for subnet in subnets})
    ]
    _table(console, title, ["width", *map(str, resolutions)], rows)


def _print_scores(console: Console, scores: dict[str, Any], leaky: str) -> None:
    from kinestream.train.judge.model_card import measure_title, percent
    from kinestream.train.judge.scores import MEASURES

    rows: list[list[str]] = []
    for kind in MEASURES:
        ends = [score["interval_95_over_subjects"][kind] for score in scores.values()]
        rows.append([measure_title(kind), *(percent(score[kind]) for score in scores.values())])
        if any(ends):
            rows.append(["", *(f"[{100 * end[0]:.1f}, {100 * end[1]:.1f}]" if end else "" for end in ends)])
    rows.append(["calibration error", *(percent(score["calibration_error"]) for score in scores.values())])
    title = f"{leaky}scores in percent [95 % interval over people]"
    _table(console, title, ["", *scores], rows)
    for name, score in scores.items():
        letters = [chr(ord("a") + i) for i in range(len(score["classes"]))]
        rows = [
            [
                f"{letter} {label}",
                *(percent(values[kind]) for kind in ("precision", "recall", "f1")),
                str(values["windows"]),
                *map(str, counts),
            ]
            for letter, (label, values), counts in zip(
                letters, score["classes"].items(), score["confusion"], strict=True
            )
        ]
        title = f"{leaky}{name}: percent of each class, and number of windows by predicted class"
        _table(console, title, ["", "prec.", "recall", "F1", "n", *letters], rows)


def _table(console: Console, title: str, header: list[str], rows: Iterable[list[str]]) -> None:
    from rich import box
    from rich.table import Table

    console.print(title)
    table = Table(header[0], box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    for name in header[1:]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
