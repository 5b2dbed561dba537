"""``kinestream calibrate``: what a trained model's word is worth, and what a slower sensor costs it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError

from .extras import extra_for
from .new_model import check_out

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from kinestream.inference import Model
    from kinestream.interpret.calibration import Calibration
    from kinestream.replay_data import Dataset


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "calibrate",
        help="learn confidence, smoothing and what a slower sensor costs, without training again",
        description="Learn what --smooth and --unknown go by: how sure the model may be, and how often activities "
        "change;\nand what policies go by: how much a slower sensor, or one without gyroscope, costs.\n"
        "From the people it was trained and validated on, never from test people; or from your recordings. "
        "Weights stay.",
        epilog="examples:\n"
        "  kinestream calibrate runs/uci/uci_cnn.safetensors\n"
        "  kinestream calibrate mine.safetensors monday.csv tuesday.csv --out mine_calibrated.safetensors\n"
        "  kinestream replay hapt --subject 2 --smooth --unknown 0.7 --episodes",
    )
    parser.add_argument("model", metavar="M", help="name of a bundled model, or a model file")
    parser.add_argument(
        "recordings",
        nargs="*",
        metavar="RECORDINGS",
        help="labelled CSV or Parquet files or folders of them, from which the model did NOT learn (default: the "
        "dataset that it was trained on)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the new file (default: the file itself; of a bundled model, a copy)"
    )
    parser.add_argument(
        "--order",
        action="store_true",
        help="learn also which activity follows which; only where people lived as they liked, not by a script",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the dataset lies (default $KINESTREAM_DATA)")
    parser.add_argument(
        "--columns", metavar="MAP", help="of the files, as for replay: 'time=ts:ms; acc=X,Y,Z:g; label=what'"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Calibrate; the file's path goes to standard output, what was learnt to standard error."""
    with extra_for("train", "kinestream calibrate"):
        from kinestream.train.judge.calibrate import calibrate
        from kinestream.train.judge.measure_levers import measure_levers
    from rich.console import Console
    from rich.progress import Progress

    from kinestream.inference import candidates, find_model, load_model, save_model

    path = find_model(args.model)
    model = load_model(path)
    bundled = not Path(args.model).is_file()
    out = args.out or (Path(f"{model.name}_calibrated.safetensors") if bundled else path)
    check_out(out, path, in_place=True)
    dataset, learnt, validated = _people(args, model)
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    for line in dataset.notices:
        console.print(line)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        calibration = calibrate(
            model,
            dataset,
            learnt,
            validated,
            order=args.order,
            track=lambda recordings: progress.track(recordings, description="watching recordings"),
        )
        levers = measure_levers(
            model,
            dataset,
            validated,
            candidates(model),
            track=lambda recordings: progress.track(recordings, description="trying other levers"),
        )
    model = replace(model, calibration=calibration, levers=levers)
    save_model(out, model)
    _tell(console, model, calibration)
    print(out)
    return 0


def _people(args: argparse.Namespace, model: Model) -> tuple[Dataset, tuple[str, ...], tuple[str, ...]]:
    """The recordings, whose labels tell how activities change, and whose windows tell how sure the model may be."""
    if args.recordings:
        from kinestream.replay_data import ColumnMap
        from kinestream.train.data.own_recordings import open_own_recordings

        columns = ColumnMap.parse(args.columns) if args.columns else None
        dataset, _ = open_own_recordings(args.recordings, columns, args.data)
        return dataset, dataset.subjects, dataset.subjects
    from kinestream.train.data.windows import open_data
    from kinestream.train.judge.model_card import learnt_from, recipe_of
    from kinestream.train.recipe.schema import OWN_RECORDINGS

    recipe = recipe_of(model)
    if recipe.data.dataset == OWN_RECORDINGS:
        raise ConfigError(
            f"{model.name} learnt from somebody's own recordings; name labelled ones that it did NOT learn from: "
            "kinestream calibrate M RECORDINGS"
        )
    dataset = open_data(recipe.data, args.data)
    learnt = learnt_from(model)
    return dataset, tuple(learnt["train"]), tuple(learnt["validation"])


def _tell(console: Console, model: Model, calibration: Calibration) -> None:
    lasts = 1 / calibration.rates(len(model.labels)).sum(1)
    told = ", ".join(f"{label} {seconds:.0f} s" for label, seconds in zip(model.labels, lasts, strict=True))
    temperatures = calibration.temperature.values()
    for line in (
        calibration.about,
        f"an activity lasts in the mean: {told}",
        f"temperature {min(temperatures):.2f} to {max(temperatures):.2f} (below 1: it was not sure enough); a window's "
        f"evidence counts {calibration.evidence:g} x the share that is new",
        *(f"sensor at {way}: {max(accuracy.values()):.1%} right" for way, accuracy in model.levers.sensing.items()),
        *(f"every {hop} windows: {max(accuracy.values()):.1%} right" for hop, accuracy in model.levers.hops.items()),
    ):
        console.print(line)
