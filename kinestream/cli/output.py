"""Prints predictions, episodes and summaries, as JSON lines or as text."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from kinestream.core.activities import shown_as
from kinestream.core.evidence import StreamFigures
from kinestream.core.signals import STILL, UNKNOWN, Prediction
from kinestream.interpret.episodes import Episode
from kinestream.observe.findings import Notice

from .terminal import show

WITHHELD = ("worn_otherwise", "without_up", "low_coverage")
"""Counts of windows whose label is withheld without any option."""


def episode_record(episode: Episode) -> dict[str, Any]:
    """A finished episode as plain JSON values, on the clock of the predictions."""
    return {
        "episode": episode.label,
        "stream": episode.stream,
        "session": episode.session,
        "t_start": round(episode.t_start_s, 6),
        "t_end": round(episode.t_end_s, 6),
        "windows": episode.windows,
        "confidence": round(episode.confidence, 6),
    }


class JsonLines:
    """One JSON object per line, flushed line by line."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    def prediction(self, prediction: Prediction) -> None:
        self._write(prediction.to_dict())

    def notice(self, notice: Notice) -> None:
        self._write(notice.to_dict())

    def episode(self, episode: Episode) -> None:
        self._write(episode_record(episode))

    def summary(self, summary: Mapping[str, Any]) -> None:
        self._write(summary)

    def _write(self, record: Mapping[str, Any]) -> None:
        show(json.dumps(record, separators=(",", ":"), allow_nan=False), out=self._out)


class Lines:
    """One line of text per prediction, with its conclusion if there is one; the summary as a small table.

    Args:
        live: predictions arrive as they happen, so episodes get the time of day.
    """

    def __init__(self, out: TextIO | None = None, *, live: bool = False) -> None:
        self._out = out or sys.stdout
        self._live = live
        self._wall_s: dict[str, float] = {}  # by stream: offset from its clock to the time of day

    def prediction(self, prediction: Prediction) -> None:
        shown = prediction.conclusion or prediction
        truth = ""
        if prediction.truth is not None:
            truth = f"{_mark(shown.label, prediction)} {prediction.truth}"
        if self._live:
            self._wall_s[prediction.stream] = time.time() - prediction.t_end_s
        show(
            f"{prediction.stream:<14} {_clock(prediction.t_end_s):>10}  {shown.label:<20}"
            f"{shown.confidence:>5.0%}  {prediction.decision.subnet!s:<10}"
            f"{prediction.latency_ms:7.2f} ms  {truth}",
            out=self._out,
        )

    def notice(self, notice: Notice) -> None:
        show(f"{'notice':>9}  {notice}", out=self._out)

    def episode(self, episode: Episode) -> None:
        start, end = (self._time_of(episode.stream, t_s) for t_s in (episode.t_start_s, episode.t_end_s))
        show(f"{episode.stream:<14} {start:>10}-{end}  {episode.label}", out=self._out)

    def _time_of(self, stream: str, t_s: float) -> str:
        if stream not in self._wall_s:
            return _clock(t_s)
        return time.strftime("%H:%M:%S", time.localtime(t_s + self._wall_s[stream]))

    def summary(self, summary: Mapping[str, Any]) -> None:
        show(*summary_lines(summary), out=self._out)


def _mark(label: str, prediction: Prediction) -> str:
    """``=`` for a right label, ``!`` for a wrong one, ``?`` for a withheld one; ``-`` where no label can be right,
    because the model does not know the activity."""
    right = shown_as(prediction.truth or "", prediction.labels)
    if not right:
        return "-"
    if label in right:
        return "="
    return "?" if label in (UNKNOWN, STILL) else "!"


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """The known figures of a run, one line each."""
    counts: Mapping[str, int] = summary["counts"]
    latency = summary["latency_ms"]
    counted = ", ".join(
        f"{kind} {count}" for kind, count in counts.items() if count or kind in ("gaps", "lost", "dropped")
    )
    missed = summary["missed_deadlines"]
    late = f"; {missed} of {summary['predictions']} missed the deadline" if missed else ""
    shares = ", ".join(f"{name} {share:.0%}" for name, share in list(summary["share_per_subnet"].items())[:6])
    rows = [
        ("source", f"{summary['source']} with {summary['model']}, policy {summary['policy']}"),
        (
            "signal",
            f"{summary['signal_s']:.0f} s in {summary['wall_s']:.1f} s: {summary['realtime_factor']} x real time",
        ),
        *(("stream", line) for line in map(_stream, summary.get("streams", ()))),
        ("counts", counted),
        ("accuracy", _accuracy(summary)),
        ("concluded", _conclusions(summary["concluded"]) if "concluded" in summary else ""),
        ("episodes", str(summary.get("episodes", ""))),
        (
            "latency",
            f"p50 {latency['p50']} ms, p95 {latency['p95']} ms, p99 {latency['p99']} ms{late}"
            if latency["p50"]
            else "",
        ),
        (
            "energy",
            f"{summary['energy_mj']:.1f} mJ, {summary['energy_model']}" if summary["energy_mj"] else "",
        ),
        ("ran", shares),
        *(("notice", line) for line in summary["notices"]),
    ]
    return [f"{name:>9}  {text}" for name, text in rows if text]


def _stream(figures: Mapping[str, Any]) -> str:
    return StreamFigures(**figures).describe()


def _accuracy(summary: Mapping[str, Any]) -> str:
    parts = []
    if summary["accuracy"] is not None:
        parts.append(
            f"{summary['accuracy']:.2%} of {summary['windows_inside_one_activity']} windows inside one activity"
        )
    if summary["accuracy_with_transitions"] is not None:
        parts.append(
            f"{summary['accuracy_with_transitions']:.2%} of {summary['windows_with_transitions']} with transitions"
        )
        if any(summary["counts"].get(kind) for kind in WITHHELD):
            parts.append("of the network's own labels, also where still or unknown was shown")
    if summary["windows_of_other_activities"]:
        parts.append(f"{summary['windows_of_other_activities']} with a label that the model does not know, not judged")
    return "; ".join(parts)


def _conclusions(concluded: Mapping[str, Any]) -> str:
    """The accuracy of the conclusions, and the share of windows with a label."""
    settings = [
        "smoothed" if concluded["smoothed"] else "each window alone",
        "calibrated" if concluded["calibrated"] else "NOT calibrated (kinestream calibrate)",
    ]
    parts = [", ".join(settings)]
    for ending, words in (("", "inside one activity"), ("_with_transitions", "with transitions")):
        share, accuracy = concluded[f"told{ending}"], concluded[f"accuracy{ending}"]
        if accuracy is not None:
            parts.append(f"{accuracy:.2%} of {'windows' if share == 1.0 else f'the {share:.1%} with a label'} {words}")
    if concluded["unknown"]:
        parts.append(f"{concluded['unknown']} windows unknown")
    return "; ".join(parts)


def _clock(seconds: float) -> str:
    """The stream's own time as ``1:02:03.4``."""
    minutes, rest = divmod(round(max(0.0, seconds), 1), 60)  # rounded first, so that 0:60.0 cannot occur
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
