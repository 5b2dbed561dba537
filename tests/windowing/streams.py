"""Test streams, divided into chunks of any size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, BODY_ACC, GYRO, SampleChunk, Window
from kinestream.windowing import Segmenter

CHANNELS = ACC + GYRO
PLAIN = InputSpec(CHANNELS, 50.0, 128, 64, lowpass_hz=None)
NINE = InputSpec(BODY_ACC + GYRO + ACC, 50.0, 128, 64)


def stream(
    t: NDArray[np.float64],
    x: NDArray[np.float32] | None = None,
    fs_hz: float = 50.0,
    labels: NDArray[np.int16] | None = None,
    names: tuple[str, ...] = ("walking", "sitting", "lying"),
    session: str = "one",
) -> SampleChunk:
    """A whole stream as one chunk, with random samples by default."""
    if x is None:
        x = np.random.default_rng(0).normal(size=(len(t), len(CHANNELS))).astype(np.float32)
    received_s = float(t[-1]) if len(t) else 0.0
    names = names if labels is not None else ()
    return SampleChunk("s", session, np.asarray(t, float), x, CHANNELS, fs_hz, 0, received_s, labels, names)


def regular(n: int, fs_hz: float = 50.0, **more: object) -> SampleChunk:
    return stream(np.arange(n) / fs_hz, fs_hz=fs_hz, **more)  # type: ignore[arg-type]


def cut(whole: SampleChunk, sizes: list[int] | int) -> list[SampleChunk]:
    """The same stream in chunks of the given sizes, over and over."""
    sizes = [sizes] if isinstance(sizes, int) else sizes
    chunks, at, turn = [], 0, 0
    while at < len(whole):
        to = min(at + sizes[turn % len(sizes)], len(whole))
        labels = None if whole.labels is None else whole.labels[at:to]
        chunks.append(
            replace(whole, t=whole.t[at:to], x=whole.x[at:to], labels=labels, seq=at, received_s=float(whole.t[to - 1]))
        )
        at, turn = to, turn + 1
    return chunks


def windows_of(spec: InputSpec, chunks: list[SampleChunk]) -> list[Window]:
    segmenter = Segmenter(spec)
    return [window for chunk in chunks for window in segmenter.push(chunk)] + segmenter.flush()


def content(windows: list[Window]) -> list[tuple[object, ...]]:
    """The content of windows that must not depend on chunking, to the last bit."""
    return [
        (w.session, w.index, w.t_start_s, w.t_end_s, w.x.tobytes(), w.coverage, w.truth, w.truth_share) for w in windows
    ]
