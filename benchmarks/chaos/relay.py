"""A relay and its receiver whose processes are killed, whose journal is copied or damaged, whose disk is full.

Every sample has a value of its own, so that the receiver's log says which arrived, and how often. Expected of each
kind of harm: sent = processed + reported as lost, and both ends come to their end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

from kinestream.core.signals import ACC, SampleChunk
from kinestream.ingest import Journal, Relay, RelaySource
from kinestream.ingest.relay.durable import Mark

SAMPLES = 10
"""Samples of a chunk."""

PATIENCE_S = 60.0
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Sender:
    """A relay process: the chunks from ``first`` on, continued where a killed process stopped."""

    to: str
    folder: Path
    """The journal, beside its ``.cursor``, ``.counts`` and ``.lines``."""
    first: int
    chunks: int
    live: bool = False
    pause_s: float = 0.001
    state: Path | None = None
    """Where the files beside the journal are, if its disk is full; None: beside the journal."""

    def beside(self, suffix: str) -> Path:
        return (self.state or self.folder.parent) / f"{self.folder.name}{suffix}"

    def __call__(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        with open(self.beside(".lines"), "a") as lines, Journal(self.folder) as journal:

            def report(line: str) -> None:
                lines.write(line + "\n")
                lines.flush()

            relay = Relay(self.to, journal, report=report, hello_s=0.1, patience_s=0.5)
            counts = await relay.run(_Numbered(self))
            self.beside(".counts").write_text(json.dumps(dict(counts)))


class _Numbered:
    """A source whose chunks state their number; it offers one only after the one before is in the journal."""

    name = "numbered"

    def __init__(self, sender: Sender) -> None:
        self.live = sender.live
        self._sender = sender

    async def chunks(self) -> AsyncIterator[SampleChunk]:
        cursor = Mark(self._sender.beside(".cursor"))
        for number in range(cursor.value, self._sender.chunks):
            cursor.set(number + 1)  # offered from here on
            yield numbered(self._sender.first + number, self._sender.folder.name)
            await asyncio.sleep(self._sender.pause_s)

    def counts(self) -> Mapping[str, int]:
        return {}

    async def aclose(self) -> None:
        pass


def numbered(number: int, epoch: str) -> SampleChunk:
    """Return the chunk of a number; its samples are numbers too.

    >>> numbered(3, "a").x[0, 0]
    np.float32(30.0)
    """
    values = np.arange(number * SAMPLES, (number + 1) * SAMPLES)
    x = np.zeros((SAMPLES, 3), np.float32)
    x[:, 0] = values
    return SampleChunk("wrist", epoch, values / 50.0, x, ACC, 50.0, number * SAMPLES, float(values[-1] / 50.0))


def receive(uri: str, log: Path) -> None:
    """Write the first number of each chunk into the log, then acknowledge it."""

    async def run() -> None:
        source = RelaySource(uri)
        file = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        async for chunk in source.chunks():
            os.write(file, b"%d\n" % int(chunk.x[0, 0]))
            source.done(1)
        await source.aclose()

    asyncio.run(run())


@dataclass(slots=True)
class Outcome:
    """What a round of harm did, in samples."""

    sent: int
    processed: int
    twice: int
    reported: int
    ended: bool
    allowed: int = 0
    """Samples that may be lost unreported: those that a killed relay's source was passing on."""

    @property
    def good(self) -> bool:
        """Whether nothing was lost in silence, and nothing hangs."""
        return self.ended and 0 <= self.sent - self.processed - self.reported <= self.allowed

    def __str__(self) -> str:
        missing = self.sent - self.processed - self.reported
        return (
            f"sent {self.sent}, processed {self.processed}, reported lost {self.reported}, missing {missing} "
            f"(allowed {self.allowed}), twice {self.twice}, {'ended' if self.ended else 'DID NOT END'}"
        )


