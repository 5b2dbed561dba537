"""A few minutes of two wearers over real sockets; what the ledger proves; how growth is judged."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.soaking.ledger import Ledger
from benchmarks.soaking.outcome import Outcome, as_text, verdicts, write_row
from benchmarks.soaking.run import Soak
from benchmarks.soaking.vitals import Vitals, slope_per_h
from benchmarks.soaking.wearer import MisbehavingWearer
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, SampleChunk

SPEC = InputSpec(ACC, fs_hz=50.0, length=128, hop=64)


def chunk(seq: int, epoch: str = "a") -> SampleChunk:
    t = (seq + np.arange(10)) / 50
    return SampleChunk("wrist", epoch, t, np.zeros((10, 3), np.float32), ACC, 50.0, seq, float(t[-1]))


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory and descriptors from /proc")
@pytest.mark.parametrize("over", ["zmq", "relay"])
def test_the_receiver_counts_what_misbehaving_senders_did(over: str) -> None:
    outcome = asyncio.run(Soak(over, hours=0.05, wearers=2, seed=1).run())
    assert outcome.mismatches == []
    assert outcome.counts["samples"][0] > 5_000
    assert outcome.counts["not_received"][0] > 0
    assert outcome.harms["same_epoch_name"] == 1
    assert all(good for what, (_, good) in verdicts(outcome).items() if what in ("mismatches", "threads"))


def test_the_ledger_calls_lost_what_a_later_number_proves() -> None:
    ledger = Ledger(SPEC)
    ledger.begin("a")
    ledger.left_out(10)  # before the first message: the receiver joined late
    ledger.sent(chunk(10))
    ledger.left_out(20)  # a hole
    ledger.sent(chunk(40))
    ledger.left_out(30)  # the tail of an epoch
    ledger.begin("b")
    ledger.left_out(40)  # the head of a later one
    ledger.sent(chunk(40, "b"))
    ledger.left_out(50)  # the tail of the last
    ledger.ended()
    ledger.begin("c")
    ledger.left_out(60)  # before the first message after an end
    ledger.sent(chunk(60, "c"))
    counts = ledger.close()
    assert counts["not_received"] == 20 + 40
    assert counts["lost"] == 20
    assert counts["unproven"] == 10 + 30 + 50 + 60
    assert counts["left_out"] == 210


def test_a_restart_that_no_message_shows_is_in_no_count() -> None:
    ledger = Ledger(SPEC)
    for epoch, heard in (("a", True), ("a", False), ("a", True), ("b", False), ("c", True)):
        ledger.begin(epoch)
        if heard:
            ledger.sent(chunk(0, epoch))
    assert ledger.close()["restarted"] == 1
    assert ledger.epochs == 3


def test_the_same_seed_does_the_same_harm() -> None:
    def day(seed: int) -> list[str]:
        steps = MisbehavingWearer(0, 3, 0.02, seed, SPEC).steps()
        return [f"{kind} {now_s} {piece!r}" for kind, now_s, piece, _ in steps]

    assert day(1) == day(1)
    assert day(1) != day(2)


def test_growth_is_judged_after_the_warm_up(tmp_path: Path) -> None:
    sizes = [100, 900, 1000, *[1000 + 80 * k for k in range(9)]]
    vitals = [Vitals(float(h), 0.0, size, 0, 30 + (h > 8), 2, 5, 0, h) for h, size in enumerate(sizes)]
    assert slope_per_h(vitals, "memory_kib") == pytest.approx(80)
    outcome = Outcome("zmq", 11.0, 2, 0, 5.0, vitals, {"samples": (5, 5), "lost": (1, 2)}, {"flood": 1})
    assert [good for _, good in verdicts(outcome).values()] == [False, False, True, False]
    assert "BAD mismatches: 1 of 2 kinds lost" in as_text(outcome)
    for _ in range(2):
        write_row(tmp_path / "soak.json", outcome)
    (row,) = json.loads((tmp_path / "soak.json").read_text())["rows"]
    assert row["counts"]["lost"] == {"ledgers": 1, "receiver": 2}
