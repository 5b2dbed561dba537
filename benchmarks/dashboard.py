"""The cost of the dashboard: CPU share of one core at ten refreshes a second, and the delay of predictions.

    python benchmarks/dashboard.py                                          the figures
    python benchmarks/dashboard.py --picture runs/dashboard.svg     the picture

Each figure is of a whole process (live wearer at 100 Hz, so that every refresh has new samples; windowing, network,
policy; four predictions a second): CPU time over wall time, and the delay from the moment a prediction's last packet
was due until the prediction was delivered, beyond the fastest prediction's, by the machine's clock. Each process draws
on a terminal that discards its output, while another runs without a screen: other load on the machine delays both, and
the difference is due to the dashboard.
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
from collections import deque
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kinestream.core.signals import Prediction
from kinestream.dashboard import DashboardApp, take_picture
from kinestream.inference import Engine, find_model, load_model, operating_table
from kinestream.launch.open_source import open_source
from kinestream.policy import make_battery, make_policy
from kinestream.run.pipeline import Pipeline
from kinestream.run.session import Session

SIZES = ((80, 24), (120, 40), (200, 60))
WARM_UP_S = 3.0
POLICY = "battery:hours=2"
BATTERY = "simulated:capacity_j=35,base_mw=2"
"""As ``kinestream demo`` has them."""


HOP_S = 0.25
"""Predictions are asked for more often than the model's own hop, for a p99 within a minute or two."""


def make_session(model: str, source: str, hop_s: float | None = None) -> Session:
    engine = Engine(load_model(find_model(model)))
    table = operating_table(engine)
    engine.warm([point.subnet for point in table.front])
    battery = make_battery(BATTERY)
    hop = round(hop_s * engine.model.input.fs_hz) if hop_s else None
    policy = make_policy(POLICY, table)
    pipeline = Pipeline(engine, policy, table, battery=battery, deadline_ms=2.0, hop=hop)
    return Session(open_source(source), pipeline, model_name=engine.model.name, policy_text=POLICY)


def drain(session: Session, windows: int) -> None:
    """Let the battery fall by jumps on the way to the picture, as the key ``b`` does, so that the picture shows it."""
    charges = {windows // 3 * i + i * i: frac for i, frac in enumerate((0.7, 0.52, 0.46))}
    seen = 0

    def count(_: object) -> None:
        nonlocal seen
        seen += 1
        if seen in charges:
            session.set_battery(charges[seen])

    session.subscribe(on_prediction=count)


class Cost(NamedTuple):
    """Of one run."""

    share: float
    """CPU time over wall time."""
    delays_ms: tuple[float, float]
    """p50 and p99, from when the packet that completes a window is due to its prediction in a subscriber's hands,
    above the fastest of the run."""
    predictions: int

    @classmethod
    def read(cls, path: Path) -> Cost:
        share, (p50_ms, p99_ms), predictions = json.loads(path.read_text())
        return cls(share, (p50_ms, p99_ms), predictions)

    def __str__(self) -> str:
        p50_ms, p99_ms = self.delays_ms
        return f"{self.share:6.1%} of a core; predictions later by {p50_ms:4.1f} ms, p99 {p99_ms:5.1f} ms"


async def measured(session: Session, seconds: float) -> Cost:
    """The cost of the running session, after a warm-up."""
    delays_ms: list[float] = []
    due: deque[tuple[float, float]] = deque()  # the last sample of each packet, and when it should come

    def note(prediction: Prediction) -> None:
        while due[0][0] < prediction.t_end_s:
            due.popleft()
        delays_ms.append((time.monotonic() - due[0][1]) * 1000)

    session.subscribe(lambda chunk: due.append((float(chunk.t[-1]), chunk.received_s)), note)
    await asyncio.sleep(WARM_UP_S)
    delays_ms.clear()
    cpu_s, wall_s = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    share = (time.process_time() - cpu_s) / (time.monotonic() - wall_s)
    # A run's clock begins when its first second has been made up, which takes another time in each.
    p50, p99 = (np.percentile(delays_ms, (50, 99)) - min(delays_ms)).tolist()
    return Cost(share, (p50, p99), len(delays_ms))


async def without_screen(session: Session, seconds: float) -> Cost:
    run = asyncio.ensure_future(session.run())
    cost = await measured(session, seconds)
    session.stop()
    await run
    return cost


async def on_screen(session: Session, seconds: float) -> Cost:
    app = DashboardApp(session)
    run = asyncio.ensure_future(app.run_async())
    cost = await measured(session, seconds)
    await app.action_quit()
    await run
    return cost


def in_terminal(size: tuple[int, int], arguments: list[str]) -> tuple[Cost, Cost, float]:
    """The costs of two simultaneous processes of this file, with and without a terminal, and the output of the first.

    The output is in kB/s.
    """
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
        drawn, alone = Path(folder) / "drawn.json", Path(folder) / "alone.json"
        environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        command = [sys.executable, __file__, *arguments, "--measure-into"]
        started_s = time.monotonic()
        terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "env": environment}
        processes = [subprocess.Popen([*command, str(drawn)], **terminal)]
        processes += [subprocess.Popen([*command, str(alone), "--no-screen"])]
        os.close(theirs)
        reader.start()
        statuses = [process.wait() for process in processes]
        if any(statuses):
            raise SystemExit(f"{' '.join(command)} failed")
        wall_s = time.monotonic() - started_s
        reader.join(1.0)
        os.close(ours)
        return Cost.read(drawn), Cost.read(alone), sent_bytes / wall_s / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="uci_cnn")
    parser.add_argument("--terminal", metavar="COLUMNSxROWS", help="measure this size only")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each figure is measured (default 60)")
    parser.add_argument("--picture", type=Path, metavar="OUT.svg", help="draw this instead of measuring")
    parser.add_argument("--size", default="130x42", metavar="COLUMNSxROWS", help="of the picture")
    parser.add_argument("--windows", type=int, default=14, help="predictions before the picture is taken (default 14)")
    parser.add_argument("--measure-into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--no-screen", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()

    if args.picture:
        session = make_session(args.model, "wearer://?seed=1&loss=0.005")
        drain(session, args.windows)
        asyncio.run(take_picture(session, args.picture, size=_size(args.size), after_windows=args.windows))
        return
    if args.measure_into:
        session = make_session(args.model, "wearer://?seed=1&rate=100&live=1", HOP_S)
        measure = without_screen if args.no_screen else on_screen
        args.measure_into.write_text(json.dumps(asyncio.run(measure(session, args.seconds))))
        return
    for columns, rows in (_size(args.terminal),) if args.terminal else SIZES:
        drawn, alone, sent_kb = in_terminal((columns, rows), ["--model", args.model, "--seconds", str(args.seconds)])
        print(f"{f'{columns} x {rows}':<18}{drawn} ({drawn.predictions}); {sent_kb:.0f} kB/s sent")
        print(f"{'  without a screen':<18}{alone} ({alone.predictions})", flush=True)


def _size(text: str) -> tuple[int, int]:
    columns, rows = map(int, text.split("x"))
    return columns, rows


if __name__ == "__main__":
    main()
