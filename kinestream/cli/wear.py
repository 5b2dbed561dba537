"""``kinestream wear``: checks a sensor step by step and writes a file for ``--axes``."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError, SourceLost

from .keyboard import keys
from .run_options import PLACES, add_source_options, source_of
from .terminal import show, show_status, stop_on_signals

if TYPE_CHECKING:
    from kinestream.core.source import LinkStatus, Source
    from kinestream.inference import Model
    from kinestream.launch.fitting_model import Fit
    from kinestream.sensor_check.feed import Feed
    from kinestream.sensor_check.judge import Report
    from kinestream.sensor_check.orientation import Orientation
    from kinestream.sensor_check.stretch import Stretch, Stretches

OUT = Path("my_sensor.toml")
AT_THE_WAIST = "uci_cnn"
"""The model whose people wore the sensor in a known orientation, at the waist."""
PAUSE_S, UNATTENDED_PAUSE_S = 3.0, 10.0
"""Time to get ready, after a key press and without a terminal."""
TRIES = 3
"""Attempts at a step that needs a still sensor."""
MARKS = {"ok": "ok     ", "warning": "WARNING", "problem": "PROBLEM"}


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction to the wearer."""

    key: str
    """The field of ``Stretches`` that it fills."""
    ready: str
    """Shown before the step begins."""
    now: str
    """Shown while it is recorded."""
    still: float | None = None
    """The step is repeated if the acceleration spreads by more than this share of gravity; None: never."""


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "wear",
        help="check a new sensor and find how it is worn",
        description="Check a sensor step by step (units, axes, rate, gaps, clock, gravity, battery), report what is\n"
        "wrong, and write a file with its orientation for --axes. Each step takes a few seconds.\n"
        "Without a terminal, or with --yes, the steps follow each other without key presses.",
        epilog="examples:\n"
        "  kinestream wear ble://polar --out my_polar.toml\n"
        "  kinestream run ble://polar --axes my_polar.toml\n"
        "  kinestream wear ble://polar --worn chest\n"
        "  kinestream wear zmq+tcp://127.0.0.1:5556 --model watch --yes --json",
    )
    parser.add_argument("source", metavar="SOURCE", help="as for run")
    parser.add_argument(
        "--model", metavar="M", help="the model that will read the sensor (default: uci_cnn, or by --worn)"
    )
    parser.add_argument("--worn", metavar="PLACE", help=f"where you wear the sensor: {PLACES} (default waist)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE", help=f"the file to write (default {OUT})")
    parser.add_argument("--json", action="store_true", help="print the findings as one JSON document")
    parser.add_argument("--yes", action="store_true", help="do not wait for key presses")
    parser.add_argument("--seconds", type=float, default=5.0, metavar="S", help="length of a step (default 5)")
    parser.add_argument(
        "--pause", type=float, metavar="S", help=f"time to get ready (default {PAUSE_S:g}, unattended 10)"
    )
    add_source_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Record the steps, judge them, write the file and print the report.

    Returns:
        0: no problem, or the file corrects it. 1: there is a problem.
    """
    from kinestream.core.source import Acknowledging
    from kinestream.inference import find_model, load_model
    from kinestream.inference.zoo_table import check_place

    if not args.seconds >= 2:
        raise ConfigError(f"--seconds {args.seconds:g}; expected at least 2, which a movement needs")
    if args.pause is not None and not args.pause >= 0:
        raise ConfigError(f"--pause {args.pause:g}; expected a number of seconds, 0 or more")
    _refuse_to_overwrite(args.out)
    if args.worn is not None:
        check_place(args.worn)
    model = load_model(find_model(args.model)) if args.model else None
    source = source_of(args)
    if isinstance(source, Acknowledging):
        raise ConfigError(
            f"{args.source}: this check would take samples away from a run; check the sensor where the relay runs"
        )
    return asyncio.run(_guided(args, source, model))


def _refuse_to_overwrite(path: Path) -> None:
    """Raise ``ConfigError`` for an existing file that is not an earlier result."""
    from kinestream.sensor_check.axes_file import SUFFIX, read_axes_file

    if path.suffix != SUFFIX:
        raise ConfigError(f"--out {path}: --axes recognises a file by its suffix {SUFFIX}; call it {path.stem}{SUFFIX}")
    if path.exists():
        try:
            read_axes_file(path)
        except ConfigError:
            raise ConfigError(f"{path} exists and is not a result of this check; choose another --out") from None


async def _guided(args: argparse.Namespace, source: Source, model: Model | None) -> int:
    from dataclasses import replace

    from kinestream.core.source import Linked, Playback
    from kinestream.launch.fitting_model import fitting_model
    from kinestream.sensor_check.feed import Feed
    from kinestream.sensor_check.judge import judge

    recording = isinstance(source, Playback) and not source.live  # does not wait for a key press
    attended = not (recording or args.yes) and sys.stdin.isatty() and sys.stderr.isatty()
    feed = Feed(source)
    task = asyncio.ensure_future(_walk(args, feed, model, attended))
    stop_on_signals(task.cancel)
    try:
        model, orientation, stretches = await task
        link = next(iter(source.status()), None) if isinstance(source, Linked) else None
    except asyncio.CancelledError:
        _say("stopped; nothing was written")
        return 130
    finally:
        await feed.aclose()
    report = judge(stretches, model.input, orientation, source.counts(), link)
    fit = fitting_model(report, feed.channels, feed.fs_hz, args.worn)
    report = replace(report, findings=(*report.findings, fit.finding))
    written = _write(args, report, model, orientation)
    if args.json:
        show(json.dumps(_record(args, report, model, orientation, link, written) | _fit_record(fit)))
    else:
        _print(report, written)
    return 1 if report.problems else 0


def _reference(feed: Feed, worn: str | None) -> Model:
    """The model whose sensor the checked one is compared with: the waist's where it can be, else the one that fits."""
    from kinestream.core.errors import InputMismatch
    from kinestream.inference import choose_model, find_model, load_model
    from kinestream.inference.zoo_table import WAIST, zoo_entry

    name = AT_THE_WAIST
    if worn not in (None, WAIST) or not zoo_entry(name).fits(feed.channels, feed.fs_hz):
        with suppress(InputMismatch):  # the report says what is missing
            name = choose_model(feed.channels, feed.fs_hz, worn or WAIST).name
    return load_model(find_model(name))


