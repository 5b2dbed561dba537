"""Accuracy, latency, energy and shares of a run, added up prediction by prediction in constant memory."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np

from kinestream.core.activities import shown_as
from kinestream.core.scoring import judged_label
from kinestream.core.signals import UNKNOWN, Prediction, Window

REMEMBERED_LATENCIES = 100_000
"""Number of the newest predictions whose latency percentiles are computed."""


class Tally:
    """Adds up predictions.

    ``accuracy`` counts the windows whose samples all carry one label that the model knows.
    ``accuracy_with_transitions`` also counts windows across a change, judged by the label of more than half of their
    samples. Windows of activities the model does not know, and windows without a majority label, count in neither;
    their numbers are in the summary.
    """

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._labels = labels
        # Room for all of them from the start: a run that grows for hours looks like a leak.
        self._latencies_ms = array("d", bytes(8 * REMEMBERED_LATENCIES))
        self._subnets: Counter[str] = Counter()
        self._judged = Counter[str]()
        self._by_label: dict[str, list[int]] = {}
        self._energy_mj = 0.0
        self.predictions = 0
        self._missed = 0
        self.battery_frac: float | None = None

    def add(self, prediction: Prediction, deadline_ms: float | None) -> None:
        """Count a prediction; it is late above ``deadline_ms``."""
        self._latencies_ms[self.predictions % REMEMBERED_LATENCIES] = prediction.latency_ms
        self.predictions += 1
        self._subnets[str(prediction.decision.subnet)] += 1
        self._energy_mj += prediction.energy_mj
        self._missed += deadline_ms is not None and prediction.latency_ms > deadline_ms
        self.battery_frac = prediction.battery_frac
        right = prediction.label in shown_as(prediction.truth or "", prediction.labels)
        kind = judged_as(prediction, self._labels)
        self._judged[kind] += 1
        self._judged[f"{kind}_right"] += right
        if kind == "pure" and prediction.truth is not None:
            of_label = self._by_label.setdefault(prediction.truth, [0, 0])
            of_label[0] += right
            of_label[1] += 1

    def summary(self) -> dict[str, Any]:
        """Plain JSON values; None for a figure that is not known."""
        judged = self._judged
        known = judged["pure"] + judged["mixed"]
        latencies_ms = np.frombuffer(self._latencies_ms)[: self.predictions]
        p50, p95, p99 = np.percentile(latencies_ms, [50, 95, 99]) if len(latencies_ms) else [math.nan] * 3
        return {
            "predictions": self.predictions,
            "accuracy": _share(judged["pure_right"], judged["pure"]),
            "accuracy_with_transitions": _share(judged["pure_right"] + judged["mixed_right"], known),
            "accuracy_by_label": {name: _share(*self._by_label[name]) for name in sorted(self._by_label)},
            "windows_inside_one_activity": judged["pure"],
            "windows_with_transitions": known,
            "windows_of_other_activities": judged["other"],
            "windows_unlabelled": judged["unlabelled"],
            "latency_ms": {"p50": _plain(p50), "p95": _plain(p95), "p99": _plain(p99)},
            "missed_deadlines": self._missed,
            "energy_mj": _plain(self._energy_mj),
            "share_per_subnet": {
                name: round(count / self.predictions, 4) for name, count in self._subnets.most_common()
            },
            "battery": self.battery_frac,
        }


class ConclusionTally:
    """Adds up conclusions, judged as ``Tally`` judges; a window concluded ``unknown`` is neither right nor wrong, one
    concluded ``still`` counts as the most probable posture."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._labels = labels
        self._counts = Counter[str]()

    def add(self, prediction: Prediction) -> None:
        """Count a prediction. Raises ValueError: it has no conclusion."""
        if prediction.conclusion is None:
            raise ValueError("a prediction without a conclusion")
        kind = judged_as(prediction, self._labels)
        self._counts[kind] += 1
        self._counts[f"{kind}_labelled"] += prediction.conclusion.label != UNKNOWN
        self._counts[f"{kind}_right"] += judged_label(prediction) in shown_as(prediction.truth or "", prediction.labels)

    def summary(self) -> dict[str, Any]:
        """Plain JSON values: the share of windows with a label (``told``), and the share of right ones among these."""
        counts = self._counts
        labelled, right, known = (counts[f"pure{end}"] + counts[f"mixed{end}"] for end in ("_labelled", "_right", ""))
        return {
            "accuracy": _share(counts["pure_right"], counts["pure_labelled"]),
            "accuracy_with_transitions": _share(right, labelled),
            "told": _share(counts["pure_labelled"], counts["pure"]),
            "told_with_transitions": _share(labelled, known),
            "told_of_other_activities": _share(counts["other_labelled"], counts["other"]),
            "unknown": sum(counts[kind] - counts[f"{kind}_labelled"] for kind in KINDS),
        }


KINDS = ("pure", "mixed", "other", "unlabelled")


def judged_as(prediction: Prediction | Window, labels: Collection[str]) -> str:
    """Which of ``KINDS`` a window is, by the labels of its samples.

    ``pure``: inside one activity that the model knows; ``mixed``: across a change, with one such activity in the
    majority; ``other``: an activity the model does not know; ``unlabelled``: no label has the majority.
    """
    if prediction.truth is None or prediction.truth_share <= 0.5:
        return "unlabelled"
    if not shown_as(prediction.truth, labels):
        return "other"
    return "mixed" if prediction.truth_share < 1.0 else "pure"


def _share(right: int, of: int) -> float | None:
    return round(right / of, 5) if of else None


def _plain(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
