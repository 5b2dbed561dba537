"""Harmed input for every parser that takes the bytes of strangers, for as long as it is let.

Each parser works in a process of its own, so that a crash, a hang or a lack of memory is found, too. A case follows
from its seed and number alone; the folder remembers how far each seed has come, so that a second run continues there.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import json
import multiprocessing
import os
import re
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.core.atomic_file import write_atomically

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

    from tests.fuzz.judge import Target

TARGETS = "tests.fuzz.targets:TARGETS"
SLICE_S = 30.0
"""Time for one parser before the next one's turn."""
PATIENCE_S = 60.0
"""Time for one case, whatever it waits for, before its process is killed."""
MAX_ADDRESS_BYTES = 16 << 30
"""Address space of a process, much of which libraries reserve and never use."""


@dataclass(slots=True)
class Tally:
    """What the cases of one parser did."""

    cases: int = 0
    accepted: int = 0
    """Cases that gave a value; the others were refused in one line, or broke the rule."""
    broken: int = 0
    """Cases that broke the rule."""
    seconds: float = 0.0


def targets(where: str = TARGETS) -> Mapping[str, Target]:
    """Return the parsers by name.

    Args:
        where: a module and the name of the mapping in it.
    """
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)


def fuzz(
    folder: Path,
    names: list[str],
    seed: int,
    seconds: float,
    *,
    where: str = TARGETS,
    slice_s: float = SLICE_S,
    patience_s: float = PATIENCE_S,
) -> dict[str, Tally]:
    """Run parsers in turn until the time is over, each at least once.

    Args:
        folder: takes the broken cases, and how far each seed has come.
        names: the parsers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tallies = {name: Tally() for name in names}
    stop_s = time.monotonic() + seconds
    is_first = True
    while is_first or time.monotonic() < stop_s:
        is_first = False
        for name in names:
            share_s = min(slice_s, max(stop_s - time.monotonic(), seconds / len(names)))
            _run_slice(folder, name, seed, share_s, tallies[name], where, patience_s)
    return tallies


def _run_slice(folder: Path, name: str, seed: int, seconds: float, tally: Tally, where: str, patience_s: float) -> None:
    """Run one parser in a process, and note where it came to."""
    progress_file = folder / f"seed-{seed}.json"
    progress = json.loads(progress_file.read_text()) if progress_file.exists() else {}
    start = progress.get(name, 0)
    context = multiprocessing.get_context("spawn")
    number, accepted, broken = (context.Value(ctypes.c_uint64, value) for value in (start, 0, 0))
    began_s = time.monotonic()
    process = context.Process(target=_work, args=(folder, where, name, seed, seconds, number, accepted, broken))
    process.start()
    seen, seen_s = start, time.monotonic()
    while process.is_alive():
        process.join(0.2)
        if number.value != seen:
            seen, seen_s = number.value, time.monotonic()
        elif time.monotonic() - seen_s > patience_s:
            process.kill()
            process.join()
            break
    at = number.value
    if process.exitcode:
        kind = "hang" if time.monotonic() - seen_s > patience_s else "crash"
        _save(folder, targets(where)[name], seed, at, kind, "process", f"ended with status {process.exitcode}")
        tally.broken += 1
        at += 1
    tally.cases += at - start
    tally.accepted += accepted.value
    tally.broken += broken.value
    tally.seconds += time.monotonic() - began_s
    write_atomically(progress_file, json.dumps(progress | {name: at}, indent=1))


def _work(
    folder: Path,
    where: str,
    name: str,
    seed: int,
    seconds: float,
    number: Synchronized[int],
    accepted: Synchronized[int],
    broken: Synchronized[int],
) -> None:
    """Judge cases from ``number`` on; runs in the process."""
    from tests.fuzz.judge import BrokenRule, judge

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries tell of every harmed file
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_BYTES, MAX_ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    target = targets(where)[name]
    stop_s = time.monotonic() + seconds
    while time.monotonic() < stop_s:
        try:
            accepted.value += judge(target, target.case(seed, number.value))
        except BrokenRule as error:
            broken.value += 1
            _save(folder, target, seed, number.value, error.kind, error.where, str(error))
        number.value += 1


def _save(folder: Path, target: Target, seed: int, number: int, kind: str, where: str, about: str) -> None:
    """Write the first case of each kind and place; the others are counted only."""
    from tests.fuzz.judge import save_case

    path = folder / f"{re.sub('[^A-Za-z0-9.]+', '_', f'{target.name} {kind} {where}')}.json"
    if not path.exists():
        save_case(path, target.name, target.case(seed, number), f"seed {seed}, case {number}: {about}")
        print(f"{target.name}: seed {seed}, case {number}: {about[:300]}\n  {path}", flush=True)


def replay_case(path: Path, where: str = TARGETS) -> str:
    """Judge a saved case again and return the outcome in a line.

    Raises:
        BrokenRule: it breaks the rule still.
    """
    from tests.fuzz.judge import judge, load_case

    name, case = load_case(path)
    return f"{name}: {'accepted' if judge(targets(where)[name], case) else 'refused in one line'}"


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of ``benchmarks.chaos``."""
    parser = kinds.add_parser("fuzz", help="harmed input for every parser", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="for all parsers together (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="a used seed continues where it stopped")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="parsers whose names begin so")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/fuzz"), help="folder of broken cases (default: %(default)s)"
    )
    parser.add_argument("--case", type=Path, metavar="FILE", help="judge one saved case again")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; return 1 if a case broke the rule."""
    from tests.fuzz.judge import BrokenRule

    if args.case:
        try:
            print(replay_case(args.case))
        except BrokenRule as error:
            print(error)
            return 1
        return 0
    names = [name for name in targets() if not args.only or name.startswith(tuple(args.only))]
    if not names:
        print(f"no parser begins with {', '.join(args.only)}; known: {', '.join(targets())}")
        return 2
    tallies = fuzz(args.out, names, args.seed, args.minutes * 60)
    print(f"seed {args.seed}\n{'parser':24}{'cases':>10}{'accepted':>10}{'broken':>8}{'cases/s':>9}")
    for name, tally in tallies.items():
        share = tally.accepted / max(tally.cases, 1)
        print(f"{name:24}{tally.cases:>10}{share:>10.0%}{tally.broken:>8}{tally.cases / tally.seconds:>9.0f}")
    return int(any(tally.broken for tally in tallies.values()))
