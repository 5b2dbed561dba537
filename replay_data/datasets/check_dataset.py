"""Checks that a local copy of a dataset is sound and complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """The contents of a local copy and the problems in it."""

    name: str
    source: str
    """The folder or archive it was read from."""
    recordings: int = 0
    subjects: int = 0
    samples: int = 0
    hours: float = 0.0
    labelled_share: float = 0.0
    windows: int | None = None
    """Number of windows, cut as the authors do, if they publish a number."""
    labels: dict[str, int] = field(default_factory=dict)
    """Number of samples of each label."""
    repairs: dict[str, int] = field(default_factory=dict)
    """Number of samples or rows skipped or repaired while reading, by kind."""
    notes: list[str] = field(default_factory=list)
    """Remarks that are not problems."""
    problems: list[str] = field(default_factory=list)
    """Problems; a sound copy has none."""

    def add(self, recording: Recording) -> None:
        """Count a recording's samples, labels and repairs, and note its problems."""
        self.problems += problems_of(recording)
        self.samples += len(recording)
        self.hours += recording.duration_s / 3600
        _add(self.repairs, recording.repairs)
        if recording.labels is not None:
            codes, counts = np.unique(recording.labels[recording.labels >= 0], return_counts=True)
            _add(self.labels, {recording.label_names[c]: int(n) for c, n in zip(codes, counts, strict=True)})
        self.labelled_share = sum(self.labels.values()) / max(self.samples, 1)

    @property
    def sound(self) -> bool:
        """Whether the copy has no problems."""
        return not self.problems


def check_dataset(
    known: KnownDataset, data_dir: Path, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> CheckReport:
    """Read every recording and compare the copy with the published figures.

    Raises:
        DataMissing: the dataset is not in ``data_dir``.
        DataDamaged: a file cannot be read, or has changed since it was fetched.
    """
    tree = known.locate(data_dir)
    report = CheckReport(known.name, str(tree.source))
    if tree.source.is_file() and verify_recorded(tree.source):
        report.notes.append("the archive is unchanged since it was fetched (SHA-256)")
    _check_blobs(tree, known, report)
    dataset = known.open(data_dir)
    report.recordings, report.subjects = len(dataset), len(set(map(known.person, dataset.subjects)))
    windows = 0
    for index, recording in enumerate(dataset):
        report.add(recording)
        windows += count_windows(recording, known.published.window, known.published.hop)
        on_progress(index + 1, len(dataset))
    report.windows = windows if known.published.windows is not None else None
    _compare(report, known.published)
    return report


def _add(totals: dict[str, int], counts: Mapping[str, int]) -> None:
    for name, number in counts.items():
        totals[name] = totals.get(name, 0) + number


def problems_of(recording: Recording) -> list[str]:
    """Faults of a recording: values that are not finite, time that does not rise, labels without a name."""
    problems = []
    if len(recording) == 0:
        problems.append("no samples")
    if not np.isfinite(recording.x).all() or not np.isfinite(recording.t).all():
        problems.append("values that are not finite")
    if any((np.diff(recording.t[start:stop]) <= 0).any() for start, stop in recording.segments):
        problems.append("time that does not rise")
    if recording.labels is not None and len(recording):
        low, high = int(recording.labels.min()), int(recording.labels.max())
        if low < UNLABELLED or high >= len(recording.label_names):
            problems.append(f"labels from {low} to {high}, but {len(recording.label_names)} names")
    return [f"{recording.name}: {problem}" for problem in problems]


def count_windows(recording: Recording, window: int, hop: int) -> int:
    """Number of windows that fit, each inside one run of one label inside one segment."""
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
            report.notes.append(f"{name} is {'the' if same else 'NOT the'} known original file")


def _compare(report: CheckReport, published: Published) -> None:
    """Note missing recordings, as a smaller copy is sound; report other differences as problems."""
    if report.recordings < published.recordings:
        report.notes.append(
            f"{report.recordings} of the {published.recordings} recordings, "
            f"{report.subjects} of the {published.subjects} people"
        )
        return
    for quantity, actual, expected in (
        ("recordings", report.recordings, published.recordings),
        ("people", report.subjects, published.subjects),
        ("samples", report.samples, published.samples),
        ("windows", report.windows, published.windows),
    ):
        if expected is not None and actual != expected:
            report.problems.append(f"{actual} {quantity}; expected {expected}")
