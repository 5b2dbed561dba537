"""The rule for every parser that takes the bytes of strangers, and what checks it.

A case gives a valid value, or one ``KinestreamError`` with a message of one line. It never gives another exception or a
warning, takes a bounded time of the processor and a bounded amount of memory, and no value that a checksum or a known
signal shows to be wrong.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from kinestream.core.errors import KinestreamError

from .mutations import Case, Mutation, mutate_bytes, mutate_parts

MAX_CPU_S = 5.0
MAX_GROWTH_BYTES = 256 << 20
"""Memory that one case may add to the highest use so far."""
MAX_MESSAGE = 2000
"""Longest message, in characters."""


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under attack."""

    name: str
    seeds: Callable[[], Sequence[Case]]
    """Returns valid cases, each with at least one part."""
    parse: Callable[[Case], Any]
    """Parses a case, and asserts that the value is valid."""
    mutation: Mutation = mutate_bytes
    """What harms a part."""
    has_fixed_parts: bool = True
    """Whether a case has always as many parts as its seed; else parts are also left out, repeated and swapped."""

    def mutate(self, rng: random.Random, seed: Case) -> Case:
        """Return a harmed case."""
        if not self.has_fixed_parts:
            return mutate_parts(rng, seed, self.mutation, self.seeds())
        parts = list(seed)
        for _ in range(rng.choice((1, 1, 2))):
            at = rng.randrange(len(parts))
            parts[at] = self.mutation(rng, parts[at])
        return tuple(parts)

    def case(self, seed: int, number: int) -> Case:
        """Return one of the cases of a seed; the same on every machine."""
        rng = random.Random(f"{self.name} {seed} {number}")
        return self.mutate(rng, rng.choice(self.seeds()))


class BrokenRule(AssertionError):
    """A case after which the rule does not hold.

    Args:
        kind: ``exception``, ``warning``, ``message``, ``wrong``, ``slow`` or ``memory``.
        where: the line of code, to tell failures apart.
    """

    def __init__(self, kind: str, where: str, what: str) -> None:
        self.kind, self.where = kind, where
        super().__init__(f"{kind} at {where}: {what}")


class _TooSlow(BaseException):
    """Not an ``Exception``: a parser that catches these would swallow it."""


@contextmanager
def _limited_cpu(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _reset_peak() -> int:
    """Make the present use of memory the highest; return it, in bytes."""
    with suppress(OSError):  # only Linux can; elsewhere a case that needs less than an earlier one is not noticed
        Path("/proc/self/clear_refs").write_bytes(b"5")
    return _peak()


def _peak() -> int:
    """Return the highest use of memory, in bytes."""
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
    return int(status.partition(b"VmHWM:")[2].split(maxsplit=1)[0]) << 10


def judge(target: Target, case: Case) -> bool:
    """Parse a case by the rule; return whether it gave a value.

    Raises:
        BrokenRule: the rule does not hold.
    """
    before = _reset_peak()
    accepted = True
    try:
        with _limited_cpu(MAX_CPU_S), warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", ResourceWarning)  # raised where no one can catch them
            target.parse(case)
    except _TooSlow as error:
        raise BrokenRule("slow", _where(error), f"more than {MAX_CPU_S:g} s") from None
    except KinestreamError as error:
        accepted = False
        text = str(error)
        if len(text.splitlines()) != 1 or not text.strip() or len(text) > MAX_MESSAGE:
            raise BrokenRule("message", _where(error), f"{len(text)} characters: {text[:200]!r}") from error
    except AssertionError as error:
        raise BrokenRule("wrong", _where(error), str(error)[:500]) from error
    except Warning as error:
        raise BrokenRule("warning", _where(error), f"{type(error).__name__}: {error}"[:500]) from error
    except Exception as error:
        raise BrokenRule("exception", _where(error), f"{type(error).__name__}: {error}"[:500]) from error
    growth = _peak() - before
    if growth > MAX_GROWTH_BYTES:
        raise BrokenRule("memory", target.name, f"{growth >> 20} MiB more")
    return accepted


def _where(error: BaseException) -> str:
    """Return the innermost line of kinestream in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename and frame.filename[:1] == "/"]
    root = str(Path(__file__).resolve().parents[2])
    named = [frame for frame in ours if frame.filename.startswith(root)] or ours or frames
    return f"{Path(named[-1].filename).name}:{named[-1].lineno}"


def save_case(path: Path, target: str, case: Case, about: str) -> None:
    """Write a case to be replayed."""
    path.write_text(json.dumps({"target": target, "about": about, "parts": [part.hex() for part in case]}, indent=1))


def load_case(path: Path) -> tuple[str, Case]:
    """Return the target's name and the case in a file that ``save_case`` wrote."""
    content = json.loads(path.read_text())
    return content["target"], tuple(bytes.fromhex(part) for part in content["parts"])


def as_text(part: bytes) -> str:
    """Return a part as a command line gives it: bytes that are not UTF-8 become halves of characters."""
    return part.decode("utf-8", "surrogateescape")
