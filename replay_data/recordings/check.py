"""Checks that a recording is sound and complete."""

from __future__ import annotations

from pathlib import Path

from kinestream.core.errors import DataDamaged

from ..datasets.check_dataset import CheckReport
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
    try:
        dataset = open_recording(folder)
        report.recordings, report.subjects = len(dataset), len(dataset.subjects)
        for recording in dataset:
            report.add(recording)
        predictions = sum(1 for _ in reader.predictions())
        report.notes.append(f"{predictions} predictions, {len(reader.events)} events, {len(reader.segments)} segments")
    except DataDamaged as error:
        report.problems.append(str(error))
    report.notes += notices_of(reader)
    if reader.tail_bytes_lost:
        report.notes.append(f"{reader.tail_bytes_lost} bytes of the tail belong to incomplete writes")
    return report
