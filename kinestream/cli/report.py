"""``kinestream report``: tables and figures of everything that was measured, as one page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .extras import extra_for

if TYPE_CHECKING:
    import argparse

RESULTS = Path("benchmarks/results")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("report", help="one HTML page of every measured figure, rebuilt from its files")
    parser.add_argument("runs", metavar="RUN", nargs="*", type=Path, help="folders of finished runs to add")
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help=f"the JSON files (default {RESULTS}; without it only the runs)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=Path("runs/report"),
        help="for the page and PNGs (default %(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page; its path goes to standard output, what was left out to standard error."""
    with extra_for("train", "kinestream report"):
        from kinestream.train.report import make_report

    folder = args.results
    if folder is None and (RESULTS.is_dir() or not args.runs):
        folder = RESULTS
    path, results = make_report(folder, args.out, args.runs)
    for name, reason in results.left_out.items():
        print(f"left out {name}: {reason}", file=sys.stderr)
    print(path)
    return 0