async def _walk(
    args: argparse.Namespace, feed: Feed, model: Model | None, attended: bool
) -> tuple[Model, Orientation | None, Stretches]:
    """Record all steps in order; return them with the model they were made for, and its orientation."""
    from kinestream.core.signals import GYRO
    from kinestream.sensor_check.orientation import orientation_of
    from kinestream.sensor_check.stretch import Stretch, Stretches
    from kinestream.sensor_check.unit_checks import moved_while

    pressed, me = asyncio.Event(), asyncio.current_task()
    assert me is not None

    def press(key: str) -> None:
        if key in "qQ\x03":
            me.cancel()
        elif key in "\r\n ":
            pressed.set()

    pause_s = args.pause if args.pause is not None else PAUSE_S if attended else UNATTENDED_PAUSE_S
    async with keys(press) if attended else nullcontext():
        _say(f"waiting for {feed.source.name}")
        await feed.begin()
        model = model or _reference(feed, args.worn)
        orientation = orientation_of(model.card)
        steps = plan(orientation, set(GYRO) <= set(feed.channels))
        total_s = len(steps) * (pause_s + args.seconds)
        if not attended:
            _say(f"{len(steps)} steps of {args.seconds:g} s, {pause_s:g} s before each: {total_s:g} s in total")
        recorded: dict[str, Stretch] = {}
        for number, step in enumerate(steps, start=1):
            for _ in range(TRIES if attended else 1):
                head = f"{number}/{len(steps)}"
                _say(f"{head}  {step.ready}" + ("  [Enter to begin, q to stop]" if attended else ""))
                if attended:
                    pressed.clear()
                    await feed.until(pressed)
                await feed.take(pause_s, _progress(head, "get ready"))
                chunks = await feed.take(args.seconds, _progress(head, step.now))
                if not chunks:
                    raise SourceLost(f"{feed.source.name} sent nothing during step {number}; check the link")
                recorded[step.key] = Stretch.of(chunks)
                if step.still is None or not moved_while(recorded[step.key], step.still):
                    break
                if attended:
                    _say("the sensor moved: repeat this step")
    return model, orientation, Stretches(**recorded)


