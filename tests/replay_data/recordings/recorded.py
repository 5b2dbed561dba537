"""Chunks, predictions and writers for tests of recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from kinestream.core.signals import ACC, Decision, Prediction, SampleChunk, Subnet
from kinestream.replay_data.recordings import PredictionRecord, RecordingWriter
from tests.windowing.streams import cut, regular

LABELS = ("walking", "sitting")


def chunks(n: int = 500, size: int = 20, **more: object) -> list[SampleChunk]:
    """One stream of acceleration and angular rate with labels."""
    labels = (np.arange(n) // 100 % 3 - 1).astype(np.int16)
    return [replace(chunk, **more) for chunk in cut(regular(n, labels=labels, names=LABELS), size)]  # type: ignore[arg-type]


def acc_only(n: int = 100, size: int = 10) -> list[SampleChunk]:
    """A second stream with fewer channels, no labels and device times."""
    return [
        replace(c, stream="wrist", channels=ACC, x=c.x[:, :3], t_device=c.t * 1.01 + 5, fs_hz=25.0)
        for c in cut(regular(n), size)
    ]


def prediction(index: int = 0, **more: object) -> PredictionRecord:
    """A prediction with every field set."""
    made = Prediction(
        *("s", "one", index, 0.1 * index, 0.1 * index + 2.56, "walking", 0.7, np.array([0.7, 0.3], np.float32), LABELS),
        *(Decision(Subnet(0.35, 96), "fixed by the user"), 0.123456789, 0.6, 3.0000000001, 0.97, "sitting", 0.51, 0.25),
    )
    battery = {"frac": 0.3, "capacity_j": 100.0, "charging": False, "base_mw": 2.0, "temperature_c": 31.5}
    return replace(PredictionRecord(made, 7.25, "fixed:subnet=0.35x-96", 5.0, battery), **more)  # type: ignore[arg-type]


def writer(folder: Path, **more: object) -> RecordingWriter:
    about = {"source": {"name": "test", "live": False}, "wearer": None, "model": {"labels": list(LABELS)}}
    return RecordingWriter(folder, about, **more)  # type: ignore[arg-type]


def as_bytes(chunk: SampleChunk) -> tuple[object, ...]:
    """A chunk's whole content, for a bitwise comparison."""
    return (
        *(chunk.stream, chunk.session, chunk.channels, chunk.fs_hz, chunk.seq, chunk.received_s, chunk.label_names),
        *(chunk.t.tobytes(), np.ascontiguousarray(chunk.x).tobytes()),
        *(None if part is None else part.tobytes() for part in (chunk.labels, chunk.t_device)),
    )
