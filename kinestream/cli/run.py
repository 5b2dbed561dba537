"""``demo``, ``replay``, ``run`` and ``publish``: a source through the pipeline, or onto a socket."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinestream.core.errors import ConfigError, KinestreamError

from .serve import in_browser

if TYPE_CHECKING:
    from socket import socket

    from kinestream.outputs.prediction_publisher import PredictionPublisher
    from kinestream.run.session import Session

    from .output import JsonLines, Lines

PATIENCE_S = 3.0
"""How long a source may keep silent before that is said."""


def add_parser(commands: Any) -> None:
    demo = commands.add_parser(
        "demo",
        help="the built-in wearer through the bundled model, on the dashboard",
        description="Watch a generated wearer being recognised; no download, no sensor. Without a terminal: JSON.",
        epilog="examples:\n  kinestream demo\n  kinestream demo --seed 7 --speed 4\n  kinestream demo --json",
    )
    demo.add_argument("--seed", type=int, default=1, help="another seed is another person (default 1)")
    # So small a battery that a press of `b` shows: full, it affords the full network, half full a thin one.
    _add_options(demo, policy="battery:hours=2", battery="simulated:capacity_j=35,base_mw=2")
    demo.set_defaults(run=_demo, deadline=2.0)

    replay = commands.add_parser(
        "replay",
        help="a recorded dataset, file or session, as if it came in live",
        description="Play recordings through the pipeline and judge the predictions by their labels.\n"
        "A recorded session runs again as it ran, and every prediction is compared, unless a model or policy is named.",
        epilog="examples:\n"
        "  kinestream replay hapt --subject 2 --dashboard\n"
        "  kinestream replay hapt --speed max --policy fixed:0.35x-128\n"
        "  kinestream replay walk.csv --speed max --json\n"
        "  kinestream replay recordings/monday --speed max",
    )
    replay.add_argument(
        "source", metavar="DATASET|PATH", help="a dataset's name (kinestream data list), a file, or a recording"
    )
    _add_options(replay)
    replay.add_argument("--dashboard", action="store_true", help="show it on the dashboard")
    replay.set_defaults(run=_replay)

    run = commands.add_parser(
        "run",
        help="a live source: a Bluetooth sensor, a phone, ZeroMQ, the built-in wearer",
        description="Recognise a live stream until it ends or Ctrl-C.",
        epilog="examples:\n"
        "  kinestream run ble://polar --dashboard                 any Polar; kinestream scan shows what is near\n"
        "  kinestream run ble://polar,thingy52 --record morning\n"
        "  kinestream run phone:// --model phone_acc\n"
        "  kinestream run zmq+tcp://127.0.0.1:5556 --json\n"
        "  kinestream run relay://0.0.0.0:5557                    what 'kinestream relay' sends\n"
        "  kinestream run morning --policy fixed:0.5x-128         a recording, decided otherwise\n"
        "  kinestream run 'wearer://?seed=3&loss=0.01'",
    )
    run.add_argument(
        "source",
        metavar="URI",
        help="ble://DEVICE, phone://, zmq+tcp://HOST:PORT, relay://HOST:PORT, lsl://NAME, wearer://?seed=N, "
        "replay://NAME?speed=X, or a recording's folder",
    )
    _add_options(run)
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


def add_source_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the recordings lie (default $KINESTREAM_DATA)")
    parser.add_argument("--subject", nargs="+", default=[], metavar="N", help="only these people of a dataset or file")
    parser.add_argument(
        "--columns",
        metavar="MAP",
        help="of a CSV or Parquet file: 'time=ts:ms; acc=X,Y,Z:g; gyro=p,q,r:dps; label=what; subject=who', and "
        "rate=50 where there is no time",
    )
    parser.add_argument("--speed", metavar="X|max", help="multiple of real time (default as the address says, else 1)")
    parser.add_argument("--loop", action="store_true", help="begin again at the end")
    parser.add_argument("--together", action="store_true", help="play the recordings side by side as many streams")
    parser.add_argument("--insecure", action="store_true", help="sockets may leave this machine without keys")


def _add_options(parser: argparse.ArgumentParser, policy: str | None = None, battery: str | None = None) -> None:
    add_source_options(parser)
    group = parser.add_argument_group("what runs")
    names = ("--model", "--model_name", "--model-name")
    group.add_argument(*names, metavar="M", help="a bundled model or a file (default uci_cnn)")
    group.add_argument(
        "--policy",
        default=policy,
        metavar="P",
        help="fixed[:0.5x-128], latency, slowdown, battery:hours=8, persistence, utility, loss, deadline=20, "
        "sensing:fs_hz=25, hop=2; joined, the later limit the former: slowdown+battery:hours=8; "
        "a policy.toml or your own my_policy.py "
        f"(docs/policies.md; default {policy or 'fixed'})",
    )
    group.add_argument("--deadline", type=float, metavar="MS", help="how long one window may take, in milliseconds")
    group.add_argument(
        "--battery", default=battery, metavar="B", help="simulated[:hours=3,frac=0.5], laptop, or a charge such as 0.4"
    )
    group.add_argument(
        "--energy", metavar="E", help="estimate by this energy model (kinestream energy), or its file.toml"
    )
    group.add_argument("--hop", type=float, metavar="SECONDS", help="time between predictions (default the model's)")
    group.add_argument("--max-gap", type=float, metavar="SECONDS", help="longest hole that is interpolated")
    group.add_argument("--axes", metavar="'-y x z'|FILE.toml", help="how the sensor is worn (kinestream wear)")
    group.add_argument("--smooth", action="store_true", help="conclude from all windows so far (docs/decisions.md)")
    group.add_argument(
        "--unknown", type=float, metavar="P", help="conclude 'unknown' below this calibrated probability, e.g. 0.7"
    )
    group.add_argument(
        "--episodes", action="store_true", help="tell also from when to when each activity went on, when it is over"
    )
    group.add_argument(
        "--min-episode", type=float, metavar="SECONDS", help="the shortest episode (default 10; implies --episodes)"
    )
    group.add_argument("--limit", type=float, metavar="SECONDS", help="stop after this much signal")
    group.add_argument("--record", type=Path, metavar="DIR", help="keep samples, predictions and decisions in a folder")
    group.add_argument("--emit", metavar="tcp://HOST:PORT", help="offer predictions to other programs (docs/wire.md)")
    group.add_argument("--metrics", metavar="[HOST]:PORT", help="tell Prometheus the figures of the run, e.g. :9100")
    group.add_argument("--ascii", action="store_true", help="draw the dashboard with nothing but ASCII characters")
    group.add_argument("--json", action="store_true", help="one JSON object a prediction, a summary at the end")


def _demo(args: argparse.Namespace) -> int:
    args.source = f"wearer://?seed={args.seed}"
    args.dashboard = not args.json and _on_terminal()
    args.json = not args.dashboard
    return _replay(args)


def _on_terminal() -> bool:
    """Whether a person sits there, or looks on through ``serve``; the dashboard draws on standard error."""
    return in_browser() or all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def _replay(args: argparse.Namespace) -> int:
    if args.dashboard and args.json:
        raise ConfigError("--dashboard and --json both want the screen; choose one")
    if args.dashboard and not _on_terminal():
        raise ConfigError("the dashboard needs a terminal; use --json elsewhere")
    with _emitter(args) as emitter, _metrics_socket(args) as listening:
        return _replay_to(args, emitter, listening)


def _emitter(args: argparse.Namespace) -> AbstractContextManager[PredictionPublisher | None]:
    """The socket of ``--emit``, made first: a wrong address is told before anything is measured."""
    if args.emit is None:
        return nullcontext()
    from kinestream.outputs.prediction_publisher import PredictionPublisher

    return PredictionPublisher(args.emit, insecure=args.insecure)


def _metrics_socket(args: argparse.Namespace) -> AbstractContextManager[socket | None]:
    """That of ``--metrics``, made first for the same reason."""
    if args.metrics is None:
        return nullcontext()
    from kinestream.outputs.prometheus import listen

    return listen(args.metrics, insecure=args.insecure)


def _replay_to(args: argparse.Namespace, emitter: PredictionPublisher | None, listening: socket | None) -> int:
    from kinestream.launch.build_run import build_session

    from .output import JsonLines, Lines, episode_record, summary_text

    session = build_session(args)  # outside the event loop, which would let Ctrl-C wait until all is measured
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

            summary = run_dashboard(session, ascii=args.ascii)
            if not in_browser():  # there, standard output belongs to the page
                print(summary_text(summary))
            return session.exit_status
        return asyncio.run(_run(session, JsonLines() if args.json else Lines(live=session.source.live)))
    finally:
        if emitter is not None:
            emitter.summary(session.summary())


async def _run(session: Session, writer: JsonLines | Lines) -> int:
    session.subscribe(on_prediction=writer.prediction, on_episode=writer.episode)
    stop_on_signals(session.stop)
    patience = asyncio.create_task(_say_when_waiting(session))
    try:
        await session.run()
    except KinestreamError:
        if session.summary()["predictions"]:  # what was good until then is worth its figures
            _conclude(session, writer)
        raise
    finally:
        patience.cancel()
    _conclude(session, writer)
    return session.exit_status


async def _say_when_waiting(session: Session) -> None:
    """A source that has nothing to say yet is no error, but a person should know that it is awaited."""
    await asyncio.sleep(PATIENCE_S)
    if not session.counts().get("samples"):
        print(f"kinestream: waiting for samples from {session.source_name}; Ctrl-C ends it", file=sys.stderr)


def _conclude(session: Session, writer: JsonLines | Lines) -> None:
    from .output import JsonLines

    if isinstance(writer, JsonLines):  # lines for people have them in the summary
        for notice in session.notices():
            print(f"kinestream: {notice}", file=sys.stderr)
    writer.summary(session.summary())


def _publish(args: argparse.Namespace) -> int:
    from kinestream.core.source import Noticing
    from kinestream.ingest import publish
    from kinestream.launch.build_run import build_source

    async def run() -> int:
        source = build_source(args)
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
            print(f"kinestream: {notice}", file=sys.stderr)
        print(", ".join(f"{kind} {count}" for kind, count in counts.items()) or "stopped", file=sys.stderr)
        return 0

    return asyncio.run(run())


def stop_on_signals(stop: Callable[[], Any]) -> None:
    """Let Ctrl-C and a polite kill end the run as if the source had ended."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:  # Windows has no such handlers in its event loop
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
