"""``kinestream adapt``: adapt a model to one person, as a new file."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError

from .extras import extra_for
from .terminal import safe_console, show

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "adapt",
        help="adapt a model to one person, from a few labelled minutes",
        description="Fit the statistics and the last layer of a model to labelled recordings of ONE person. The result "
        "is a new file\nwhose card describes the adaptation; the original stays unchanged: use it to go back.",
        epilog="examples:\n"
        "  kinestream adapt watch my_morning.csv --out my_watch.safetensors\n"
        "  kinestream adapt uci_cnn recordings/ --subject anna\n"
        "  kinestream models show my_watch.safetensors",
    )
    parser.add_argument("model", metavar="M", help="name of a bundled model, or a model file")
    parser.add_argument(
        "recordings",
        metavar="RECORDINGS",
        nargs="+",
        help="labelled CSV or Parquet files, folders of them, or a dataset's name with --subject",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the new file (default M_adapted.safetensors here)")
    parser.add_argument("--subject", metavar="NAME", help="person to adapt to, if the recordings are of several")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of a dataset (default $KINESTREAM_DATA)")
    parser.add_argument(
        "--columns",
        metavar="MAP",
        help="meaning of the files' columns, as for replay: 'time=ts:ms; acc=X,Y,Z:g; label=activity'",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Adapt a model; print the new file's path to standard output and the accuracy gain to standard error."""
    with extra_for("train", "kinestream adapt"):
        from kinestream.train.personal.adapt import MIN_WINDOWS, adapt, person_windows
        from kinestream.train.personal.held_out_gain import adapted_card, held_out_gain
    from rich.progress import Progress

    from kinestream.inference import find_model, load_model, save_model
    from kinestream.replay_data import ColumnMap
    from kinestream.train.data.own_recordings import open_own_recordings
    from kinestream.train.judge.placement import is_worn_like

    path = find_model(args.model)
    model = load_model(path)
    out = args.out or Path(f"{model.name}_adapted.safetensors")
    check_out(out, path, in_place=False)
    columns = ColumnMap.parse(args.columns) if args.columns else None
    dataset, people = open_own_recordings(args.recordings, columns, args.data)
    if args.subject is None and len(people) > 1:
        raise ConfigError(f"the recordings are of {', '.join(people)}; adapt to one of them with --subject")
    subjects = dataset.subjects if args.subject is None else (args.subject,)
    windows = person_windows(model, dataset, subjects)
    console = safe_console(stderr=True, soft_wrap=True)
    for line in dataset.notices:
        console.print(line)
    gain = held_out_gain(model, windows)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        adapted = adapt(
            model, windows, track=lambda subnets: progress.track(subnets, description="fitting subnetworks")
        )
    if model.placement and not is_worn_like(model.placement, dataset, model.input, subjects):
        adapted = replace(adapted, placement=None)
        console.print(
            f"the sensor is worn otherwise than by the training people of {model.name}: the adapted model does not "
            "check how it is worn"
        )
    names = [Path(recording).name for recording in args.recordings]
    card: dict[str, Any] = {**adapted_card(model, windows, names, gain), "command": _command(args, names)}
    save_model(out, replace(adapted, name=out.stem, card=card))
    adaptation: dict[str, Any] = card["adapted"]
    shown = ", ".join(f"{n} of {label}" for label, n in adaptation["windows"].items())
    console.print(f"adapted to {shown} (windows of {model.input.window_s:.2f} s)")
    if windows.left_out:
        other = ", ".join(f"{n} of {label}" for label, n in windows.left_out.items())
        console.print(f"left out, unknown to {model.name}: {other}")
    if adaptation["not_shown"]:
        console.print(
            f"not shown (fewer than {MIN_WINDOWS} windows): {', '.join(adaptation['not_shown'])}; these stay "
            "unchanged, and so do the statistics, which need every activity"
        )
    _print_gain(console, gain)
    console.print(f"to go back to the original: --model {args.model}")
    show(out)
    return 0


def check_out(out: Path, original: Path, *, in_place: bool) -> None:
    """Check that a model made from another can be written to ``--out``.

    Args:
        in_place: whether the original itself can be replaced.
    Raises:
        ConfigError: the name does not end like a model file, or the file exists.
    """
    if out.suffix != ".safetensors":
        raise ConfigError(f"--out {out} is not the name of a model file; it must end in .safetensors")
    if not out.exists():
        return
    if not out.samefile(original):
        raise ConfigError(f"{out} already exists; choose another file with --out")
    if not in_place:
        raise ConfigError(f"{out} is the original, which is never changed; choose another file with --out")


def _print_gain(console: Any, gain: dict[str, Any]) -> None:
    if not gain:
        console.print("too few windows to hold any out: the gain is unknown")
        return
    accuracies = ", ".join(
        f"{100 * before:.1f} -> {100 * gain['after'][name]:.1f} % at {name}" for name, before in gain["before"].items()
    )
    console.print(f"fitted to the first three quarters, tested on the rest ({gain['windows']} windows): {accuracies}")
    changes = [gain["after"][name] - before for name, before in gain["before"].items()]
    if sum(changes) < 0:
        console.print(
            "the adapted model is WORSE there than the original: keep the original, or label more, on several days and "
            "with the sensor worn as usual"
        )


def _command(args: argparse.Namespace, names: list[str]) -> str:
    """The command that repeats the adaptation, without folders."""
    words = ["kinestream", "adapt", Path(args.model).name, *names]
    for option in ("subject", "columns"):
        if getattr(args, option) is not None:
            words += [f"--{option}", getattr(args, option)]
    return shlex.join(words)
