"""Records live wearers in child processes that a test kills: ``python -m ... FOLDER``.

One process loads everything and forks a child for each number it reads, so that twenty children load no more than one
process; it answers with the child's process id.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pyarrow as pa

from kinestream.core.signals import SampleChunk
from kinestream.inference import Engine, operating_table
from kinestream.policy import make_policy
from kinestream.recording.manifest import describe
from kinestream.recording.recorder import Recorder
from kinestream.replay_data import Wearer
from kinestream.run.pipeline import Pipeline
from kinestream.run.session import Session
from tests.random_models import random_model

FAST = 60.0
"""Speed of every second process, so that it seals a segment of 60 s every second."""


def record(folder: Path, number: int) -> None:
    """Record until killed, and note every arriving chunk in a file beside the folder."""
    fast = number % 2 == 1
    source = Wearer(number, speed=FAST if fast else 1.0, live=not fast)
    engine = Engine(random_model())
    table = operating_table(engine)
    pipeline = Pipeline(engine, make_policy("latency", table), table, deadline_ms=table.points[-1].p50_ms)
    about = describe(source_name=source.name, live=source.live, pipeline=pipeline, model=f"{folder}.safetensors")
    recorder = Recorder(folder, about, live=source.live)
    session = Session(source, pipeline, model_name="tiny", policy_text="latency", recorder=recorder)
    arrivals = os.open(f"{folder}.arrivals", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def note(chunk: SampleChunk) -> None:
        os.write(arrivals, f"{time.monotonic()} {chunk.session} {chunk.seq} {len(chunk)}\n".encode())

    session.subscribe(on_chunk=note)
    asyncio.run(session.run())


if __name__ == "__main__":
    pa.array([0])  # loads pandas, if installed, once instead of in every child
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children leave no zombies
    for line in sys.stdin:
        if child := os.fork():
            print(child, flush=True)
        else:
            record(Path(sys.argv[1]) / f"recording-{line.strip()}", int(line))
            os._exit(1)  # reached only if the recording ends by itself
