"""The command-line options of a source and of a run, and the values they stand for."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .terminal import show

if TYPE_CHECKING:
    from kinestream.core.source import Source
    from kinestream.launch.open_source import SourceOptions
    from kinestream.launch.run_options import RunOptions


PLACES = "wrist, waist, pocket, hip, chest, bag, or anywhere: unknown"


class _PolicyNames:
    """The names of the policies, looked up when help is printed: their import takes 0.2 s."""

    def __str__(self) -> str:
        from kinestream.policy import POLICIES

        return ", ".join(POLICIES)


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to open a source."""
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the recordings (default $KINESTREAM_DATA)")
    parser.add_argument("--subject", nargs="+", default=[], metavar="N", help="only these people of a dataset or file")
    parser.add_argument(
        "--columns",
        metavar="MAP",
        help="columns of a CSV or Parquet file: 'time=ts:ms; acc=X,Y,Z:g; gyro=p,q,r:dps; label=activity; "
        "subject=person', and rate=50 where there is no time",
    )
    parser.add_argument("--speed", metavar="X|max", help="multiple of real time (default: the address's, else 1)")
    parser.add_argument("--loop", action="store_true", help="start over at the end")
    parser.add_argument("--together", action="store_true", help="play the recordings side by side, each as a stream")
    parser.add_argument("--insecure", action="store_true", help="sockets may leave this machine without keys")


def add_run_options(parser: argparse.ArgumentParser, policy: str | None = None, battery: str | None = None) -> None:
    """Add the options of a source and of a run."""
    add_source_options(parser)
    group = parser.add_argument_group("what runs")
    names = ("--model", "--model_name", "--model-name")
    group.add_argument(*names, metavar="M", help="a bundled model or a file (default: by the source and --worn)")
    group.add_argument("--worn", metavar="PLACE", help=f"where the sensor is worn: {PLACES} (default; docs/models.md)")
    named = group.add_argument(
        "--policy",
        default=policy,
        metavar="P",
        help="%(policies)s; with settings: fixed:0.5x-128, battery:hours=8; joined, the last limits the first: "
        "slowdown+battery:hours=8; a policy.toml or your own my_policy.py "
        f"(docs/policies.md; default {policy or 'fixed'})",
    )
    vars(named)["policies"] = _PolicyNames()
    group.add_argument("--deadline", type=float, metavar="MS", help="how long one window may take, in milliseconds")
    group.add_argument(
        "--battery", default=battery, metavar="B", help="simulated[:hours=3,frac=0.5], laptop, or a charge such as 0.4"
    )
    group.add_argument(
        "--energy", metavar="E", help="energy model for the estimates (kinestream energy), or a file.toml"
    )
    group.add_argument("--hop", type=float, metavar="SECONDS", help="time between predictions (default: the model's)")
    group.add_argument("--max-gap", type=float, metavar="SECONDS", help="the longest gap that is interpolated")
    group.add_argument(
        "--min-coverage",
        type=float,
        metavar="SHARE",
        help="show 'unknown' below this measured share (default 0.5; 0: off)",
    )
    group.add_argument("--axes", metavar="'-y x z'|FILE.toml", help="how the sensor is worn (kinestream wear)")
    group.add_argument("--smooth", action="store_true", help="smooth over the windows so far (docs/decisions.md)")
    group.add_argument(
        "--unknown", type=float, metavar="P", help="conclude 'unknown' below this probability of being right, e.g. 0.7"
    )
    group.add_argument("--episodes", action="store_true", help="print each activity's start and end when it is over")
    group.add_argument(
        "--min-episode", type=float, metavar="SECONDS", help="the shortest episode (default 10; implies --episodes)"
    )
    group.add_argument("--limit", type=float, metavar="SECONDS", help="stop after this much signal")
    group.add_argument("--record", type=Path, metavar="DIR", help="record samples, predictions and decisions")
    group.add_argument("--emit", metavar="tcp://HOST:PORT", help="publish predictions to other programs (docs/wire.md)")
    group.add_argument("--metrics", metavar="[HOST]:PORT", help="serve the run's figures to Prometheus, e.g. :9100")
    group.add_argument("--ascii", action="store_true", help="draw the dashboard in ASCII only")
    group.add_argument("--json", action="store_true", help="one JSON object per prediction, a summary at the end")


def source_options(args: argparse.Namespace) -> SourceOptions:
    """The values of ``add_source_options``."""
    from kinestream.launch.open_source import SourceOptions, parse_speed

    return SourceOptions(
        args.data,
        tuple(args.subject),
        args.columns,
        None if args.speed is None else parse_speed(args.speed),
        args.loop,
        args.together,
        args.insecure,
        on_invitation=lambda lines: show(*lines.split("\n"), out=sys.stderr),
        qr_code=sys.stderr.isatty(),
    )


def source_of(args: argparse.Namespace) -> Source:
    """The source that the arguments name."""
    from kinestream.launch.open_source import open_source

    return open_source(args.source, source_options(args))


def run_options(args: argparse.Namespace) -> RunOptions:
    """The values of ``add_run_options``."""
    from kinestream.launch.run_options import RunOptions

    return RunOptions(
        args.source,
        source_options(args),
        model=args.model,
        worn=args.worn,
        policy=args.policy,
        deadline_ms=args.deadline,
        battery=args.battery,
        energy=args.energy,
        hop_s=args.hop,
        max_gap_s=args.max_gap,
        min_coverage=args.min_coverage,
        axes=args.axes,
        smooth=args.smooth,
        unknown_below=args.unknown,
        episodes=args.episodes,
        min_episode_s=args.min_episode,
        limit_s=args.limit,
        record=args.record,
        all_subnets=args.dashboard,
    )
