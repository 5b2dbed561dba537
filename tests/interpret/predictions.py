"""Hand-made predictions, for tests of everything after the pipeline."""

from __future__ import annotations

import numpy as np

from kinestream.core.signals import Decision, Prediction, Subnet

LABELS = ("walking", "sitting", "standing")
HOP_S = 1.0
WINDOW_S = 2.0


def prediction(
    i: int,
    label: str = "walking",
    confidence: float = 0.8,
    *,
    stream: str = "s",
    session: str = "one",
    truth: str | None = None,
    truth_share: float = 0.0,
) -> Prediction:
    """Window ``i`` of an epoch; the other labels share the remaining probability."""
    probs = np.full(3, (1 - confidence) / 2, np.float32)
    if label in LABELS:
        probs[LABELS.index(label)] = confidence
    return Prediction(
        stream=stream,
        session=session,
        index=i,
        t_start_s=i * HOP_S,
        t_end_s=i * HOP_S + WINDOW_S,
        label=label,
        confidence=confidence,
        probs=probs,
        labels=LABELS,
        decision=Decision(Subnet(0.5, 96), "because"),
        latency_ms=0.1,
        energy_mj=0.1,
        age_ms=1.0,
        coverage=1.0,
        truth=truth,
        truth_share=truth_share,
    )
