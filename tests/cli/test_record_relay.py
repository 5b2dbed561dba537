"""Recording what a relay sends: a chunk is acknowledged when it is on disk, so killed receivers lose nothing."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from kinestream.ingest import Journal, Relay
from kinestream.replay_data.recordings import RecordingReader, recover
from tests.cli.test_record import environment, folder
from tests.cli.test_relay import port
from tests.ingest.zmq.test_zmq import Recorded, chunk

__all__ = ["folder", "port"]  # fixtures

KINESTREAM = [sys.executable, "-m", "kinestream"]
PATIENCE_S = 90.0


class Receivers:
    """Receivers one after another, each of which records into a folder of its own."""

    def __init__(self, models: Path, port: int, tmp_path: Path, command: str) -> None:
        self._environment = environment(models)
        self._uri = f"relay://127.0.0.1:{port}?state={tmp_path / 'state'}"
        self._model = ("--model", models / "tiny.safetensors")
        self._tmp_path = tmp_path
        self._command = command
        self.folders: list[Path] = []

    def start(self) -> subprocess.Popen[str]:
        self.folders.append(target := self._tmp_path / f"recording{len(self.folders)}")
        words = (
            ["record", self._uri, target]
            if self._command == "record"
            else ["run", self._uri, *self._model, "--json", "--record", target]
        )
        return subprocess.Popen(
            [*KINESTREAM, *map(str, words)],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def recorded(self) -> Counter[int]:
        """Return how often each sample, by its number, is in the recordings."""
        seen = Counter[int]()
        for target in self.folders:
            if target.exists() and any(target.iterdir()):
                recover(target)
                for item in RecordingReader(target).chunks():
                    seen.update(range(item.seq, item.seq + len(item)))
        return seen


async def test_a_recording_takes_more_messages_than_may_be_unacknowledged(
    folder: Path, port: int, tmp_path: Path
) -> None:
    receivers = Receivers(folder, port, tmp_path, "record")
    receiver = receivers.start()
    with Journal(tmp_path / "journal") as journal:
        relay = Relay(f"tcp://127.0.0.1:{port}", journal)
        async with asyncio.timeout(PATIENCE_S):
            await relay.run(Recorded([chunk(seq) for seq in range(0, 25 * 1000, 25)]))
        assert journal.delivered == journal.newest
    _, errors = await asyncio.to_thread(receiver.communicate, timeout=PATIENCE_S)
    assert receiver.returncode == 0, errors
    assert receivers.recorded() == Counter(range(25_000))


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
@pytest.mark.parametrize("command", ["record", "run"])
async def test_the_recordings_of_killed_receivers_hold_everything(
    command: str, folder: Path, port: int, tmp_path: Path
) -> None:
    rng = random.Random(command)
    receivers = Receivers(folder, port, tmp_path, command)
    receiver = receivers.start()
    try:
        with Journal(tmp_path / "journal") as journal:
            relay = Relay(f"tcp://127.0.0.1:{port}", journal, hello_s=0.1, patience_s=0.5)
            sent = [chunk(seq) for seq in range(0, 25 * 1500, 25)]
            relaying = asyncio.create_task(relay.run(Recorded(sent, pause_s=0.002)))
            async with asyncio.timeout(PATIENCE_S):
                for _ in range(2):
                    upto = journal.delivered + rng.randrange(100, 400)
                    while journal.delivered < upto:
                        assert receiver.poll() is None, receiver.communicate()[1]
                        await asyncio.sleep(0.01)
                    receiver.kill()
                    receiver.communicate()
                    receiver = receivers.start()
                await relaying
        _, errors = await asyncio.to_thread(receiver.communicate, timeout=PATIENCE_S)
        assert receiver.returncode == 0, errors
    finally:
        receiver.kill()
    seen = receivers.recorded()
    assert set(seen) == set(range(25 * 1500))
    assert max(seen.values()) <= 2, "only a killed receiver's unacknowledged chunks come again"
