"""Seals a tail into Parquet segments, which the writer does every minute, and recovers a killed recording."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kinestream.core.atomic_file import PART_SUFFIX, atomic_file, sync_folder

from .layout import KINDS, numbers_of, read_manifest, segment_path, tail_path, write_manifest
from .schema import SCHEMAS
from .tail import Tail, read_tail, refuse_if_held


def seal(folder: Path, number: int) -> Tail:
    """Turn a tail into segments, each written aside and renamed, then remove it. Safe to interrupt and repeat.

    Returns:
        The tail's content.
    Raises:
        OSError: the folder cannot be read or written.
    """
    path = tail_path(folder, number)
    tail = read_tail(path)
    for kind in KINDS:
        table = tail.table(kind)
        if len(table):
            _write_segment(segment_path(folder, kind, number), table)
    sync_folder(folder)
    path.unlink()
    return tail


def _write_segment(path: Path, table: pa.Table) -> None:
    with atomic_file(path, durable=True) as file:
        pq.write_table(table, file, compression="zstd")


@dataclass(slots=True)
class Recovery:
    """The report of ``recover``."""

    folder: str
    needed: bool = False
    """Whether the recording needed a repair."""
    segments: int = 0
    """Number of segments, each up to a minute, after the repair."""
    tails_sealed: int = 0
    kept: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    """Rows of each table in the whole recording after the repair."""
    kept_from_tails: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    bytes_lost: int = 0
    """Bytes of tails in incomplete or damaged writes."""
    holes: int = 0
    """Number of separate stretches of lost bytes."""
    damaged: list[str] = field(default_factory=list)
    """Unreadable segments, set aside under another name."""
    leftovers: list[str] = field(default_factory=list)
    """Removed half-written files; a tail still holds their content."""


def recover(folder: Path) -> Recovery:
    """Repair a recording in place: seal its tails, set unreadable segments aside and close the manifest.

    Raises:
        DataMissing: the folder holds no recording.
        DataDamaged: the manifest cannot be read.
        ConfigError: a run is still recording into the folder.
        OSError: the folder cannot be written.
    """
    manifest = read_manifest(folder)
    tails = numbers_of(folder, "tail", ".log")
    for number in tails:
        refuse_if_held(tail_path(folder, number))
    report = Recovery(str(folder))
    for path in sorted({*folder.glob(f".*{PART_SUFFIX}"), *folder.glob(".recording.json.*")}):
        path.unlink()
        report.leftovers.append(path.name)
    for number in tails:
        tail = seal(folder, number)
        report.tails_sealed += 1
        report.bytes_lost += tail.bytes_lost
        report.holes += tail.holes
        for kind in KINDS:
            report.kept_from_tails[kind] += len(tail.table(kind))
    numbers: set[int] = set()
    for kind in KINDS:
        for number in numbers_of(folder, kind, ".parquet"):
            path = segment_path(folder, kind, number)
            rows = _rows(path, kind)
            if rows is None:
                os.replace(path, path.with_name(f"{path.name}.damaged"))
                report.damaged.append(path.name)
            else:
                report.kept[kind] += rows
                numbers.add(number)
    report.segments = len(numbers)
    report.needed = bool(report.tails_sealed or report.damaged or report.leftovers or not manifest.get("ended"))
    if report.needed:
        write_manifest(folder, {**manifest, "ended": end_entry("recovered", report.kept, damaged=report.damaged)})
    return report


def end_entry(how: str, rows: dict[str, int], **more: Any) -> dict[str, Any]:
    """The manifest's ``ended`` entry."""
    return {"how": how, "utc": datetime.now(UTC).isoformat(timespec="milliseconds"), "rows": rows, **more}


def _rows(path: Path, kind: str) -> int | None:
    """Number of rows of a segment; None if the segment cannot be read to its end."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return None
    # A recording of an earlier version lacks the columns added since, which are always the last ones.
    earlier = pa.schema(list(SCHEMAS[kind])[: len(table.schema)])
    return len(table) if table.schema.equals(earlier) else None
