"""What the dashboard costs: CPU share of one core at ten refreshes a second; and its pictures for the README.

    python benchmarks/dashboard.py                                          the figures
    python benchmarks/dashboard.py --picture docs/images/dashboard.svg      the picture

Each figure is the CPU time of a whole process (wearer at 100 Hz in real time, so that every refresh has new samples;
windowing, network, policy) over its wall time, once without a screen and once for each size of a terminal that
discards what it is sent.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import asyncio
import fcntl
import json
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

from kinestream.dashboard import DashboardApp, take_picture
from kinestream.inference import Engine, find_model, load_model, operating_table
from kinestream.pipeline import Pipeline
from kinestream.policy import make_battery, make_policy
from kinestream.session import Session
from kinestream.sources import open_source

SIZES = ((80, 24), (120, 40), (200, 60))
WARM_UP_S = 3.0
POLICY = "battery:hours=2"
BATTERY = "simulated:capacity_j=35,base_mw=2"
"""As ``kinestream demo`` has them."""


def make_session(model: str, source: str) -> Session:
    engine = Engine(load_model(find_model(model)))
    table = operating_table(engine)
    engine.warm([point.subnet for point in table.front])
    battery = make_battery(BATTERY)
    pipeline = Pipeline(engine, make_policy(POLICY, table), table, battery=battery, deadline_ms=2.0)
    return Session(open_source(source), pipeline, model_name=engine.model.name, policy_text=POLICY)


def drain(session: Session, windows: int) -> None:
    """Let the battery fall by jumps on the way to the picture, as somebody pressing ``b`` does, so that it shows."""
    charges = {windows // 3 * i + i * i: frac for i, frac in enumerate((0.7, 0.52, 0.46))}
    seen = 0

    def count(_: object) -> None:
        nonlocal seen
        seen += 1
        if seen in charges:
            session.set_battery(charges[seen])

    session.subscribe(on_prediction=count)


async def cpu_share(seconds: float) -> float:
    """CPU time of this process over wall time, after a warm-up."""
    await asyncio.sleep(WARM_UP_S)
    cpu_s, wall_s = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    return (time.process_time() - cpu_s) / (time.monotonic() - wall_s)


async def without_screen(session: Session, seconds: float) -> float:
    run = asyncio.ensure_future(session.run())
    share = await cpu_share(seconds)
    session.stop()
    await run
    return share


async def on_screen(session: Session, seconds: float) -> float:
    app = DashboardApp(session)
    run = asyncio.ensure_future(app.run_async())
    share = await cpu_share(seconds)
    await app.action_quit()
    await run
    return share


def in_terminal(size: tuple[int, int], arguments: list[str]) -> tuple[float, float]:
    """The CPU share that a process of this file measures on a terminal of its own, and what it sent there, kB/s."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    sent_bytes = 0

    def discard() -> None:
        nonlocal sent_bytes
        try:
            while data := os.read(ours, 65536):
                sent_bytes += len(data)
        except OSError:
            return  # the other end is closed

    reader = threading.Thread(target=discard, daemon=True)
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "share.json"
        environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        command = [sys.executable, __file__, *arguments, "--measure-into", str(result)]
        started_s = time.monotonic()
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        reader.start()
        if process.wait() != 0:
            raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
        wall_s = time.monotonic() - started_s
        reader.join(1.0)
        os.close(ours)
        return json.loads(result.read_text())["share"], sent_bytes / wall_s / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="uci_cnn")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each figure is measured (default 20)")
    parser.add_argument("--picture", type=Path, metavar="OUT.svg", help="draw this instead of measuring")
    parser.add_argument("--size", default="120x40", metavar="COLUMNSxROWS", help="of the picture")
    parser.add_argument("--windows", type=int, default=60, help="predictions before the picture is taken (default 60)")
    parser.add_argument("--measure-into", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()

    if args.picture:
        session = make_session(args.model, "wearer://?seed=1&loss=0.005")
        drain(session, args.windows)
        columns, rows = map(int, args.size.split("x"))
        asyncio.run(take_picture(session, args.picture, size=(columns, rows), after_windows=args.windows))
        return
    session = make_session(args.model, "wearer://?seed=1&rate=100")
    if args.measure_into:
        share = asyncio.run(on_screen(session, args.seconds))
        args.measure_into.write_text(json.dumps({"share": share}))
        return
    alone = asyncio.run(without_screen(session, args.seconds))
    print(f"{'without a screen':<18}{alone:7.1%} of a core")
    for columns, rows in SIZES:
        share, sent_kb = in_terminal((columns, rows), ["--model", args.model, "--seconds", str(args.seconds)])
        name = f"{columns} x {rows}"
        print(f"{name:<18}{share:7.1%} of a core, {share - alone:6.1%} for the dashboard, {sent_kb:5.0f} kB/s sent")


if __name__ == "__main__":
    main()
