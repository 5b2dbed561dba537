"""Checks that a recording is sound and complete."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from kinestream.core.errors import DataDamaged

from ..datasets.check_dataset import CheckReport, problems_of
from .dataset import notices_of, open_recording
from .reader import RecordingReader


def check_recording(folder: Path) -> CheckReport:
    """Read a whole recording, table by table and through ``open_recording``, and report its contents.

    Losses of the live run appear as notes: the recording is sound and documents them itself.

    Raises:
        DataMissing: the folder holds no recording.
        DataDamaged: the manifest cannot be read.
    """
    reader = RecordingReader(folder)
    report = CheckReport(folder.resolve().name, str(folder))
    labels: Counter[str] = Counter()
    repairs: Counter[str] = Counter()
    try:
        dataset = open_recording(folder)
        report.recordings, report.subjects = len(dataset), len(dataset.subjects)
        for recording in dataset:
            report.problems += problems_of(recording)
            report.samples += len(recording)
            report.hours += recording.duration_s / 3600
            repairs.update(recording.repairs)
            if recording.labels is not None:
                codes, counts = np.unique(recording.labels, return_counts=True)
                labels.update({dataset.label_names[c]: int(n) for c, n in zip(codes, counts, strict=True) if c >= 0})
        predictions = sum(1 for _ in reader.predictions())
        report.notes.append(f"{predictions} predictions, {len(reader.events)} events, {len(reader.segments)} segments")
    except DataDamaged as error:
        report.problems.append(str(error))
    report.notes += notices_of(reader)
    if reader.tail_bytes_lost:
        report.notes.append(f"{reader.tail_bytes_lost} bytes of the tail belong to incomplete writes")
    report.labels, report.repairs = dict(labels), dict(repairs)
    report.labelled_share = labels.total() / max(report.samples, 1)
    return report
