"""``kinestream evaluate``: how often every subnetwork of a model is right on people it never saw."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinestream.errors import MissingExtra

if TYPE_CHECKING:
    import argparse

    from kinestream.inference import Model


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("evaluate", help="accuracy of every subnetwork on the test people")
    parser.add_argument("model", metavar="M", help="name of a bundled model, or a model file")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the recordings lie (default $KINESTREAM_DATA)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print protocol, accuracy over the grid, and recall per class at its corners."""
    try:
        from kinestream.train.run import evaluate_model
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("torch", "matplotlib"):
            raise
        raise MissingExtra("train", "kinestream evaluate") from error
    from rich.console import Console
    from rich.progress import Progress

    from kinestream.inference import find_model, load_model

    model = load_model(find_model(args.model))
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        figures = evaluate_model(model, data_dir=args.data, progress=progress)
    if args.json:
        print(json.dumps({"model": model.name, **figures}))
    else:
        _print(model, figures)
    return 0


def _print(model: Model, figures: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from kinestream.signals import Subnet

    console = Console(markup=False, highlight=False, emoji=False)
    console.print(f"{model.name} on {figures['protocol']}.\n{figures['windows']} windows.")
    grid = Table("width", title="accuracy in percent, by width and resolution", box=box.SIMPLE, collapse_padding=True)
    for resolution in model.resolutions:
        grid.add_column(str(resolution), justify="right")
    for width in model.widths:
        names = (str(Subnet(width, resolution)) for resolution in model.resolutions)
        grid.add_row(f"{width:.2f}", *(f"{100 * figures['accuracy'][name]:.2f}" for name in names))
    console.print(grid)
    corners = Table("", title="recall of each class, and macro F1, in percent", box=box.SIMPLE)
    for name in figures["corners"]:
        corners.add_column(name, justify="right")
    for label in model.labels:
        corners.add_row(label, *(_percent(found["recall"][label]) for found in figures["corners"].values()))
    corners.add_row("macro F1", *(_percent(found["macro_f1"]) for found in figures["corners"].values()))
    console.print(corners)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"
