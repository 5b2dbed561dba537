"""Seals a tail into Parquet segments, which the writer does every minute and a recovery does for a killed run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from kinestream.core.atomic_file import sync_folder, write_atomically

from .checked_parquet import parquet_bytes
from .description import DESCRIPTION_KEY, Description, sealed
from .layout import KINDS, segment_path, tail_path
from .tables import events_of
from .tail import Tail, read_tail


def seal(folder: Path, number: int, description: Description) -> Tail:
    """Turn a tail into segments, each written aside and renamed, then remove it. Safe to interrupt and repeat.

    Args:
        description: of the segment, as far as it was known when the tail began.
    Returns:
        The tail's content.
    Raises:
        OSError: the folder cannot be read or written.
    """
    path = tail_path(folder, number)
    tail = read_tail(path)
    tables = {kind: tail.table(kind) for kind in KINDS}
    completed = sealed(description, tables, events_of(tables["events"]))
    for kind, table in tables.items():
        if len(table):
            write_segment(folder, kind, table, completed)
    sync_folder(folder)
    path.unlink()
    return tail


def write_segment(folder: Path, kind: str, table: pa.Table, description: Description) -> None:
    """Write one table of a segment.

    Raises:
        OSError: the folder cannot be written.
    """
    content = parquet_bytes(table, {DESCRIPTION_KEY: description.to_json()})
    write_atomically(segment_path(folder, kind, description.number), content, durable=True, private=True)


def end_entry(how: str, rows: dict[str, int], **more: Any) -> dict[str, Any]:
    """The manifest's ``ended`` entry."""
    return {"how": how, "utc": datetime.now(UTC).isoformat(timespec="milliseconds"), "rows": rows, **more}
