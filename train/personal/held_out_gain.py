"""The accuracy gain of an adapted model for its person, and the card of the adapted model."""

from __future__ import annotations

from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.errors import DataDamaged

from ..judge.evaluate import corners, score, spanning
from ..network.export import from_model, normalised
from ..splits.time_blocks import apart, earliest
from .adapt import MIN_WINDOWS, Strength, adapt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinestream.core.signals import Subnet
    from kinestream.inference.model_file import Model

    from ..data.windows import Windows

CHECK_SHARE = 0.25
"""Last part of each class, held out to measure the gain."""


def held_out_gain(model: Model, windows: Windows, strength: Strength | None = None) -> dict[str, Any]:
    """The gain for this person: a model adapted to the first part of each class, measured on the last quarter.

    Returns:
        JSON values: the number of test ``windows``, and the accuracy ``before`` and ``after`` by subnetwork (the
        corners of the grid); empty if there are too few windows to hold any out.
    """
    counts = np.bincount(windows.labels, minlength=len(model.labels))
    first = earliest(windows.labels, [n - round(CHECK_SHARE * n) for n in counts.tolist()])
    learnt = apart(windows, first, ~first, model.input.window_s)
    early, late = windows.take(np.flatnonzero(learnt)), windows.take(np.flatnonzero(~first))
    tested = corners(model.subnets)
    try:
        adapted = adapt(model, early, strength=strength, subnets=tuple(dict.fromkeys([*tested, *spanning(model)])))
    except DataDamaged:
        return {}
    if not len(late):
        return {}
    before, after = (accuracy_of(candidate, late, tested) for candidate in (model, adapted))
    return {"windows": len(late), "before": before, "after": after}


def accuracy_of(model: Model, windows: Windows, subnets: Sequence[Subnet]) -> dict[str, float]:
    """Share of the windows that are recognised, by subnetwork."""
    net, x = from_model(model), normalised(model, windows.x)
    return {str(subnet): round(score(net, x, windows.labels, subnet).accuracy, 5) for subnet in subnets}


def adapted_card(
    original: Model,
    windows: Windows,
    recordings: Sequence[str],
    gain: dict[str, Any],
    strength: Strength | None = None,
) -> dict[str, Any]:
    """The original's card with a first entry ``adapted`` that describes the adaptation."""
    strength = strength or Strength()
    counts = np.bincount(windows.labels, minlength=len(original.labels)).tolist()
    shown = {label: n for label, n in zip(original.labels, counts, strict=True) if n >= MIN_WINDOWS}
    pooled = len(shown) == len(original.labels) and strength.statistics_windows < inf
    adaptation: dict[str, Any] = {
        "from": original.name,
        "from_fingerprint": original.fingerprint,
        "undo": f"use {original.name}, which was not touched",
        "person": ", ".join(dict.fromkeys(windows.subjects)),
        "sessions": list(recordings),  # the key is part of the model file
        "windows": shown,
        "not_shown": [label for label in original.labels if label not in shown],
        "statistics": "pooled with the person's" if pooled else "the original's",
        "strength": {name: None if value == inf else value for name, value in asdict(strength).items()},
        "held_out": gain,
        "note": "the accuracy table and all validation and test figures below are the original's",
    }
    if before := original.card.get("adapted"):
        adaptation["before"] = before
    return {"adapted": adaptation} | {key: value for key, value in original.card.items() if key != "adapted"}
