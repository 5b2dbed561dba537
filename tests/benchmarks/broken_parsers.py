"""Parsers that break the rule of ``tests/fuzz/judge.py`` in ways that only another process survives."""

from __future__ import annotations

import os
import signal
import time

from tests.fuzz.judge import Target
from tests.fuzz.mutations import Case


def _crash(case: Case) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang(case: Case) -> None:
    time.sleep(60)


def _raise(case: Case) -> None:
    raise KeyError(case[0])


TARGETS = {
    name: Target(name, lambda: [(b"abc",)], parse)
    for name, parse in (("crash", _crash), ("hang", _hang), ("raise", _raise), ("good", len))
}
