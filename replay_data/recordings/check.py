"""Checks that a recording is sound and complete."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path

from kinestream.core.errors import DataDamaged

from ..datasets.check_dataset import CheckReport
from .dataset import notices_of, open_recording
from .layout import KINDS
from .reader import RecordingReader


def check_recording(folder: Path) -> CheckReport:
    """Read a whole recording, file by file and through ``open_recording``, and report its contents.

    Losses of the live run appear as notes: the recording is sound and documents them itself. Damaged and missing files
    are problems, each with the rows that it costs.

    Raises:
        DataMissing: the folder holds no recording.
        DataDamaged: the manifest cannot be read, and no segment can replace it.
    """
    reader = RecordingReader(folder)
    report = CheckReport(folder.resolve().name, str(folder))
    rows, unchecked = _read_files(reader, report)
    if not report.problems:
        try:
            dataset = open_recording(folder)
            report.recordings, report.subjects = len(dataset), len(dataset.subjects)
            for recording in dataset:
                report.add(recording)
            for _ in chain(reader.chunks(), reader.predictions()):  # looks for missing files
                pass
        except DataDamaged as error:
            report.problems.append(str(error))
    recovered = (reader.manifest.get("ended") or {}).get("how") == "recovered"
    if not recovered:  # a repaired recording documents what it lost, as a note
        report.problems += [finding for finding in reader.findings if finding not in report.problems]
    counted = ", ".join(f"{rows[kind]} {kind}" for kind in KINDS)
    report.notes.append(f"{counted} in {len(reader.segments)} segments are readable")
    report.notes += [notice for notice in notices_of(reader) if notice not in report.problems]
    if unchecked:
        report.notes.append(
            f"{unchecked} files have no checksums (release 0.1.0 or another program wrote them): "
            "damage that changes values there cannot be seen"
        )
    if reader.tail_bytes_lost:
        report.notes.append(f"{reader.tail_bytes_lost} bytes of the tail belong to incomplete writes")
    return report


def _read_files(reader: RecordingReader, report: CheckReport) -> tuple[Counter[str], int]:
    """Read every file and note its damage; return the readable rows by table, and the number of unchecked files."""
    rows: Counter[str] = Counter()
    unchecked = 0
    for number in reader.segments:
        for kind in KINDS:
            try:
                segment = reader.segment(kind, number)
            except DataDamaged as error:
                report.problems.append(str(error))
                continue
            rows[kind] += len(segment.table)
            unchecked += not segment.checked
    return rows, unchecked