def plan(orientation: Orientation | None, has_gyro: bool) -> tuple[Step, ...]:
    """The fewest steps that suffice.

    Standing and bending determine the rotation of the sensor; the turn checks the gyroscope. Without an orientation to
    map to, turning the sensor by hand is enough to check units and signs.
    """
    from kinestream.sensor_check.unit_checks import STANDING_STILL, STILL

    table = Step("table", "Lay the sensor on a table and let go of it.", "lying still", STILL)
    if orientation is None:
        edge = "Take the sensor in your hand. During the countdown, turn it slowly onto an edge and hold it there."
        return table, Step("moved", edge, "turn it onto an edge, and hold it")
    steps = (
        table,
        Step(
            "worn",
            f"Put it {orientation.place}, as you will wear it. Stand upright and still.",
            "standing still",
            STANDING_STILL,
        ),
        Step("moved", "Bend forward from the hips, slowly, about halfway, and stay there.", "bend forward, and stay"),
    )
    turn = Step("turned", "Stand upright. Turn on the spot to your LEFT by a quarter circle.", "turn left, and stay")
    return (*steps, turn) if has_gyro else steps


def _say(line: str) -> None:
    show(line, out=sys.stderr)


def _progress(head: str, instruction: str) -> Callable[[float, float], None]:
    """A callback that draws the progress of a step on a terminal."""
    if not sys.stderr.isatty():
        return lambda done_s, of_s: None
    shown_s = [0.0]

    def draw(done_s: float, of_s: float) -> None:
        ended = done_s >= of_s
        if not ended and time.monotonic() - shown_s[0] < 0.1:
            return
        shown_s[0] = time.monotonic()
        full = int(20 * max(0.0, done_s) / of_s) if of_s else 20
        line = f"{head}  [{'#' * full}{'.' * (20 - full)}] {max(0.0, of_s - done_s):4.1f} s  {instruction}"
        # A bell at the start and the end of a recording, because a person who bends forward cannot see the screen.
        show_status("" if ended else line, bell=ended)

    return draw


def _write(args: argparse.Namespace, report: Report, model: Model, orientation: Orientation | None) -> Path | None:
    """Write the file if the result is usable and return its path, else None."""
    from datetime import UTC, datetime

    from kinestream.sensor_check.axes_file import AxesFile, write_axes_file
    from kinestream.windowing import ChannelMap

    if not report.trusted or (report.nearest is None and orientation is not None):
        return None
    content = AxesFile(
        axes=str(report.nearest.axes if report.nearest else ChannelMap()),
        acc_factor=report.acc_factor,
        gyro_factor=report.gyro_factor,
        source=args.source,
        model=model.name,
        worn=orientation.name if orientation else "",
        rate_hz=round(report.rate_hz, 3),
        date=datetime.now(UTC).replace(microsecond=0),
        notes=tuple(f"{finding.level}: {finding}" for finding in report.findings),
    )
    write_axes_file(args.out, content)
    return args.out


def _record(
    args: argparse.Namespace,
    report: Report,
    model: Model,
    orientation: Orientation | None,
    link: LinkStatus | None,
    written: Path | None,
) -> dict[str, Any]:
    nearest = report.nearest
    return {
        "source": args.source,
        "model": model.name,
        "worn": orientation.name if orientation else None,
        "findings": [asdict(finding) for finding in report.findings],
        "problems": report.problems,
        "axes": str(nearest.axes) if nearest else None,
        "off_deg": round(nearest.off_deg, 1) if nearest else None,
        "acc_factor": report.acc_factor,
        "gyro_factor": report.gyro_factor,
        "rate_hz": report.rate_hz if report.rate_hz == report.rate_hz else None,
        "battery": link.battery_frac if link else None,
        "file": str(written) if written else None,
    }


def _fit_record(fit: Fit) -> dict[str, Any]:
    choice = fit.choice
    values = {"model": choice.name, "reason": choice.reason, "needs_axes": fit.needs_axes} if choice else None
    return {"fitting_model": values}


def _print(report: Report, written: Path | None) -> None:
    width = max(len(finding.about) for finding in report.findings)
    for finding in report.findings:
        show(f"{MARKS[finding.level]}  {finding.about:<{width}}  {finding.text}")
        if finding.advice:
            show(f"{'':7}  {'':{width}}  -> {finding.advice}")
    if written:
        show("", f"written to {written}: kinestream run SOURCE --axes {written}")
    else:
        show("", "nothing was written: the check did not determine how the sensor is worn or what it measures")
