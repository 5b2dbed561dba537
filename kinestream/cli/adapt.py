"""``kinestream adapt``: a model made to fit one person, as a new file."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError

from .extras import extra_for
from .new_model import check_out

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "adapt",
        help="fit a model to one person, from a few labelled minutes",
        description="Fit the statistics and the last layer of a model to labelled recordings of ONE person. The result "
        "is a new file\nthat says what it was made of; the original is not touched, so going back is using it again.",
        epilog="examples:\n"
        "  kinestream adapt watch my_morning.csv --out my_watch.safetensors\n"
        "  kinestream adapt uci_cnn sessions/ --subject anna\n"
        "  kinestream models show my_watch.safetensors",
    )
    parser.add_argument("model", metavar="M", help="name of a bundled model, or a model file")
    parser.add_argument(
        "sessions",
        metavar="SESSIONS",
        nargs="+",
        help="labelled CSV or Parquet files, folders of them, or a dataset's name with --subject",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the new file (default M_adapted.safetensors here)")
    parser.add_argument("--subject", metavar="NAME", help="whose, where the recordings are of several people")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where a dataset lies (default $KINESTREAM_DATA)")
    parser.add_argument(
        "--columns", metavar="MAP", help="of the files, as for replay: 'time=ts:ms; acc=X,Y,Z:g; label=what'"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Adapt; the new model's path goes to standard output, what it is worth to standard error."""
    with extra_for("train", "kinestream adapt"):
        from kinestream.train.personal.adapt import MIN_WINDOWS, adapt, person_windows
        from kinestream.train.personal.held_out_gain import adapted_card, held_out_gain
    from rich.console import Console
    from rich.progress import Progress

    from kinestream.inference import find_model, load_model, save_model
    from kinestream.replay_data import ColumnMap
    from kinestream.train.data.own_recordings import open_own_recordings

    path = find_model(args.model)
    model = load_model(path)
    out = args.out or Path(f"{model.name}_adapted.safetensors")
    check_out(out, path, in_place=False)
    columns = ColumnMap.parse(args.columns) if args.columns else None
    dataset, people = open_own_recordings(args.sessions, columns, args.data)
    if args.subject is None and len(people) > 1:
        raise ConfigError(f"the recordings are of {', '.join(people)}; adapt to one of them with --subject")
    whose = dataset.subjects if args.subject is None else (args.subject,)
    windows = person_windows(model, dataset, whose)
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    for line in dataset.notices:
        console.print(line)
    gain = held_out_gain(model, windows)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        adapted = adapt(
            model, windows, track=lambda subnets: progress.track(subnets, description="fitting subnetworks")
        )
    named = [Path(session).name for session in args.sessions]
    card: dict[str, Any] = {**adapted_card(model, windows, named, gain), "command": _command(args, named)}
    save_model(out, replace(adapted, name=out.stem, card=card))
    told: dict[str, Any] = card["adapted"]
    shown = ", ".join(f"{n} of {label}" for label, n in told["windows"].items())
    console.print(f"learnt from {shown} (windows of {model.input.window_s:.2f} s)")
    if windows.left_out:
        other = ", ".join(f"{n} of {label}" for label, n in windows.left_out.items())
        console.print(f"left out, not known to {model.name}: {other}")
    if told["not_shown"]:
        console.print(
            f"not shown (fewer than {MIN_WINDOWS} windows): {', '.join(told['not_shown'])}; left as they were, and so "
            "are the statistics, for which every activity is needed"
        )
    _tell(console, gain)
    console.print(f"go back with: --model {args.model}")
    print(out)
    return 0


def _tell(console: Any, gain: dict[str, Any]) -> None:
    if not gain:
        console.print("too few windows to hold any out: what it gains is not known")
        return
    told = ", ".join(
        f"{100 * before:.1f} -> {100 * gain['after'][name]:.1f} % at {name}" for name, before in gain["before"].items()
    )
    console.print(f"fitted to the first three quarters and judged on the rest ({gain['windows']} windows): {told}")
    changes = [gain["after"][name] - before for name, before in gain["before"].items()]
    if sum(changes) < 0:
        console.print(
            "there it was WORSE than the original: keep that, or label more, on several days and as you always wear it"
        )


def _command(args: argparse.Namespace, sessions: list[str]) -> str:
    """The command that repeats this anywhere, without folders."""
    words = ["kinestream", "adapt", Path(args.model).name, *sessions]
    for option in ("subject", "columns"):
        if getattr(args, option) is not None:
            words += [f"--{option}", getattr(args, option)]
    return shlex.join(words)
