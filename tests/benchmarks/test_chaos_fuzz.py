"""The long form of fuzzing: it outlives what it finds, saves it to be replayed, and continues where it stopped."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.chaos.fuzz import fuzz, replay_case, targets
from tests.fuzz.judge import BrokenRule, load_case

BROKEN = "tests.benchmarks.broken_parsers:TARGETS"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes there have no resource limits")


def test_crashes_hangs_and_exceptions_are_found_and_saved(tmp_path: Path) -> None:
    names = ["crash", "hang", "raise", "good"]
    tallies = fuzz(tmp_path, names, 7, 0.8, where=BROKEN, slice_s=0.2, patience_s=3.0)
    assert [tallies[name].broken > 0 for name in names] == [True, True, True, False]
    assert tallies["good"].accepted == tallies["good"].cases > 0
    saved = sorted(path.name.split("_")[:2] for path in tmp_path.glob("*_*.json"))
    assert saved == [["crash", "crash"], ["hang", "hang"], ["raise", "exception"]]
    (path,) = tmp_path.glob("raise*.json")
    assert load_case(path) == ("raise", targets(BROKEN)["raise"].case(7, 0))
    with pytest.raises(BrokenRule, match="KeyError"):
        replay_case(path, BROKEN)


def test_a_seed_continues_where_it_stopped(tmp_path: Path) -> None:
    first = fuzz(tmp_path, ["good"], 3, 0.2, where=BROKEN)["good"].cases
    second = fuzz(tmp_path, ["good"], 3, 0.2, where=BROKEN)["good"].cases
    assert json.loads((tmp_path / "seed-3.json").read_text()) == {"good": first + second}
