"""``kinestream train``: train a switchable network, from recordings to a model file."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError, DataMissing, NotEnoughMemory

from .extras import extra_for
from .terminal import safe_console, show

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from kinestream.replay_data import Dataset
    from kinestream.train import Recipe

MODEL_NAMES = (
    *("uci", "wisdm", "unimib", "resnet_uci", "resnet_wisdm", "resnet_unimib"),
    *("anywhere_acc", "kinet_uci", "phone_acc", "watch", "unimib_falls", "arena_hapt"),
)
"""Names of the bundled recipes, the paper's networks first; a test compares them with the files."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "train",
        help="train a switchable network and write its model file",
        description="Train a bundled recipe on its dataset, or a network of your own on labelled recordings.",
        epilog="examples:\n"
        "  kinestream train --model_name uci --test\n"
        "  kinestream train --model_name mine --data walk.csv more_recordings/\n"
        "  kinestream run walk.csv --model_name runs/mine/mine.safetensors",
    )
    parser.add_argument(
        "--model_name",
        "--model-name",
        required=True,
        metavar="NAME",
        help=f"one of {', '.join(MODEL_NAMES)}; or a new name for your own model, trained on the recordings after "
        "--data",
    )
    parser.add_argument("--network", metavar="N", help="own model: a network of the paper, or kinet_uci (default uci)")
    parser.add_argument("--window", type=float, metavar="SECONDS", help="own model: length of a window (default 2.56)")
    parser.add_argument(
        "--columns",
        metavar="MAP",
        help="own model: meaning of the columns, if their names do not show it: 'time=ts:ms; acc=X,Y,Z:g; "
        "gyro=p,q,r:dps; label=activity; subject=person; rate=50'",
    )
    parser.add_argument(
        "--recipe",
        action="append",
        default=[],
        metavar="FILE",
        help="settings that replace those of the network's own recipe: a TOML file, 'paper' for the paper's, or "
        "'robust' for a sensor that can be turned or slower, 'original' for UCI-HAR's own windows, 'everyone' to train "
        "on the validation people too",
    )
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="folder of the dataset (default $KINESTREAM_DATA); own model: labelled CSV or Parquet files, or folders "
        "of them",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="seed of weights, order and noise (default: the recipe's)"
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the data (default: the recipe's)")
    add_protocol_options(parser, default="the recipe's")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="RUNDIR",
        help="folder of the run (default runs/MODEL_NAME, with recipe, protocol and fold)",
    )
    parser.add_argument("--device", metavar="D", help="cpu, cuda or cuda:N (default: the first GPU, if torch has one)")
    parser.add_argument("--resume", action="store_true", help="continue the run in RUNDIR from its checkpoint")
    parser.add_argument(
        "--test", action="store_true", help="after training, measure on the test subjects for the model's card"
    )
    parser.set_defaults(run=run)


def add_protocol_options(parser: argparse.ArgumentParser, *, default: str) -> None:
    """Add ``--protocol`` and ``--fold``; ``default`` names the default protocol in the help."""
    from kinestream.train.recipe.protocol_names import PROTOCOL_NAMES

    parser.add_argument(
        "--protocol",
        choices=PROTOCOL_NAMES,
        help="how test people are chosen: the dataset's own, the recipe's, or folds of ten groups, of single people or "
        "of whole datasets; "
        "named and blocks are for your own recordings; leaky shuffles windows over people, for comparison only "
        f"(default: {default})",
    )
    parser.add_argument("--fold", type=int, metavar="N", help="number of the protocol's fold, from 1")


