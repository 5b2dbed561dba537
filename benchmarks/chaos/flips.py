"""Flipped bits in a recording: each must be harmless or reported, and cost no more than the file it hits.

Every flip hits a fresh copy of a small recording, once closed and once killed, so that also its tail is hit. The file
is drawn first and the bit second, because a small file matters as much as a large one. Then the copy is read as a
replay does, checked as ``kinestream data check`` does, and repaired as ``kinestream recover`` does.
"""

from __future__ import annotations

import argparse
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from kinestream.core.errors import KinestreamError
from kinestream.core.signals import ACC, GYRO, Decision, Prediction, SampleChunk, Subnet
from kinestream.replay_data.recordings import PredictionRecord, RecordingReader, RecordingWriter, recover
from kinestream.replay_data.recordings.check import check_recording

SEGMENT_S = 2.0
LABELS = ("walking", "sitting")


@dataclass(slots=True)
class Outcome:
    """What the flips did."""

    flips: int = 0
    harmless: int = 0
    """The recording reads as before."""
    reported: int = 0
    """Reading it raises an error or gives a finding."""
    silent: list[str] = field(default_factory=list)
    """Flips after which the recording differs and nothing says so; expected: none."""
    wrong: list[str] = field(default_factory=list)
    """Flips after which the repaired recording holds a chunk that was never recorded; expected: none."""
    lost: list[int] = field(default_factory=list)
    """Samples that each reported flip cost, after the repair."""
    by_file: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        """Whether no flip gave a wrong sample in silence."""
        return not self.silent and not self.wrong


def write_recording(folder: Path, *, closed: bool, seed: int = 0, seconds: float = 7.0) -> None:
    """Write a small recording of two streams, with labels, predictions, a restart and a changed format."""
    rng = np.random.default_rng(seed)
    about = {"source": {"name": "flips", "live": True}, "wearer": "anna", "model": {"labels": list(LABELS)}}
    writer = RecordingWriter(folder, about, segment_s=SEGMENT_S, clock=lambda: 0.0)
    for number in range(int(seconds * 5)):
        for stream, channels in (("wrist", ACC + GYRO), ("hip", ACC)):
            writer.write([_chunk(rng, stream, channels, number)])
        if number % 3 == 0:
            writer.write([_prediction(number)])
    writer.sync()
    if closed:
        writer.close({"lost": 3})
    else:
        writer.abandon()


def flip_bits(folder: Path, flips: int, seed: int) -> Outcome:
    """Flip bits in copies of two recordings, one at a time.

    Args:
        folder: an empty folder to work in.
        flips: number of flips, half of them in a closed recording.
        seed: seeds the choice of the files and bits.
    """
    rng = random.Random(seed)
    outcome = Outcome()
    originals = []
    for closed in (True, False):
        original = folder / ("closed" if closed else "killed")
        write_recording(original, closed=closed)
        originals.append((original, _content(original), sorted(path.name for path in original.iterdir())))
    for flip in range(flips):
        original, expected, names = originals[flip % 2]
        name = names[flip // 2 % len(names)]
        copy = folder / "copy"
        shutil.copytree(original, copy)
        content = bytearray((copy / name).read_bytes())
        bit = rng.randrange(len(content) * 8)
        content[bit // 8] ^= 1 << bit % 8
        (copy / name).write_bytes(content)
        _judge(copy, expected, f"{original.name}/{name} bit {bit}", outcome)
        outcome.by_file[name.split("-")[0]] += 1
        shutil.rmtree(copy)
    return outcome


def _judge(copy: Path, expected: list[Any], what: str, outcome: Outcome) -> None:
    outcome.flips += 1
    reported = False
    found: list[Any] | None = None
    try:
        reader = RecordingReader(copy)
        found = list(_content_of(reader))
        reported = bool(reader.findings or reader.tail_bytes_lost) or not check_recording(copy).sound
    except KinestreamError:
        reported = True
    if found == expected:
        outcome.harmless += 1
    elif reported:
        outcome.reported += 1
    else:
        outcome.silent.append(what)
    report = recover(copy)
    kept = _content(copy)
    if any(item not in expected for item in kept):
        outcome.wrong.append(what)
    if found != expected:
        samples = sum(item[3] for item in expected if item[0] == "chunk")
        outcome.lost.append(samples - report.kept["samples"])


def _content(folder: Path) -> list[Any]:
    return list(_content_of(RecordingReader(folder)))


def _content_of(reader: RecordingReader) -> Iterator[Any]:
    yield "wearer", reader.manifest["wearer"]
    for chunk in reader.chunks():
        parts = (chunk.t, chunk.x, chunk.labels, chunk.t_device)
        values = tuple(None if part is None else np.ascontiguousarray(part).tobytes() for part in parts)
        about = (chunk.session, chunk.seq, chunk.channels, chunk.fs_hz, chunk.received_s, chunk.label_names)
        yield "chunk", chunk.stream, about, len(chunk), values
    for record in reader.predictions():
        yield "prediction", repr(record), record.prediction.probs.tobytes()


def _chunk(rng: np.random.Generator, stream: str, channels: tuple[str, ...], number: int) -> SampleChunk:
    n = 10
    epoch, first = divmod(number, 20)  # restarts after four seconds
    if number >= 10 and stream == "hip":
        channels = channels + GYRO
    t = (number * n + np.arange(n)) / 50
    x = rng.normal(0, 1, (n, len(channels))).astype(np.float32)
    labels = np.full(n, number // 7 % 2, np.int16)
    return SampleChunk(stream, f"e{epoch}", t, x, channels, 50.0, first * n, float(t[-1]), labels, LABELS, t * 1.01)


def _prediction(number: int) -> PredictionRecord:
    probs = np.array([0.7, 0.3], np.float32)
    decision = Decision(Subnet(0.35, 96), "fixed by the user")
    start_s = 0.2 * number
    prediction = Prediction(
        *("wrist", "e0", number, start_s, start_s + 2.56, "walking", 0.7, probs, LABELS, decision),
        *(0.12, 0.6, 3.0, 0.97, "sitting", 0.51, 0.25),
    )
    return PredictionRecord(prediction, 7.25, "fixed:subnet=0.35x-96", 5.0, None)


def add_parser(kinds: Any) -> None:
    """Add the command ``flips``."""
    parser = kinds.add_parser("flips", help="flipped bits in a recording", description=__doc__)
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    with TemporaryDirectory() as folder:
        outcome = flip_bits(Path(folder), args.flips, args.seed)
    lost = outcome.lost or [0]
    print(
        f"{outcome.flips} flips in {dict(outcome.by_file)}: {outcome.harmless} harmless, {outcome.reported} reported, "
        f"{len(outcome.silent)} silent, {len(outcome.wrong)} wrong samples after the repair; "
        f"samples lost by a reported flip: mean {np.mean(lost):.0f}, most {max(lost)}"
    )
    for what in (*outcome.silent, *outcome.wrong):
        print(f"  {what}")
    return 0 if outcome.good else 1