class _Scene:
    """A receiver with its log, and senders, in a folder."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.to = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        self.folder, self.rng = folder, rng
        self.uri = f"relay:{self.to[4:]}?stay=1&state={folder / 'received'}"
        self.log = folder / "log"
        self.senders: list[Sender] = []

    def receiver(self) -> BaseProcess:
        return _started(receive, self.uri, self.log)

    def numbers(self) -> list[int]:
        return [int(line) for line in self.log.read_text().splitlines() if line] if self.log.exists() else []

    def outcome(self, ended: bool, allowed: int = 0) -> Outcome:
        seen = Counter(self.numbers())
        sent = sum(Mark(sender.beside(".cursor")).value for sender in self.senders)
        reported = 0
        for sender in self.senders:
            if sender.beside(".counts").exists():
                counts = json.loads(sender.beside(".counts").read_text())
                reported += counts.get("thrown_away", 0) + counts.get("damaged", 0)
        twice = sum(seen.values()) - len(seen)
        return Outcome(SAMPLES * sent, SAMPLES * len(seen), SAMPLES * twice, reported, ended, SAMPLES * allowed)


def kills(scene: _Scene) -> Outcome:
    """Kill the relay and the receiver at random moments."""
    sender = Sender(scene.to, scene.folder / "journal", 0, 3000)
    scene.senders.append(sender)
    relay, receiver, killed = _started(sender), scene.receiver(), 0
    for _ in range(6):
        time.sleep(scene.rng.uniform(0.4, 1.6))
        if scene.rng.random() < 0.5 and relay.is_alive():
            _kill(relay)
            relay, killed = _started(sender), killed + 1
        else:
            _kill(receiver)
            receiver = scene.receiver()
    relay.join(PATIENCE_S)
    ended = not relay.is_alive()
    _kill(relay, receiver)
    return scene.outcome(ended, allowed=killed)


def copies(scene: _Scene) -> Outcome:
    """Copy a journal with undelivered messages, and let both send at a time."""
    original = scene.folder / "journal"
    with Journal(original):
        pass
    shutil.copytree(original, scene.folder / "copy")
    scene.senders += [
        Sender(scene.to, original, 0, 1500),
        Sender(scene.to, scene.folder / "copy", 1_000_000, 1500),
    ]
    receiver = scene.receiver()
    relays = [_started(sender) for sender in scene.senders]
    for relay in relays:
        relay.join(PATIENCE_S)
    ended = not any(relay.is_alive() for relay in relays)
    _kill(receiver, *relays)
    return scene.outcome(ended)


def flips(scene: _Scene) -> Outcome:
    """Flip bits of a journal while nothing runs."""
    sender = Sender(scene.to, scene.folder / "journal", 0, 1500, live=True, pause_s=0)
    scene.senders.append(sender)
    relay = _started(sender)
    while Mark(sender.beside(".cursor")).value < sender.chunks:
        time.sleep(0.05)
    time.sleep(0.2)
    _kill(relay)
    for path in sender.folder.glob("*.seg"):
        data = bytearray(path.read_bytes())
        for _ in range(scene.rng.randrange(1, 6)):
            data[scene.rng.randrange(len(data))] ^= 1 << scene.rng.randrange(8)
        path.write_bytes(data)
    receiver, relay = scene.receiver(), _started(sender)
    relay.join(PATIENCE_S)
    ended = not relay.is_alive()
    _kill(relay, receiver)
    return scene.outcome(ended, allowed=1)


def full(scene: _Scene) -> Outcome:
    """Fill the journal's disk, a real one of a megabyte, with a live source or one that waits; then let it drain."""
    with _small_disk(scene.folder / "disk") as disk:
        live = scene.rng.random() < 0.5
        sender = Sender(scene.to, disk / "journal", 0, 8000, live=live, pause_s=0, state=scene.folder)
        scene.senders.append(sender)
        relay = _started(sender)
        time.sleep(scene.rng.uniform(2.0, 5.0))
        receiver = scene.receiver()
        relay.join(PATIENCE_S)
        ended = not relay.is_alive()
        _kill(relay, receiver)
        return scene.outcome(ended)


KINDS: dict[str, Callable[[_Scene], Outcome]] = {"kills": kills, "copies": copies, "flips": flips, "full": full}


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser("relay", help="harm a relay, its journal and its receiver", description=__doc__)
    parser.add_argument("--kind", choices=tuple(KINDS), action="append", help="default: all; full needs root on Linux")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Harm, print each round's outcome, and return 1 if anything was lost in silence."""
    bad = 0
    for kind in args.kind or KINDS:
        for number in range(args.rounds):
            with tempfile.TemporaryDirectory() as folder:
                outcome = KINDS[kind](_Scene(Path(folder), random.Random(f"{kind} {args.seed} {number}")))
            bad += not outcome.good
            print(f"{kind} {number}: {'good' if outcome.good else 'BAD'}: {outcome}", flush=True)
    return int(bad > 0)


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def _started(target: Callable[..., None], *arguments: object) -> BaseProcess:
    process = _SPAWN.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def _kill(*processes: BaseProcess) -> None:
    for process in processes:
        process.kill()
        process.join()
