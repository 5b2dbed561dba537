"""A run of some seconds of signal."""

from __future__ import annotations

import numpy as np

from kinestream.core.signals import ACC, SampleChunk
from kinestream.run.signal_limit import SignalLimit


def chunk(stream: str, first: int, count: int) -> SampleChunk:
    t = np.arange(first, first + count) / 50.0
    return SampleChunk(stream, "a", t, np.zeros((count, 3), np.float32), ACC, 50.0, first, float(t[-1]))


def test_the_limit_is_kept_to_the_sample_however_the_stream_is_cut() -> None:
    for size in (1, 7, 64, 500):
        limit, taken = SignalLimit(2.5), 0
        for first in range(0, 500, size):
            part, is_last = limit.cut(chunk("wrist", first, size))
            taken += len(part)
            if is_last:
                break
        assert (taken, is_last) == (125, True)


def test_the_longest_stream_counts() -> None:
    limit = SignalLimit(1.0)
    assert not limit.cut(chunk("wrist", 0, 40))[1]
    assert not limit.cut(chunk("ankle", 0, 40))[1]
    part, is_last = limit.cut(chunk("ankle", 40, 40))
    assert (len(part), is_last) == (10, True)
