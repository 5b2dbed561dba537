"""Chunks and predictions for tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kinestream.core.signals import ACC, Decision, Prediction, SampleChunk, Subnet

FS_HZ = 50.0


def chunk(first: int, count: int, *, session: str = "one", stream: str = "wrist", t0_s: float = 100.0) -> SampleChunk:
    t = t0_s + np.arange(first, first + count) / FS_HZ
    x = np.stack([np.sin(t), np.cos(t), t % 1.0], axis=1).astype(np.float32)
    return SampleChunk(stream, session, t, x, ACC, FS_HZ, first, float(t[-1]) if count else t0_s)


def prediction(
    index: int = 0, *, label: str = "A", truth: str | None = "A", width: float = 1.0, **kwargs
) -> Prediction:
    base = Prediction(
        stream="wrist",
        session="one",
        index=index,
        t_start_s=0.0,
        t_end_s=2.56,
        label=label,
        confidence=0.9,
        probs=np.array([0.9, 0.1], np.float32),
        labels=("A", "B"),
        decision=Decision(Subnet(width, 128), "because"),
        latency_ms=1.0,
        energy_mj=1.0,
        age_ms=1.0,
        coverage=1.0,
        truth=truth,
        truth_share=1.0,
    )
    return replace(base, **kwargs)
