"""Repairs a recording in place: seals its tails, sets damaged files aside and writes the manifest again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kinestream.core.atomic_file import PART_SUFFIX
from kinestream.core.errors import DataDamaged

from .description import ABOUT, Description, Since
from .layout import KINDS, MANIFEST, numbers_of, segment_path, tail_path, write_manifest
from .reader import RecordingReader
from .seal import end_entry, seal, write_segment
from .segments import describe_segment, read_segment, undamaged_rows
from .tail import refuse_if_held


@dataclass(slots=True)
class Recovery:
    """The report of ``recover``."""

    folder: str
    needed: bool = False
    """Whether the recording needed a repair."""
    manifest: str = "kept"
    """``kept``, or ``rebuilt`` from what the segments say about themselves."""
    segments: int = 0
    """Number of segments, each up to a minute, after the repair."""
    tails_sealed: int = 0
    kept: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    """Rows of each table in the whole recording after the repair."""
    kept_from_tails: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    lost: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    """Lost rows of each table in the files of ``damaged``, as far as their minutes' files still know them."""
    bytes_lost: int = 0
    """Bytes of tails in incomplete or damaged writes."""
    holes: int = 0
    """Number of separate stretches of lost bytes."""
    damaged: list[str] = field(default_factory=list)
    """Damaged files, set aside under another name; their sound rows are kept in a new file."""
    leftovers: list[str] = field(default_factory=list)
    """Removed half-written files; a tail still holds their content."""


def recover(folder: Path) -> Recovery:
    """Repair a recording in place: seal its tails, set damaged files aside and write the manifest again.

    Raises:
        DataMissing: the folder holds no recording.
        DataDamaged: the manifest cannot be read, and no segment can replace it.
        ConfigError: a run is still recording into the folder.
        OSError: the folder cannot be written.
    """
    tails = numbers_of(folder, "tail", ".log") if folder.is_dir() else []
    for number in tails:
        refuse_if_held(tail_path(folder, number))
    reader = RecordingReader(folder)
    manifest = reader.manifest
    report = Recovery(str(folder))
    for path in sorted({*folder.glob(f".*{PART_SUFFIX}"), *folder.glob(".recording.json.*")}):
        path.unlink()
        report.leftovers.append(path.name)
    for number in tails:
        tail = seal(folder, number, _description(reader, number))
        report.tails_sealed += 1
        report.bytes_lost += tail.bytes_lost
        report.holes += tail.holes
        for kind in KINDS:
            report.kept_from_tails[kind] += len(tail.table(kind))
    numbers = _check_segments(folder, report)
    report.segments = len(numbers)
    if reader.manifest_rebuilt:
        report.manifest = "rebuilt"
        if (folder / MANIFEST).exists():
            _set_aside(folder / MANIFEST, report)
    closed = bool(manifest.get("ended"))
    report.needed = bool(report.tails_sealed or report.damaged or report.leftovers or not closed)
    if report.needed:
        ended = end_entry("recovered", report.kept, damaged=report.damaged, lost=report.lost)
        write_manifest(folder, {**manifest, "ended": ended})
    return report


def _check_segments(folder: Path, report: Recovery) -> set[int]:
    """Set damaged files aside, count the rows of the others, and return the numbers of the readable segments."""
    numbers: set[int] = set()
    bad: list[tuple[str, int]] = []
    for kind in KINDS:
        for number in numbers_of(folder, kind, ".parquet"):
            try:
                report.kept[kind] += len(read_segment(folder, kind, number).table)
                numbers.add(number)
            except DataDamaged:
                bad.append((kind, number))
                description = describe_segment(folder, number)
                report.lost[kind] += description.rows[kind] if description else 0
    for kind, number in bad:  # last, because a damaged file's rows are known from the other files of its minute
        kept = undamaged_rows(folder, kind, number)
        _set_aside(segment_path(folder, kind, number), report)
        if kept:
            table, description = kept
            write_segment(folder, kind, table, replace(description, rows={**description.rows, kind: len(table)}))
            report.kept[kind] += len(table)
            report.lost[kind] -= len(table)
            numbers.add(number)
    return numbers


def _set_aside(path: Path, report: Recovery) -> None:
    os.replace(path, path.with_name(f"{path.name}.damaged"))
    report.damaged.append(path.name)


def _description(reader: RecordingReader, number: int) -> Description:
    """The description of a tail, or what the rest of the recording knows of it."""
    if own := describe_segment(reader.folder, number):
        return own
    about: dict[str, Any] = {key: reader.manifest.get(key) for key in ABOUT}
    return Description(number, about, reader.model_labels, None, formats=_earlier_formats(reader))


def _earlier_formats(reader: RecordingReader) -> tuple[Since, ...]:
    return tuple(
        Since(stream, chunk, known)
        for stream, (first_chunks, formats) in reader.formats.items()
        for chunk, known in zip(first_chunks, formats, strict=True)
    )
