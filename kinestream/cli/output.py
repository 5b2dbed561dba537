"""Predictions and summaries as JSON lines, and as lines for people."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from kinestream.signals import Prediction


def prediction_record(prediction: Prediction) -> dict[str, Any]:
    """One prediction as plain JSON values; what is not known is null."""
    return {
        "stream": prediction.stream,
        "session": prediction.session,
        "t_start": round(prediction.t_start_s, 6),
        "t_end": round(prediction.t_end_s, 6),
        "label": prediction.label,
        "confidence": round(prediction.confidence, 6),
        "probs": {
            label: round(float(p), 6) for label, p in zip(prediction.labels, prediction.probs.tolist(), strict=True)
        },
        "width": prediction.decision.subnet.width,
        "resolution": prediction.decision.subnet.resolution,
        "reason": prediction.decision.reason,
        "latency_ms": _number(prediction.latency_ms, 4),
        "energy_mj": _number(prediction.energy_mj, 6),
        "age_ms": _number(prediction.age_ms, 3),
        "coverage": round(prediction.coverage, 4),
        "truth": prediction.truth,
        "truth_share": round(prediction.truth_share, 4),
        "battery": None if prediction.battery_frac is None else round(prediction.battery_frac, 6),
    }


def _number(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


class JsonLines:
    """One object a line; whole lines only, each visible at once to whoever reads."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    def prediction(self, prediction: Prediction) -> None:
        self._write(prediction_record(prediction))

    def summary(self, summary: Mapping[str, Any]) -> None:
        self._write(summary)

    def _write(self, record: Mapping[str, Any]) -> None:
        self._out.write(json.dumps(record, separators=(",", ":"), allow_nan=False) + "\n")
        self._out.flush()


class Lines:
    """A line a prediction, as a person reads it; the summary as a small table."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    def prediction(self, prediction: Prediction) -> None:
        if prediction.truth is None:
            judged = ""
        else:
            mark = "=" if prediction.label == prediction.truth else "!"
            judged = f"{mark} {prediction.truth}"
        self._out.write(
            f"{prediction.stream:<14} {_clock(prediction.t_end_s):>10}  {prediction.label:<20}"
            f"{prediction.confidence:>5.0%}  {prediction.decision.subnet!s:<10}"
            f"{prediction.latency_ms:7.2f} ms  {judged}\n"
        )
        self._out.flush()

    def summary(self, summary: Mapping[str, Any]) -> None:
        self._out.write(summary_text(summary) + "\n")


def summary_text(summary: Mapping[str, Any]) -> str:
    """The figures of a run, a line each; only those that are known."""
    counts: Mapping[str, int] = summary["counts"]
    latency = summary["latency_ms"]
    told = ", ".join(
        f"{kind} {count}" for kind, count in counts.items() if count or kind in ("gaps", "lost", "dropped")
    )
    shares = ", ".join(f"{name} {share:.0%}" for name, share in list(summary["share_per_subnet"].items())[:6])
    rows = [
        ("source", f"{summary['source']} with {summary['model']}, policy {summary['policy']}"),
        (
            "signal",
            f"{summary['signal_s']:.0f} s in {summary['wall_s']:.1f} s: {summary['realtime_factor']} x real time",
        ),
        ("counts", told),
        ("accuracy", _accuracy(summary)),
        (
            "latency",
            f"p50 {latency['p50']} ms, p95 {latency['p95']} ms, p99 {latency['p99']} ms" if latency["p50"] else "",
        ),
        (
            "energy",
            f"{summary['energy_mj']:.1f} mJ estimated ({summary['energy_model']})" if summary["energy_mj"] else "",
        ),
        ("ran", shares),
        *(("notice", line) for line in summary["notices"]),
    ]
    return "\n".join(f"{name:>9}  {text}" for name, text in rows if text)


def _accuracy(summary: Mapping[str, Any]) -> str:
    told = []
    if summary["accuracy"] is not None:
        told.append(
            f"{summary['accuracy']:.2%} of {summary['windows_inside_one_activity']} windows inside one activity"
        )
    if summary["accuracy_with_transitions"] is not None:
        told.append(
            f"{summary['accuracy_with_transitions']:.2%} of {summary['windows_with_transitions']} with transitions"
        )
    if summary["windows_of_other_activities"]:
        told.append(f"{summary['windows_of_other_activities']} with a label that the model does not know, not judged")
    return "; ".join(told)


def _clock(seconds: float) -> str:
    """1:02:03.4 of the stream's own time."""
    minutes, rest = divmod(round(max(0.0, seconds), 1), 60)  # rounded first: there is no 0:60.0
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
