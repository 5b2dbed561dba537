"""Recording processes killed at random moments lose at most a second, and their runs can be repeated exactly."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kinestream.inference import save_model
from kinestream.recording.rerun import RerunSession
from kinestream.replay_data.recordings import RecordingReader, recover
from tests.random_models import random_model

KILLS = 20
MAX_ALIVE = 6
"""Processes recording at a time; more of them would compete for the processor instead of recording."""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of twenty recordings whose processes were killed 0.1 to 2.5 s after their first sample."""
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork: one process loads everything and forks the recorders")
    folder = tmp_path_factory.mktemp("killed")
    for number in range(KILLS):
        save_model(folder / f"recording-{number}.safetensors", random_model())
    environment = {**os.environ, "KINESTREAM_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.replay_data.recordings.recording_process", str(folder)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    rng = random.Random()
    waiting, alive, killed = list(range(KILLS)), {}, 0
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        while killed < KILLS:
            if waiting and len(alive) < MAX_ALIVE:
                number = waiting.pop()
                print(number, file=process.stdin, flush=True)
                alive[number] = (int(process.stdout.readline()), None)
            for number, (pid, due_s) in list(alive.items()):
                if due_s is None and (folder / f"recording-{number}.arrivals").exists():
                    alive[number] = (pid, time.monotonic() + rng.uniform(0.1, 2.5))
                elif due_s is not None and time.monotonic() >= due_s:
                    os.kill(pid, signal.SIGKILL)
                    del alive[number]
                    killed += 1
            time.sleep(0.005)
    return [folder / f"recording-{number}" for number in range(KILLS)]


def arrivals_of(folder: Path) -> list[tuple[float, str, int, int]]:
    """The arrival time, epoch, sequence number and length of each chunk."""
    lines = Path(f"{folder}.arrivals").read_text().splitlines()
    words = [line.split() for line in lines]
    return [(float(at_s), epoch, int(seq), int(n)) for at_s, epoch, seq, n in words]


def test_a_kill_costs_at_most_the_last_second(killed: list[Path]) -> None:
    for folder in killed:
        arrived = arrivals_of(folder)
        kept = [[chunk.session, chunk.seq, len(chunk)] for chunk in RecordingReader(folder).chunks()]
        assert kept == [chunk for _, *chunk in arrived][: len(kept)]
        lost = arrived[len(kept) :]
        assert not lost or arrived[-1][0] - lost[0][0] <= 1.0, f"{folder.name} lost {arrived[-1][0] - lost[0][0]} s"


def test_a_rerun_of_a_killed_run_gives_the_same_predictions(killed: list[Path]) -> None:
    compared = 0
    for folder in killed:
        again = RerunSession(folder, speed=float("inf"))
        asyncio.run(again.run())
        assert (again.differing, again.exit_status) == (0, 0), again.verdict()
        compared += again.equal
    assert compared > 10 * KILLS


def test_recovery_keeps_every_sample_and_leaves_only_segments(killed: list[Path]) -> None:
    for folder in killed:
        before = [(chunk.seq, chunk.x.tobytes()) for chunk in RecordingReader(folder).chunks()]
        report = recover(folder)
        assert report.needed
        assert report.kept["samples"] == sum(len(chunk) for chunk in RecordingReader(folder).chunks())
        assert [(chunk.seq, chunk.x.tobytes()) for chunk in RecordingReader(folder).chunks()] == before
        assert not [path.name for path in folder.iterdir() if path.suffix not in (".parquet", ".json")]
        assert not recover(folder).needed
