"""Relay and receiver processes that are killed without warning: every chunk is processed, exactly once.

The sensor of these tests builds each chunk from its number and continues after the last chunk in the journal, like a
sensor with a memory. A receiver logs each chunk when it gets it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import zmq

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")

CHUNKS = 1000
PATIENCE_S = 60.0

RELAY = """
    import asyncio, sys
    from pathlib import Path
    from kinestream.ingest import Journal, Relay, decode
    from kinestream.ingest.relay.durable import Mark
    from tests.ingest.zmq.test_zmq import Recorded, chunk

    class Sensor(Recorded):
        live = True

        def __init__(self, first, memory):
            self.first, self.memory = first, memory

        async def chunks(self):
            for number in range(self.first, int(sys.argv[3])):
                yield chunk(25 * number)
                self.memory.set(number + 1)
                await asyncio.sleep(0.0003)

        async def aclose(self):
            pass

    async def main(folder, port):
        memory = Mark(folder.with_suffix(".memory"))
        with Journal(folder) as journal:
            first = memory.value  # may be one behind the journal, which is written first
            for record in journal.after(0):
                if record is None:
                    break
                first = max(first, decode(record.frames).seq // 25 + 1)
            relay = Relay(f"tcp://127.0.0.1:{port}", journal, hello_s=0.1, patience_s=0.5)
            await relay.run(Sensor(first, memory))

    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""

RECEIVER = """
    import asyncio, os, sys
    from pathlib import Path
    from kinestream.ingest import RelaySource
    from tests.ingest.zmq.test_zmq import bits, chunk

    async def main(state, port, notes):
        source = RelaySource(f"relay://127.0.0.1:{port}?state={state}")
        async for item in source.chunks():
            right = bits(item) == bits(chunk(item.seq))
            os.write(notes, b"%d %d\\n" % (item.seq // 25, right))
            await asyncio.sleep(0)
            source.done(1)
        print(dict(source.counts()))
        await source.aclose()

    notes = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), notes))
"""


def start(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.Popen(command, cwd=root, env={**os.environ, "OMP_NUM_THREADS": "1"})


def logged(notes: Path) -> list[tuple[int, bool]]:
    if not notes.exists():
        return []
    lines = [line.split() for line in notes.read_text().splitlines() if line]
    return [(int(number), right == "1") for number, right in lines]


@pytest.mark.parametrize("victim", ["relay", "receiver", "both"])
def test_every_chunk_is_processed_once_after_kills(victim: str, tmp_path: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
    rng = random.Random(victim)
    lives: list[Path] = []

    def new_receiver() -> subprocess.Popen[bytes]:
        lives.append(tmp_path / f"notes{len(lives)}")
        return start(RECEIVER, tmp_path / "state", port, lives[-1])

    def new_relay() -> subprocess.Popen[bytes]:
        return start(RELAY, tmp_path / "journal", port, CHUNKS)

    relay, receiver = new_relay(), new_receiver()
    deadline_s = time.monotonic() + PATIENCE_S
    try:
        for kill in range(1, 4):
            while sum(len(logged(notes)) for notes in lives) < kill * CHUNKS // 5 and receiver.poll() is None:
                assert time.monotonic() < deadline_s
                time.sleep(rng.uniform(0.005, 0.02))
            if victim != "receiver":
                relay.kill()
                relay.wait()
            if victim != "relay":
                receiver.kill()
                receiver.wait()
                receiver = new_receiver()
            if victim != "receiver":
                relay = new_relay()
        assert relay.wait(PATIENCE_S) == 0
        assert receiver.wait(PATIENCE_S) == 0
    finally:
        for process in (relay, receiver):
            process.kill()
            process.wait()

    processed: list[int] = []
    for notes in lives:
        life = logged(notes)
        assert all(right for _, right in life)
        numbers = [number for number, _ in life]
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), "within one receiver none is lost or repeated"
        # The next receiver gets the chunk that a killed one had received but not finished.
        if processed and numbers[0] == processed[-1]:
            numbers = numbers[1:]
        processed += numbers
    assert processed == list(range(CHUNKS))
    assert len(lives) == (1 if victim == "relay" else 4)
