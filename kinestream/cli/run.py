"""``demo``, ``replay``, ``run`` and ``publish``: a source through the pipeline, or onto a socket."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError, KinestreamError

from .run_options import add_run_options, add_source_options, run_options, source_of
from .serve import in_browser
from .terminal import progress, restore_signals, say, show, stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from kinestream.launch.build_run import PendingRun
    from kinestream.observe.findings import Notice
    from kinestream.outputs.prediction_publisher import PredictionPublisher
    from kinestream.run.session import Session

    from .output import JsonLines, Lines

PATIENCE_S = 3.0
"""How long a source may be silent before a line says so."""
STOPPED = 130
"""Exit status of a run that a person ends before its first sample, as shells report Ctrl-C."""


def add_parser(commands: Any) -> None:
    demo = commands.add_parser(
        "demo",
        help="a synthetic wearer, recognised on the dashboard",
        description="Recognise a synthetic wearer; no download, no sensor. Without a terminal: JSON.",
        epilog="examples:\n  kinestream demo\n  kinestream demo --seed 7 --speed 4\n  kinestream demo --json",
    )
    demo.add_argument("--seed", type=int, default=1, help="each seed is another person (default 1)")
    # A small battery, so that a press of `b` has an effect: full, it affords the full network; half full, a thin one.
    add_run_options(demo, policy="battery:hours=2", battery="simulated:capacity_j=35,base_mw=2")
    demo.set_defaults(run=_demo, deadline=2.0)

    replay = commands.add_parser(
        "replay",
        help="a dataset, a file or a recording, as if it came in live",
        description="Play recordings through the pipeline and judge the predictions by their labels.\n"
        "A recorded run repeats, and every prediction is compared, unless a model or policy is named.",
        epilog="examples:\n"
        "  kinestream replay hapt --subject 2 --dashboard\n"
        "  kinestream replay hapt --speed max --policy fixed:0.35x-128\n"
        "  kinestream replay walk.csv --worn pocket --speed max --json\n"
        "  kinestream replay recordings/monday --speed max",
    )
    replay.add_argument(
        "source", metavar="DATASET|PATH", help="a dataset's name (kinestream data list), a file, or a recording"
    )
    add_run_options(replay)
    replay.add_argument("--dashboard", action="store_true", help="show it on the dashboard")
    replay.set_defaults(run=_replay)

    run = commands.add_parser(
        "run",
        help="a live source: a Bluetooth sensor, a phone, ZeroMQ, a synthetic wearer",
        description="Recognise a live stream until it ends or Ctrl-C.",
        epilog="examples:\n"
        "  kinestream run ble://polar --dashboard                 any Polar; kinestream scan shows what is near\n"
        "  kinestream run ble://polar,thingy52 --record morning\n"
        "  kinestream run phone:// --worn pocket                  the model that fits the phone and the place\n"
        "  kinestream run zmq+tcp://127.0.0.1:5556 --json\n"
        "  kinestream run relay://0.0.0.0:5557                    samples from 'kinestream relay'\n"
        "  kinestream run morning --policy fixed:0.5x-128         a recording, under another policy\n"
        "  kinestream run 'wearer://?seed=3&loss=0.01'",
    )
    run.add_argument(
        "source",
        metavar="URI",
        help="ble://DEVICE, phone://, zmq+tcp://HOST:PORT, relay://HOST:PORT, lsl://NAME, wearer://?seed=N, "
        "replay://NAME?speed=X, or a recording's folder",
    )
    add_run_options(run)
    run.add_argument("--dashboard", action="store_true", help="show it on the dashboard")
    run.set_defaults(run=_replay)

    publish = commands.add_parser(
        "publish",
        help="send any source to ZeroMQ subscribers (docs/wire.md)",
        description="Send a source's samples to any number of subscribers, or push them to one puller,\n"
        "in the format of docs/wire.md.",
        epilog="examples:\n  kinestream publish hapt --subject 2 --to tcp://127.0.0.1:5556 --wait\n"
        "  kinestream publish 'wearer://?seed=3' --to tcp://127.0.0.1:5556\n"
        "  kinestream publish ble://polar --to 'tcp://10.0.0.5:5556?mode=push&connect=1'",
    )
    publish.add_argument("source", metavar="SOURCE", help="a dataset, a file, or an address as for run")
    publish.add_argument(
        "--to", required=True, metavar="tcp://HOST:PORT|lsl://NAME", help="where to listen for subscribers"
    )
    publish.add_argument("--wait", action="store_true", help="begin when the first subscriber is there")
    add_source_options(publish)
    publish.set_defaults(run=_publish)


def _demo(args: argparse.Namespace) -> int:
    args.source = f"wearer://?seed={args.seed}"
    args.dashboard = not args.json and _on_terminal()
    args.json = not args.dashboard
    return _replay(args)


def _on_terminal() -> bool:
    """Whether a person watches, at a terminal or through ``serve``; the dashboard draws on standard error."""
    return in_browser() or all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def _replay(args: argparse.Namespace) -> int:
    if args.dashboard and args.json:
        raise ConfigError("--dashboard and --json both want the screen; choose one")
    if args.dashboard and not _on_terminal():
        raise ConfigError("the dashboard needs a terminal; use --json elsewhere")
    with _emitter(args) as emitter, _metrics_socket(args) as listening:
        return _replay_to(args, emitter, listening)


def _emitter(args: argparse.Namespace) -> AbstractContextManager[PredictionPublisher | None]:
    """The socket of ``--emit``, opened first: a wrong address is refused before anything is measured."""
    if args.emit is None:
        return nullcontext()
    from kinestream.outputs.prediction_publisher import PredictionPublisher

    return PredictionPublisher(args.emit, insecure=args.insecure)


def _metrics_socket(args: argparse.Namespace) -> AbstractContextManager[socket | None]:
    """The socket of ``--metrics``, opened first for the same reason."""
    if args.metrics is None:
        return nullcontext()
    from kinestream.outputs.prometheus import listen

    return listen(args.metrics, insecure=args.insecure)


def _replay_to(args: argparse.Namespace, emitter: PredictionPublisher | None, listening: socket | None) -> int:
    from kinestream.launch.build_run import PendingRun

    from .output import JsonLines, Lines, episode_record, summary_lines

    drawing = False

    def notice(line: str) -> None:
        if not drawing:  # a line would spoil the dashboard; its summary has it
            say(line)

    pending = PendingRun(run_options(args))
    writer = JsonLines() if args.json else Lines(live=pending.source.live)

    def announce(found: Notice) -> None:
        if emitter is not None:
            emitter.notice(found.to_dict())
        if args.dashboard or args.json:
            notice(str(found))
        if not args.dashboard:
            writer.notice(found)

    with asyncio.Runner() as runner:  # a source that has begun stays in its event loop
        if pending.waits and not runner.run(_begin(pending, announce)):
            return STOPPED
        # Measuring happens while the event loop rests, so that Ctrl-C ends it at once.
        session = pending.build(
            on_notice=notice, on_progress=progress("measuring every subnetwork on this machine, once")
        )
        session.subscribe(on_notice=announce)
        if emitter is not None:
            session.subscribe(
                on_prediction=lambda prediction: emitter.prediction(prediction.to_dict()),
                on_episode=lambda episode: emitter.episode(episode_record(episode)),
            )
        if listening is not None:
            from kinestream.outputs.prometheus import MetricsServer

            session.accompany(MetricsServer(session, listening))
        try:
            if args.dashboard:
                from kinestream.dashboard import run_dashboard

                drawing = True
                served = in_browser()
                summary = run_dashboard(session, ascii=args.ascii, in_browser=served, loop=runner.get_loop())
                if not served:  # there, standard output belongs to the page
                    show(*summary_lines(summary))
                return _status(session)
            return runner.run(_run(session, writer))
        finally:
            if emitter is not None:
                emitter.summary(session.summary())


async def _begin(pending: PendingRun, on_notice: Callable[[Notice], None]) -> bool:
    """Wait for the first samples, by which the model is chosen; return False if a person ends the wait."""
    beginning = asyncio.ensure_future(pending.begin(on_notice))
    stop_on_signals(beginning.cancel)
    _, waiting = await asyncio.wait({beginning}, timeout=PATIENCE_S)
    if waiting:
        say(f"waiting for samples from {pending.source.name} to choose a model (or name one with --model)")
    try:
        await beginning
    except BaseException as error:
        await pending.source.aclose()
        if isinstance(error, asyncio.CancelledError):
            say("stopped before a model was chosen")
            return False
        raise
    finally:
        restore_signals()
    return True


async def _run(session: Session, writer: JsonLines | Lines) -> int:
    session.subscribe(on_prediction=writer.prediction, on_episode=writer.episode)
    stop_on_signals(session.stop)
    patience = asyncio.create_task(_say_when_waiting(session))
    try:
        await session.run()
    except KinestreamError:
        if session.summary()["predictions"]:  # predictions before the error have figures too
            _conclude(session, writer)
        raise
    finally:
        patience.cancel()
    _conclude(session, writer)
    return _status(session)


def _status(session: Session) -> int:
    """The exit status, after a last line about a recording that ended before the run."""
    if session.failures() and (recording := session.summary().get("recording")):
        folder = recording["folder"]
        say(
            f"the recording in {folder} is not complete: exit status 1; kinestream recover {folder} shows what it holds"
        )
    return session.exit_status


async def _say_when_waiting(session: Session) -> None:
    """A silent source is not an error, but a person should know that the run waits for it."""
    await asyncio.sleep(PATIENCE_S)
    if not session.counts().get("samples"):
        say(f"waiting for samples from {session.source_name}; Ctrl-C ends it")


def _conclude(session: Session, writer: JsonLines | Lines) -> None:
    from .output import JsonLines

    if isinstance(writer, JsonLines):  # the lines for people have the notices in their summary
        for fact in session.facts():
            say(fact)
    writer.summary(session.summary())


def _publish(args: argparse.Namespace) -> int:
    from kinestream.core.source import Noticing
    from kinestream.ingest import publish

    async def run() -> int:
        source = source_of(args)
        if args.to.startswith("lsl://"):
            from kinestream.ingest.lsl import publish_lsl

            sending = publish_lsl(source, args.to, wait=args.wait)
        else:
            sending = publish(source, args.to, wait=args.wait, insecure=args.insecure)
        task = asyncio.ensure_future(sending)
        stop_on_signals(task.cancel)
        try:
            counts = await task
        except asyncio.CancelledError:
            counts = {}
        for notice in source.notices() if isinstance(source, Noticing) else ():
            say(notice)
        show(", ".join(f"{kind} {count}" for kind, count in counts.items()) or "stopped", out=sys.stderr)
        return 0

    return asyncio.run(run())
