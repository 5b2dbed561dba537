"""Is a local copy of a dataset sound and whole?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kinestream.core.signals import UNLABELLED

from ..recording import Recording, split_where
from .archive import FileTree
from .fetch import git_blob_sha1, verify_recorded
from .registry import KnownDataset, Published


@dataclass(slots=True)
class CheckReport:
    """What a local copy holds."""

    name: str
    source: str
    """The folder or archive it was read from."""
    recordings: int = 0
    subjects: int = 0
    samples: int = 0
    hours: float = 0.0
    labelled_share: float = 0.0
    windows: int | None = None
    """Windows as their authors cut them, where they publish a number."""
    labels: dict[str, int] = field(default_factory=dict)
    """Samples of each label."""
    repairs: dict[str, int] = field(default_factory=dict)
    """What was skipped or repaired while reading, by kind."""
    notes: list[str] = field(default_factory=list)
    """What a person should know, though nothing is wrong with what is there."""
    problems: list[str] = field(default_factory=list)
    """What is wrong."""

    @property
    def sound(self) -> bool:
        return not self.problems


def check_dataset(
    known: KnownDataset, data_dir: Path, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> CheckReport:
    """Read every recording and compare with what is published.

    Raises:
        DataMissing: it is not there.
        DataDamaged: a file cannot be read, or has changed since it was fetched.
    """
    tree = known.locate(data_dir)
    report = CheckReport(known.name, str(tree.source))
    if tree.source.is_file() and verify_recorded(tree.source):
        report.notes.append("the archive is what was fetched (SHA-256)")
    _check_blobs(tree, known, report)
    dataset = known.open(data_dir)
    report.recordings, report.subjects = len(dataset), len(dataset.subjects)
    labels: Counter[str] = Counter()
    repairs: Counter[str] = Counter()
    windows = 0
    for index, recording in enumerate(dataset):
        report.problems += problems_of(recording)
        report.samples += len(recording)
        report.hours += recording.duration_s / 3600
        repairs.update(recording.repairs)
        if recording.labels is not None:
            codes, counts = np.unique(recording.labels, return_counts=True)
            labels.update({dataset.label_names[c]: int(n) for c, n in zip(codes, counts, strict=True) if c >= 0})
        windows += count_windows(recording, known.published.window, known.published.hop)
        on_progress(index + 1, len(dataset))
    report.labels, report.repairs = dict(labels), dict(repairs)
    report.labelled_share = labels.total() / max(report.samples, 1)
    report.windows = windows if known.published.windows is not None else None
    _compare(report, known.published)
    return report


def problems_of(recording: Recording) -> list[str]:
    """What no recording may have: values that are not finite, time that does not rise, labels without a name."""
    found = []
    if len(recording) == 0:
        found.append("no samples")
    if not np.isfinite(recording.x).all() or not np.isfinite(recording.t).all():
        found.append("values that are not finite")
    if any((np.diff(recording.t[start:stop]) <= 0).any() for start, stop in recording.segments):
        found.append("time that does not rise")
    if recording.labels is not None and len(recording):
        low, high = int(recording.labels.min()), int(recording.labels.max())
        if low < UNLABELLED or high >= len(recording.label_names):
            found.append(f"labels from {low} to {high}, but {len(recording.label_names)} names")
    return [f"{recording.name}: {problem}" for problem in found]


def count_windows(recording: Recording, window: int, hop: int) -> int:
    """How many windows fit, each inside one run of one label inside one segment."""
    if window == 0 or recording.labels is None:
        return 0
    total = 0
    for start, stop in recording.segments:
        codes = recording.labels[start:stop]
        for first, last in split_where(codes[1:] != codes[:-1]):
            if codes[first] != UNLABELLED and last - first >= window:
                total += (last - first - window) // hop + 1
    return total


def _check_blobs(tree: FileTree, known: KnownDataset, report: CheckReport) -> None:
    for name, expected in known.home.blobs.items():
        if name in tree.names:
            same = git_blob_sha1(tree.read(name)) == expected
            report.notes.append(f"{name} is {'the' if same else 'NOT the'} file that is known as the original")


def _compare(report: CheckReport, published: Published) -> None:
    """Fewer recordings make a smaller copy, sound in itself; the same recordings with other contents are damaged."""
    if report.recordings < published.recordings:
        report.notes.append(
            f"{report.recordings} of the {published.recordings} recordings, "
            f"{report.subjects} of the {published.subjects} people"
        )
        return
    for what, found, expected in (
        ("recordings", report.recordings, published.recordings),
        ("people", report.subjects, published.subjects),
        ("samples", report.samples, published.samples),
        ("windows", report.windows, published.windows),
    ):
        if expected is not None and found != expected:
            report.problems.append(f"{found} {what}; expected {expected}")