def run(args: argparse.Namespace) -> int:
    """Train a model; print its path to standard output, progress and notices to standard error."""
    with extra_for("train", "kinestream train"):
        from kinestream.core.memory import ran_out_of_memory
        from kinestream.train.recipe.recipe_toml import OVERLAYS
        from kinestream.train.train_model import train_model
    from rich.progress import Progress

    console = safe_console(stderr=True, soft_wrap=True)
    if args.model_name in MODEL_NAMES:
        recipe, dataset = _bundled_recipe(args), None
    else:
        recipe, dataset = _own_recipe(args, console)
    if args.seed is not None:
        recipe = replace(recipe, seed=args.seed)
    if args.epochs is not None:
        recipe = replace(recipe, training=replace(recipe.training, epochs=args.epochs))
    split = {name: value for name in ("protocol", "fold") if (value := getattr(args, name)) is not None}
    if split:
        recipe = replace(recipe, data=replace(recipe.data, **split))
    overlays = [name for name in args.recipe if name in OVERLAYS]
    out = args.out or Path("runs") / "_".join([args.model_name, *overlays, *map(str, split.values())])
    try:
        with Progress(console=console, disable=not sys.stderr.isatty()) as progress:
            model = train_model(
                recipe,
                out,
                data_dir=args.data[0] if args.data else None,
                dataset=dataset,
                resume=args.resume,
                test=args.test,
                device=args.device,
                command=_command(args),
                progress=progress,
            )
    except KeyboardInterrupt:
        show("", f"kinestream: stopped; continue with: {_command(args, here=True)}", out=sys.stderr)
        return 130
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        raise NotEnoughMemory(
            f"memory ran out while training {recipe.name}; end other programs and continue with: "
            f"{_command(args, here=True)}; or lower batch_size in [training] and train again in another --out"
        ) from error
    leaky = recipe.data.protocol == "leaky"
    for part in ("validation", "test"):
        if part in model.card:
            scores = model.card[part]["scores"]
            accuracies = ", ".join(f"{100 * score['accuracy']:.2f} % at {name}" for name, score in scores.items())
            console.print(f"{part}{', LEAKY' * leaky}: {accuracies}", highlight=False)
    show(out / f"{recipe.name}.safetensors")
    return 0


def _bundled_recipe(args: argparse.Namespace) -> Recipe:
    """The bundled recipe with the overlays of ``--recipe``."""
    from kinestream.train import load_recipe

    if own_options := [f"--{name}" for name in ("network", "window", "columns") if getattr(args, name) is not None]:
        raise ConfigError(
            f"{', '.join(own_options)} is only for a model of your own, and '{args.model_name}' is a bundled recipe; "
            "choose another --model_name, or change the recipe with --recipe"
        )
    if args.data and (len(args.data) > 1 or args.data[0].is_file()):
        raise ConfigError(
            f"'{args.model_name}' is trained on its own dataset, so --data must be the folder of that dataset; to "
            "train on your recordings, choose a --model_name of your own"
        )
    return load_recipe(args.model_name, *args.recipe)


def _own_recipe(args: argparse.Namespace, console: Console) -> tuple[Recipe, Dataset]:
    """A recipe chosen for the recordings after ``--data``, and these recordings."""
    from kinestream.core.did_you_mean import did_you_mean
    from kinestream.replay_data import ColumnMap
    from kinestream.train.data.own_recordings import open_own_recordings
    from kinestream.train.data.recipe_from_recordings import WINDOW_S, recipe_from_recordings

    hint = did_you_mean(args.model_name, MODEL_NAMES)
    if not args.data:
        raise ConfigError(
            f"no network '{args.model_name}'{hint}; choose from {', '.join(MODEL_NAMES)}; "
            "to train a model of your own, name its recordings with --data"
        )
    columns = ColumnMap.parse(args.columns) if args.columns else None
    try:
        dataset, _ = open_own_recordings(args.data, columns)
    except DataMissing as error:
        raise DataMissing(f"{error}; or name a network{hint}" if hint else str(error)) from error
    own = recipe_from_recordings(
        args.model_name,
        dataset,
        network=args.network or "uci",
        window_s=WINDOW_S if args.window is None else args.window,
        overlays=args.recipe,
    )
    for line in (*dataset.notices, *own.notices):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    spec = own.recipe.input
    console.print(
        f"classes: {', '.join(own.recipe.data.labels)}; channels: {', '.join(spec.channels)} at {spec.fs_hz:g} Hz; "
        f"windows of {spec.window_s:.2f} s",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return own.recipe, dataset


def _command(args: argparse.Namespace, *, here: bool = False) -> str:
    """The command that repeats this run elsewhere, without folders; with ``here``, the one that resumes it."""
    words = ["kinestream", "train", "--model_name", args.model_name]
    for recipe in args.recipe:
        words += ["--recipe", recipe if here else Path(recipe).name]
    for option in ("network", "window", "columns", "seed", "epochs", "protocol", "fold"):
        if getattr(args, option) is not None:
            words += [f"--{option}", str(getattr(args, option))]
    if args.data and (here or args.model_name not in MODEL_NAMES):
        words += ["--data", *(str(path) if here else path.name for path in args.data)]
    for option in ("out", "device") if here else ():
        if getattr(args, option) is not None:
            words += [f"--{option}", str(getattr(args, option))]
    return shlex.join(words + ["--test"] * args.test + ["--resume"] * here)
