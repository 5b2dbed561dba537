"""``record``, ``recover``, ``export`` and ``import``: recordings and their conversion. See docs/recordings.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError

from .keyboard import keys
from .run_options import add_source_options, source_of
from .terminal import keep_status, say, show, show_status, stop_on_signals

if TYPE_CHECKING:
    from kinestream.core.source import LinkStatus
    from kinestream.recording.labelled_source import LabelledSource
    from kinestream.recording.recorder import Recorder
    from kinestream.replay_data.recordings import Recovery

REFRESH_EVERY_S = 0.25
ACTIVITIES = ("walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "lying")


def add_parser(commands: Any) -> None:
    """Add the commands ``record``, ``recover``, ``export`` and ``import``."""
    record = commands.add_parser(
        "record",
        help="record a live stream into a folder, labelled by key presses",
        description="Record a source's samples. At a terminal, keys change the label while it runs:\n"
        "1 to 9 select a label, 0 removes it, q ends the recording.",
        epilog="examples:\n"
        "  kinestream record zmq+tcp://127.0.0.1:5556 --label walking\n"
        "  kinestream record zmq+tcp://127.0.0.1:5556 monday --labels walking sitting cycling --wearer anna",
    )
    record.add_argument("source", metavar="URI", help="as for run")
    record.add_argument("folder", metavar="DIR", type=Path, nargs="?", help="a new folder (default: named by the time)")
    record.add_argument(
        "--label", metavar="L", help="the label at the start, also on key 1 (default: the source's own)"
    )
    record.add_argument("--labels", nargs="+", default=[], metavar="L", help="the labels of keys 1 to 9 (or L,L,L)")
    record.add_argument("--wearer", metavar="NAME", help="name of the person; training separates people by it")
    record.add_argument("--limit", type=float, metavar="SECONDS", help="stop after this time")
    add_source_options(record)
    record.set_defaults(run=run_record)

    recover = commands.add_parser(
        "recover",
        help="repair the recording of a killed run",
        description="Repair a recording in place, and report what was kept and what was lost.",
    )
    recover.add_argument("folder", metavar="DIR", type=Path)
    recover.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    recover.set_defaults(run=run_recover)

    export = commands.add_parser(
        "export",
        help="convert a recording to CSV or Motion-BIDS",
        description="Write a recording's samples for other programs.",
        epilog="examples:\n  kinestream export monday --csv monday.csv\n"
        "  kinestream export monday --motion-bids bids --task walking",
    )
    export.add_argument("folder", metavar="DIR", type=Path)
    export.add_argument("--csv", type=Path, metavar="FILE", help="one row per sample; predictions in a second file")
    export.add_argument("--motion-bids", type=Path, metavar="FOLDER", help="a BIDS dataset with one person")
    export.add_argument("--task", default="activities", metavar="NAME", help="the task's name in BIDS")
    export.set_defaults(run=run_export)

    imported = commands.add_parser(
        "import",
        help="convert an XDF file of Lab Streaming Layer to a recording",
        description="Convert an XDF file to a recording, which every command reads. Needs the 'xdf' extra.",
    )
    imported.add_argument("file", metavar="FILE.xdf", type=Path)
    imported.add_argument("folder", metavar="DIR", type=Path, help="a new folder")
    imported.add_argument("--wearer", metavar="NAME", help="name of the person")
    imported.add_argument("--columns", metavar="MAP", help="meaning of the channels: 'acc=X,Y,Z:g; gyro=p,q,r:dps'")
    imported.set_defaults(run=run_import)


def run_record(args: argparse.Namespace) -> int:
    """Record until the source ends, ``q`` or Ctrl-C."""
    from kinestream.core.source import Acknowledging, Linked
    from kinestream.recording.labelled_source import LabelledSource
    from kinestream.recording.manifest import describe
    from kinestream.recording.recorder import Recorder
    from kinestream.replay_data.tables.open_table import canonical_label

    if args.limit is not None and not args.limit > 0:
        raise ConfigError(f"--limit {args.limit:g}: expected a positive number of seconds")
    label_names = [*([args.label] if args.label else []), *(name for text in args.labels for name in text.split(","))]
    labels = list(dict.fromkeys(canonical_label(name) for name in label_names if name.strip()))
    if len(labels) > 9:
        raise ConfigError(f"{len(labels)} labels; expected at most 9, one per key 1 to 9: leave some out")
    folder = args.folder or Path(time.strftime("recording-%Y%m%d-%H%M%S"))
    source = source_of(args)
    labelled = LabelledSource(source, labels or ACTIVITIES, at_first=0 if args.label else None)
    about = describe(source_name=source.name, live=source.live, wearer=args.wearer)
    recorder = Recorder(folder, about, live=source.live, on_failure=say)
    links = source.status if isinstance(source, Linked) else tuple
    acknowledge = source.done if isinstance(source, Acknowledging) else None
    return asyncio.run(_record(labelled, links, recorder, args.limit, acknowledge))


async def _record(
    source: LabelledSource,
    links: Callable[[], Sequence[LinkStatus]],
    recorder: Recorder,
    limit_s: float | None,
    acknowledge: Callable[[int], None] | None,
) -> int:
    from kinestream.core.recent import Recent

    chunks = samples = lost = 0
    next_seqs = Recent[str, tuple[str, int]]()  # by stream: its epoch, and the number of its next sample
    started_s = time.monotonic()

    async def read() -> None:
        nonlocal chunks, samples, lost
        async for chunk in source.chunks():
            await recorder.take(chunk)
            chunks += 1
            samples += len(chunk)
            epoch, expected_seq = next_seqs.get(chunk.stream, ("", 0))
            lost += chunk.seq - expected_seq if epoch == chunk.session else 0
            next_seqs[chunk.stream] = chunk.session, chunk.seq + len(chunk)

    reader = asyncio.create_task(read())

    def durable(recorded: int, dropped: int) -> None:
        if recorder.failure:
            reader.cancel()  # the source's sender keeps the rest for the next recording
        elif acknowledge:
            acknowledge(recorded)

    if acknowledge:
        recorder.report_durable(durable)
    end = asyncio.create_task(asyncio.wait({reader}, timeout=limit_s))
    stop_on_signals(reader.cancel)

    def press(key: str) -> None:
        if key in "qQ\x03":
            reader.cancel()
        elif key == "0":
            source.choose(None)
        elif key in "123456789" and int(key) <= len(source.labels):
            source.choose(int(key) - 1)

    async with keys(press) as at_terminal:
        try:
            while not end.done():
                if at_terminal:
                    _show(source, samples, lost, links(), time.monotonic() - started_s)
                await asyncio.wait({end}, timeout=REFRESH_EVERY_S)
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await recorder.close(chunks, source.counts())  # before the source, which acknowledges the last chunks
            await source.aclose()
            keep_status()
    for notice in [*source.notices(), *recorder.notices()]:
        say(notice)
    if not reader.cancelled():
        reader.result()  # raises the error that ended the recording
    show(f"{recorder.summary()['samples']} samples in {recorder.folder}")
    return 1 if recorder.failure else 0


def _show(labelled: LabelledSource, samples: int, lost: int, links: Sequence[LinkStatus], elapsed_s: float) -> None:
    minutes, seconds = divmod(int(elapsed_s), 60)
    choices = "  ".join(f"{i}:{name}" for i, name in enumerate(labelled.labels, start=1))
    status = [
        f"{minutes}:{seconds:02d}",
        f"{samples} samples",
        *([f"{lost} lost"] if lost else []),
        *_link_problems(links),
    ]
    line = f"{'  '.join(status)}  [{labelled.label or 'no label'}]   {choices}  0:none  q:end"
    show_status(line)


def _link_problems(links: Sequence[LinkStatus]) -> Iterator[str]:
    """The links that are not streaming or have reconnected, for the status line."""
    for link in links:
        if link.state != "streaming":
            yield f"{link.name}: {link.state.upper()}"
        elif link.reconnects:
            yield f"{link.name}: {link.reconnects} reconnect{'s' * (link.reconnects != 1)}"


def run_recover(args: argparse.Namespace) -> int:
    """Repair a recording and print a report."""
    from dataclasses import asdict

    from kinestream.replay_data.recordings import recover

    try:
        report = recover(args.folder)
    except OSError as error:
        raise ConfigError(f"{args.folder} cannot be repaired in place ({error}); make room or copy it first") from None
    show(*(json.dumps(asdict(report), indent=2).splitlines() if args.json else _recovery_lines(report)))
    return 0


def _recovery_lines(report: Recovery) -> list[str]:
    if not report.needed:
        return [f"{report.folder}: complete, nothing to repair; {_rows(report.kept)}"]
    lines = [f"{report.folder}: repaired"]
    if report.manifest == "rebuilt":
        lines.append(f"  {report.kept['samples']} samples recovered: the manifest is rebuilt from their segments")
    lines += [f"  kept  {_rows(report.kept)} in {report.segments} segments"]
    if report.tails_sealed:
        lines.append(f"        of which from the tail: {_rows(report.kept_from_tails)}")
    if report.holes:
        lines.append(f"  lost  {report.bytes_lost} bytes in {report.holes} incomplete or damaged writes")
    lines += [f"  lost  {name}: damaged, set aside as {name}.damaged" for name in report.damaged]
    if any(report.lost.values()):
        lines.append(f"        with {_rows(report.lost)}")
    if not report.holes and not report.damaged:
        lines.append("  lost  nothing that was written; a killed run has at most a second not yet written")
    return lines


def _rows(rows: dict[str, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in rows.items())


def run_export(args: argparse.Namespace) -> int:
    """Write the requested exports and print their paths."""
    if not args.csv and not args.motion_bids:
        raise ConfigError("nothing to export; expected --csv FILE or --motion-bids FOLDER")
    from kinestream.replay_data.recordings import RecordingReader

    reader = RecordingReader(args.folder)
    try:
        if args.csv:
            from kinestream.replay_data.recordings.export import export_csv

            for path, rows in export_csv(reader, args.csv).items():
                show(f"{path}: {rows} rows")
        if args.motion_bids:
            from kinestream.replay_data.recordings.motion_bids import export_motion_bids

            for path in export_motion_bids(reader, args.motion_bids, args.task):
                show(path)
        for finding in reader.findings:
            say(finding)
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename}: {error.strerror}; choose another place") from None
    return 0


def run_import(args: argparse.Namespace) -> int:
    """Convert the file and print the outcome for each stream."""
    from kinestream.replay_data import ColumnMap
    from kinestream.replay_data.recordings.xdf import import_xdf

    columns = ColumnMap.parse(args.columns) if args.columns else None
    for line in import_xdf(args.file, args.folder, wearer=args.wearer, columns=columns):
        show(line)
    return 0
