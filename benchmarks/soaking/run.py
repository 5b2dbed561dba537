"""One soak with all its processes: starts the senders, receives, takes the vitals, compares the counts."""

from __future__ import annotations

import asyncio
import math
import random
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TextIO, cast

from kinestream import RunOptions, build_run
from kinestream.cli.output import JsonLines
from kinestream.inference import find_model, load_model
from kinestream.outputs.prometheus import MetricsServer, listen
from kinestream.run.session import Session

from .cutter import cut_links
from .outcome import Outcome
from .receiver import Seen, Sink, scrape
from .senders import Shared, Task, send_malformed, send_wearer
from .vitals import WARM_UP_SHARE, Vitals, object_types, take_vitals

MODEL = "anywhere_acc"
"""The smallest bundled model, and the one that remembers most about a stream."""
CHECKPOINTS = 96
PORTS = range(21_000, 29_000)
"""Below the ports that systems hand out, so that no program takes a port while its sender restarts."""
WINDOWED = ("windows", "gaps", "lost", "interpolated", "not_finite", "out_of_order")
"""The counts of windowing that a ledger has."""
WAIT_S = 60.0
"""Longest wait for a sender's report once the run has ended."""


class Soak:
    """One run with all its processes."""

    def __init__(self, over: str, hours: float, wearers: int, seed: int, model: str = MODEL) -> None:
        self.over, self.hours, self.wearers, self.seed, self.model = over, hours, wearers, seed, model
        self._spec = load_model(find_model(model)).input
        self._ports = free_ports(wearers + 2)
        self._context = get_context("spawn")
        self._shared = Shared(
            self._context.Array("d", wearers + 1, lock=False), self._context.Array("q", wearers, lock=False)
        )
        self._processes: list[BaseProcess] = []
        self._reports: list[Any] = []
        self._sink, self._seen = Sink(), Seen(f"wearer-{wearers - 1}", self._spec)
        self._vitals: list[Vitals] = []
        self._types: list[Counter[str]] = []
        self._scrapes = 0

    async def run(self, progress: TextIO | None = None) -> Outcome:
        """Run to the end of the day.

        Raises:
            RuntimeError: a sender failed.
        """
        started_s = time.perf_counter()
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.callback(self._kill)
            self._start_senders(folder)
            session = build_run(
                RunOptions(self._address(folder), model=self.model, smooth=True, unknown_below=0.9, episodes=True)
            )
            writer = JsonLines(cast(TextIO, self._sink))
            session.subscribe(self._seen.chunk, writer.prediction, writer.episode)
            metrics = MetricsServer(session, listen(":0"))
            session.accompany(metrics)
            watching = asyncio.create_task(self._watch(session, metrics.port, started_s, progress))
            summary = await session.run()
            if watching.done():
                watching.result()  # raises its error
            watching.cancel()
            reports = [self._report(i) for i in range(len(self._reports))]
        return Outcome(
            self.over,
            self.hours,
            self.wearers,
            self.seed,
            time.perf_counter() - started_s,
            self._vitals,
            self._compared(reports, summary, metrics),
            dict(sum((Counter(report["harms"]) for report in reports[: self.wearers]), Counter[str]())),
            dict((self._types[-1] - self._types[0]).most_common(8)) if self._types else {},
        )

    def _address(self, folder: Path) -> str:
        if self.over == "relay":
            return f"relay://127.0.0.1:{self._ports[-1]}?state={folder / 'received'}"
        places = ",".join(f"127.0.0.1:{port}" for port in self._ports[: self.wearers + 1])
        return f"zmq+tcp://{places}?expect={self.wearers}"

    def _start_senders(self, folder: Path) -> None:
        for i in range(self.wearers + 1):
            port, journal = self._ports[i], None
            if self.over == "relay":
                port, journal = self._ports[-2], folder / f"journal-{i}"
            task = Task(i, self.wearers, self.hours, self.seed, self._spec, port, journal)
            own, theirs = self._context.Pipe()
            target: Any = send_wearer if i < self.wearers else send_malformed
            arguments: tuple[Any, ...] = (task, self._shared, theirs)
            if i == self.wearers and self.over == "relay":
                self._shared.positions_s[i] = math.inf
                target, arguments = cut_links, (task, self._ports[-1], self._shared, theirs)
            process = self._context.Process(target=target, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._reports.append(own)

    async def _watch(self, session: Session, port: int, started_s: float, progress: TextIO | None) -> None:
        """Take the vitals at every checkpoint, and show how far the run is, until cancelled."""
        next_h, shown_s = 0.0, 0.0
        while True:
            hours = min(min(self._shared.positions_s[: self.wearers]) / 3600.0, self.hours)
            wall_s = time.perf_counter() - started_s
            self._shared.received[:] = [self._seen.samples[f"wearer-{i}"] for i in range(self.wearers)]
            windows = self._sink.lines["stream"]
            if hours >= next_h and windows:
                next_h = hours + self.hours / CHECKPOINTS
                self._scrapes += bool(await scrape(port))
                pids = [process.pid for process in self._processes]
                self._vitals.append(take_vitals(hours, wall_s, pids, session.queued[0], windows))
                if hours >= WARM_UP_SHARE * self.hours:
                    self._types[1:] = [object_types()]
            if progress and wall_s - shown_s >= 0.5:
                shown_s = wall_s
                speed = hours * 3600 / wall_s
                progress.write(
                    f"\r{hours:6.2f} of {self.hours:g} h  {wall_s:5.0f} s  {speed:5.0f} x  {windows} windows "
                )
                progress.flush()
            if any(process.exitcode for process in self._processes):
                session.stop()
            await asyncio.sleep(0.05)

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()
            process.join()
        for report in self._reports:
            report.close()

    def _report(self, index: int) -> dict[str, Any]:
        report, process = self._reports[index], self._processes[index]
        if self.over == "relay" and index == self.wearers:
            report.send("end")
        try:
            if report.poll(WAIT_S):
                found: dict[str, Any] = report.recv()
                process.join(WAIT_S)
                return found
        except (EOFError, ConnectionError):
            pass
        raise RuntimeError(f"sender {index} reported nothing; its exit status is {process.exitcode}")

    def _compared(
        self, reports: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], metrics: MetricsServer
    ) -> dict[str, tuple[int, int]]:
        """The two figures of each kind."""
        ledgers = [Counter[str](report["counts"]) for report in reports[: self.wearers]]
        sent = sum(ledgers, Counter[str]())
        if self.over != "relay":  # the flooder knows what it sent, not what arrived
            flooder, seen = ledgers[-1], self._seen.flooder_counts()
            sent = sum(ledgers[:-1], Counter[str]()) + Counter(seen)
            sent["not_received"] += flooder["samples"] + flooder["left_out"] - flooder["unproven"] - seen["samples"]
            sent["malformed"] = reports[-1]["malformed"]
        counts = Counter[str](summary["counts"])
        kinds = ["samples", *WINDOWED, "not_received", "restarted", "malformed", "dropped", "too_many_streams"]
        if self.over != "relay":
            kinds.append("repeated")  # a relay sends messages again whose acknowledgement was lost
        compared = {kind: (sent[kind], counts[kind]) for kind in kinds}
        served = sum(
            sample.value
            for family in metrics.metrics.registry.collect()
            for sample in family.samples
            if sample.name == "kinestream_predictions_total"
        )
        return compared | {
            "epochs": (sum(report["epochs"] for report in reports[: self.wearers]), self._seen.epochs),
            "samples handed out": (sent["samples"], self._seen.samples.total()),
            "predictions": (counts["windows"] - counts["passed_over"], summary["predictions"]),
            "predictions as JSON": (summary["predictions"], self._sink.lines["stream"]),
            "predictions as metrics": (summary["predictions"], int(served)),
            "episodes as JSON": (summary["episodes"], self._sink.lines["episode"]),
        }


def free_ports(n: int) -> list[int]:
    """Return ports of this machine on which no program listens now."""
    ports: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == n:
            return ports
    raise RuntimeError(f"fewer than {n} free ports from {PORTS.start} to {PORTS.stop}")
