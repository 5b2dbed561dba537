"""Samples per CPU-second from chunks to windows, beside the numpy limit and ezmsg-sigproc in the same run.

    python benchmarks/windowing.py

One core; 6 channels, window 128, hop 64, windows thrown away. The machine's noise affects all rows equally:
compare ratios. ``numpy limit`` copies each chunk into a buffer and takes the window as a view, with no check
of any kind: the most that Python can do.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Callable
from importlib import import_module

import numpy as np

from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, BODY_ACC, GYRO, SampleChunk
from kinestream.windowing import Segmenter

CHANNELS = ACC + GYRO
PLAIN = InputSpec(CHANNELS, 50.0, 128, 64, lowpass_hz=None)
FILTERED = InputSpec(BODY_ACC + GYRO + ACC, 50.0, 128, 64)


def make_chunks(samples: int, chunk: int, fs_hz: float, jitter: float = 0.0) -> list[SampleChunk]:
    rng = np.random.default_rng(0)
    steps = np.arange(samples) + (rng.uniform(-jitter, jitter, samples) if jitter else 0.0)
    t = np.asarray(steps / fs_hz, np.float64)
    x = rng.normal(size=(samples, 6)).astype(np.float32)
    return [
        SampleChunk("s", "1", t[i : i + chunk], x[i : i + chunk], CHANNELS, fs_hz, i, float(t[i]))
        for i in range(0, samples, chunk)
    ]


def ours(spec: InputSpec) -> Callable[[list[SampleChunk]], int]:
    def run(chunks: list[SampleChunk]) -> int:
        segmenter = Segmenter(spec)
        return sum(len(segmenter.push(chunk)) for chunk in chunks)

    return run


def numpy_limit(chunks: list[SampleChunk]) -> int:
    buffer = np.empty((8192, 6), np.float32)
    at, since, windows = 0, -64, 0
    for chunk in chunks:
        n = len(chunk.x)
        if at + n > len(buffer):
            buffer[:128] = buffer[at - 128 : at]
            at = 128
        buffer[at : at + n] = chunk.x
        at += n
        since += n
        while since >= 64:
            since -= 64
            _ = buffer[at - since - 128 : at - since]
            windows += 1
    return windows


def ezmsg_window(chunks: list[SampleChunk]) -> int:
    WindowTransformer = import_module("ezmsg.sigproc.window").WindowTransformer
    AxisArray = import_module("ezmsg.util.messages.axisarray").AxisArray
    window = WindowTransformer(axis="time", newaxis="win", window_dur=2.56, window_shift=1.28, zero_pad_until="none")
    fs_hz = chunks[0].fs_hz
    windows = 0
    for chunk in chunks:
        axes = {"time": AxisArray.TimeAxis(fs=fs_hz, offset=chunk.t[0])}
        out = window(AxisArray(chunk.x, dims=["time", "ch"], axes=axes))
        windows += out.data.shape[out.dims.index("win")]
    return windows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3, help="each row is timed this often; the median counts")
    args = parser.parse_args()
    n = args.samples
    rows: list[tuple[str, Callable[[list[SampleChunk]], int], list[SampleChunk]]] = []
    for chunk in (1, 25):
        size = n if chunk > 1 else n // 10
        rows.append((f"numpy limit, chunk {chunk}", numpy_limit, make_chunks(size, chunk, 50.0)))
        rows.append((f"at the model's rate, chunk {chunk}", ours(PLAIN), make_chunks(size, chunk, 50.0)))
    rows += [
        ("at the model's rate, noise filter and gravity split, 9 columns", ours(FILTERED), make_chunks(n, 25, 50.0)),
        ("resampling, jitter of 20 % of a step", ours(PLAIN), make_chunks(n, 25, 50.0, 0.2)),
        ("resampling, 52 Hz", ours(PLAIN), make_chunks(n, 25, 52.0)),
        ("resampling, 100 Hz, anti-aliased", ours(PLAIN), make_chunks(n, 25, 100.0)),
        ("resampling, 104 Hz with jitter, both filters, 9 columns", ours(FILTERED), make_chunks(n, 25, 104.0, 0.1)),
    ]
    try:
        import_module("ezmsg.sigproc.window")

        rows.append(("ezmsg-sigproc window called directly, chunk 25", ezmsg_window, make_chunks(n // 5, 25, 50.0)))
    except ImportError:
        print("ezmsg-sigproc is not installed: left out (pip install ezmsg-sigproc)")
    seconds: dict[str, list[float]] = {name: [] for name, _, _ in rows}
    windows: dict[str, int] = {}
    for _ in range(args.rounds):  # interleaved, so that a slow minute of the machine hits every row
        for name, run, chunks in rows:
            start = time.process_time()
            windows[name] = run(chunks)
            seconds[name].append(time.process_time() - start)
    print(f"{'':66} {'M samples/CPU-s':>16} {'us/window':>10} {'of limit':>9}")
    limit = 0.0
    for name, _, chunks in rows:
        median = float(np.median(seconds[name]))
        rate = sum(len(chunk) for chunk in chunks) / median / 1e6
        limit = rate if name.startswith("numpy limit") else limit
        print(f"{name:66} {rate:16.2f} {median / windows[name] * 1e6:10.1f} {rate / limit:9.1%}")


if __name__ == "__main__":
    main()
