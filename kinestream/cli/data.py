"""``kinestream data list | fetch | check``: list the datasets, download them and check local copies."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .terminal import safe_console, show

if TYPE_CHECKING:
    from kinestream.replay_data.datasets.check_dataset import CheckReport
    from kinestream.replay_data.datasets.registry import KnownDataset


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command ``data``; each subcommand imports its code when it runs."""
    data = subparsers.add_parser("data", help="list, fetch and check the recorded datasets")
    data.set_defaults(run=run_list, data=None, json=False)
    commands = data.add_subparsers(metavar="list|fetch|check")

    listing = commands.add_parser("list", help="list the datasets with their folder, size, terms and citation")
    listing.set_defaults(run=run_list)

    fetching = commands.add_parser("fetch", help="download a dataset from its original home")
    fetching.add_argument("name", metavar="NAME", help="e.g. hapt; see kinestream data list")
    fetching.add_argument("--url", help="download from here instead of the original home")
    fetching.add_argument("--sha256", metavar="HEX", help="expected checksum instead of the published one")
    fetching.set_defaults(run=run_fetch)

    checking = commands.add_parser(
        "check",
        help="read a whole local copy and compare it with the published figures, or read a whole recording",
    )
    checking.add_argument(
        "name", metavar="NAME|DIR", help="e.g. hapt (see kinestream data list), or a recording's folder"
    )
    checking.set_defaults(run=run_check)

    for parser in (listing, fetching, checking):
        parser.add_argument(
            "--data",
            type=Path,
            metavar="DIR",
            help="folder of the datasets (default: $KINESTREAM_DATA, else the user's data folder)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def run_list(args: argparse.Namespace) -> int:
    """Print every dataset with its state, folder, size, terms and citation."""
    from kinestream.replay_data.datasets.registry import DATASETS, default_data_dir

    folder = args.data or default_data_dir()
    rows = [_describe(known, folder) for known in DATASETS.values()]
    if args.json:
        show(*json.dumps(rows, indent=2).splitlines())
        return 0
    for row in rows:
        size = f"about {row['size_mb']} MB" if row["size_mb"] else "size unknown"
        show(f"{row['name']}: {row['title']}")
        show(f"  {row['state']}" + (f" in {row['source']}" if row["source"] else ""))
        origin = f"from {row['page']}" if row["url"] else f"converted from {row['page']}"
        show(f"  expected in {row['expected']}, {size}, {origin}")
        show(f"  terms: {row['terms']}")
        show(f"  cite: {row['citation']}")
    return 0


def run_fetch(args: argparse.Namespace) -> int:
    """Download a dataset unless it is already there, after printing its terms."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from kinestream.core.errors import ConfigError, DataMissing
    from kinestream.replay_data.datasets.fetch import fetch
    from kinestream.replay_data.datasets.registry import default_data_dir, known_dataset

    known = known_dataset(args.name)
    folder = args.data or default_data_dir()
    try:
        tree = known.locate(folder)
    except DataMissing:
        pass
    else:
        return _print(
            args, {"name": known.name, "path": str(tree.source), "downloaded": False}, f"already in {tree.source}"
        )
    if not (known.home.url or args.url):
        raise ConfigError(f"{known.name} is not in {folder}; {known.home.remedy(known.name)}")
    _note(f"{known.home.title}, {known.home.page}")
    _note(f"terms: {known.home.terms}")
    _note(f"cite: {known.home.citation}")
    columns = BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    with Progress(
        *columns, console=safe_console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as progress:
        task = progress.add_task(known.name, total=None)
        try:
            fetched = fetch(
                known.home,
                folder,
                url=args.url,
                sha256=args.sha256,
                on_progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
        except OSError as error:
            raise ConfigError(
                f"cannot write {error.filename or folder}: {error.strerror or error}; name another folder with --data"
            ) from None
    known.locate(folder)
    trust = {
        "published": "as expected",
        "recorded": "the same as at the earlier download",
        "first": "recorded, to compare later downloads with it, as no checksum of the original is published",
    }[fetched.trust]
    facts = {
        "name": known.name,
        "path": str(fetched.path),
        "downloaded": True,
        "sha256": fetched.sha256,
        "trust": fetched.trust,
    }
    return _print(args, facts, str(fetched.path), f"SHA-256 of the download {fetched.sha256}: {trust}")


def run_check(args: argparse.Namespace) -> int:
    """Check a dataset or a recording; return status 0 if it is sound, else 1."""
    import dataclasses

    from rich.progress import Progress

    from kinestream.replay_data.datasets.check_dataset import check_dataset
    from kinestream.replay_data.datasets.registry import default_data_dir, known_dataset

    if Path(args.name).is_dir():
        from kinestream.replay_data.recordings import is_recording
        from kinestream.replay_data.recordings.check import check_recording

        if is_recording(args.name):
            report = check_recording(Path(args.name))
            _print(args, {**dataclasses.asdict(report), "sound": report.sound}, *_lines(report))
            return 0 if report.sound else 1
    known = known_dataset(args.name)
    with Progress(console=safe_console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(f"reading {known.name}")
        report = check_dataset(
            known,
            args.data or default_data_dir(),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    _print(args, {**dataclasses.asdict(report), "sound": report.sound}, *_lines(report, known))
    return 0 if report.sound else 1


def _describe(known: KnownDataset, folder: Path) -> dict[str, Any]:
    from kinestream.core.errors import DataDamaged, DataMissing

    state, source = "found", ""
    try:
        source = str(known.locate(folder).source)
    except DataMissing:
        state = "not found"
    except DataDamaged as error:
        state = f"damaged: {error}"
    home = known.home
    return {
        "name": known.name,
        "title": home.title,
        "state": state,
        "source": source,
        "expected": str(folder / home.folder / ("" if home.url else home.file_name)),
        "size_mb": home.size_mb,
        "page": home.page,
        "url": home.url,
        "sha256": home.sha256,
        "terms": home.terms,
        "citation": home.citation,
    }


def _lines(report: CheckReport, known: KnownDataset | None = None) -> list[str]:
    lines = [
        f"{report.name} in {report.source}",
        f"  {report.recordings} recordings of {report.subjects} people, {report.samples:,} samples, "
        f"{report.hours:.2f} h, {report.labelled_share:.1%} labelled",
    ]
    if known and report.windows is not None:
        lines.append(f"  {report.windows:,} windows of {known.published.window} samples every {known.published.hop}")
    lines += [f"  {label}: {n:,} samples" for label, n in sorted(report.labels.items(), key=lambda item: -item[1])]
    lines += [f"  repaired or skipped: {kind} {n:,}" for kind, n in report.repairs.items()]
    lines += [f"  note: {note}" for note in report.notes]
    lines += [f"  PROBLEM: {problem}" for problem in report.problems]
    return [*lines, "  sound" if report.sound else "  not sound"]


def _print(args: argparse.Namespace, facts: dict[str, Any], *lines: str) -> int:
    show(*(json.dumps(facts, indent=2).splitlines() if args.json else lines))
    return 0


def _note(text: str) -> None:
    show(text, out=sys.stderr)
