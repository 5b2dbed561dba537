"""``kinestream train``: a network that can be cut, from recordings to a model file."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.errors import MissingExtra

if TYPE_CHECKING:
    import argparse

MODEL_NAMES = (
    *("uci", "wisdm", "unimib", "resnet_uci", "resnet_wisdm", "resnet_unimib"),
    *("kinet_uci", "phone_acc", "watch", "unimib_falls", "arena_hapt"),
)
"""The paper's networks, and ours; a test keeps them the names of the bundled recipes."""
PROTOCOL_NAMES = ("official", "holdout", "groups", "loso", "leaky")
"""How people are parted; a test keeps them the names ``train.protocols`` knows."""
PROTOCOL_HELP = (
    "whose people test: the dataset's own, the recipe's, a fold of ten groups or of single people; leaky shuffles "
    "windows over people, for comparison only"
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("train", help="train a network that can be cut, and write its model file")
    parser.add_argument(
        "--model_name",
        "--model-name",
        required=True,
        choices=MODEL_NAMES,
        help="which network: the paper's, by its names, or ours",
    )
    parser.add_argument(
        "--recipe",
        action="append",
        default=[],
        metavar="FILE",
        help="settings that replace those of the network's own recipe: a TOML file, or 'paper' for the paper's",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the recordings lie (default $KINESTREAM_DATA)")
    parser.add_argument("--seed", type=int, metavar="N", help="of weights, order and noise (default: the recipe's)")
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the data (default: the recipe's)")
    parser.add_argument("--protocol", choices=PROTOCOL_NAMES, help=f"{PROTOCOL_HELP} (default: the recipe's)")
    parser.add_argument("--fold", type=int, metavar="N", help="which fold of the protocol, from 1")
    parser.add_argument(
        "--out", type=Path, metavar="RUNDIR", help="the run's folder (default runs/MODEL_NAME, with protocol and fold)"
    )
    parser.add_argument("--resume", action="store_true", help="go on where the run in RUNDIR stands")
    parser.add_argument(
        "--test", action="store_true", help="measure on the test subjects in the end, for the model's card"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train; the model's path goes to standard output, bars and notes to standard error."""
    try:
        from kinestream.train.run import train_model
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("torch", "matplotlib"):
            raise
        raise MissingExtra("train", "kinestream train") from error
    from rich.console import Console
    from rich.progress import Progress

    from kinestream.train import load_recipe

    recipe = load_recipe(args.model_name, *args.recipe)
    if args.seed is not None:
        recipe = replace(recipe, seed=args.seed)
    if args.epochs is not None:
        recipe = replace(recipe, training=replace(recipe.training, epochs=args.epochs))
    chosen = {name: value for name in ("protocol", "fold") if (value := getattr(args, name)) is not None}
    if chosen:
        recipe = replace(recipe, data=replace(recipe.data, **chosen))
    out = args.out or Path("runs") / "_".join([args.model_name, *map(str, chosen.values())])
    console = Console(stderr=True)
    with Progress(console=console, disable=not sys.stderr.isatty()) as progress:
        model = train_model(
            recipe,
            out,
            data_dir=args.data,
            resume=args.resume,
            test=args.test,
            command=_command(args),
            progress=progress,
        )
    leaky = recipe.data.protocol == "leaky"
    for part in ("validation", "test"):
        if part in model.card:
            figures = model.card[part]
            told = ", ".join(f"{100 * found['accuracy']:.2f} % at {name}" for name, found in figures["scores"].items())
            console.print(f"{part}{', LEAKY' * leaky}: {told}", highlight=False)
    print(out / f"{recipe.name}.safetensors")
    return 0


def _command(args: argparse.Namespace) -> str:
    """The command that repeats this run anywhere: without folders and without ``--resume``."""
    words = ["kinestream", "train", "--model_name", args.model_name]
    for recipe in args.recipe:
        words += ["--recipe", Path(recipe).name]
    for option in ("seed", "epochs", "protocol", "fold"):
        if getattr(args, option) is not None:
            words += [f"--{option}", str(getattr(args, option))]
    return shlex.join(words + ["--test"] * args.test)
