"""Reads one segment of a recording, sealed or still a tail, with the description it carries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from kinestream.core.errors import DataDamaged

from .checked_parquet import about_of, has_checksum, read_checked, read_undamaged
from .description import DESCRIPTION_KEY, Description, formats_in
from .layout import KINDS, segment_path, tail_path
from .schema import REQUIRED, SCHEMAS
from .tables import events_of
from .tail import read_tail


@dataclass(frozen=True, slots=True)
class Segment:
    """One table of one segment."""

    table: pa.Table
    description: Description | None = None
    """None in files of release 0.1.0 and of other programs."""
    checked: bool = True
    """Whether a checksum covers every bit."""
    bytes_lost: int = 0
    """Bytes of a tail outside complete frames."""


def read_segment(folder: Path, kind: str, number: int) -> Segment:
    """Return the ``samples``, ``predictions`` or ``events`` of one segment; an empty table if it has none.

    Raises:
        DataDamaged: the file cannot be read or does not match a checksum; the message says how much is lost.
    """
    try:
        tail = read_tail(tail_path(folder, number))
    except FileNotFoundError:
        pass
    else:
        return Segment(tail.table(kind), _described(tail.description, tail.table("events")), True, tail.bytes_lost)
    path = segment_path(folder, kind, number)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Segment(SCHEMAS[kind].empty_table())
    except OSError as error:
        raise DataDamaged(f"{path} cannot be read ({error.strerror or error}); copy the recording elsewhere") from None
    try:
        table = read_checked(content, SCHEMAS[kind])
        if incomplete := [name for name in REQUIRED[kind] if table[name].null_count]:
            raise DataDamaged(f"it lacks values of {', '.join(incomplete)}")
        description = description_of(content)
    except DataDamaged as error:
        rows = _rows_elsewhere(folder, kind, number)
        lost = f"up to {rows}" if rows is not None else "an unknown number of"
        raise DataDamaged(
            f"{path} cannot be read ({error}): {lost} {kind} are lost; "
            f"kinestream recover {folder} sets it aside and keeps the rest"
        ) from None
    return Segment(table, description, has_checksum(content))


def undamaged_rows(folder: Path, kind: str, number: int) -> tuple[pa.Table, Description] | None:
    """Return the rows of a damaged file that still match their checksums; None if there are none."""
    try:
        content = segment_path(folder, kind, number).read_bytes()
        table, description = read_undamaged(content, SCHEMAS[kind]), description_of(content)
    except (OSError, DataDamaged):
        return None
    return (table, description) if len(table) and description else None


def description_of(content: bytes) -> Description | None:
    """Return the description in a Parquet file; None if it has none.

    Raises:
        DataDamaged: the file or its description is damaged; the message gives the reason only.
    """
    text = about_of(content).get(DESCRIPTION_KEY)
    if text is None:
        return None
    if not has_checksum(content):
        raise DataDamaged("its checksum is missing")
    return Description.from_json(text)


def describe_segment(folder: Path, number: int) -> Description | None:
    """Return the description of a segment from any of its files; None if all are old or damaged."""
    try:
        tail = read_tail(tail_path(folder, number))
    except OSError:
        pass
    else:
        return _described(tail.description, tail.table("events"))
    for kind in KINDS:
        try:
            found = description_of(segment_path(folder, kind, number).read_bytes())
        except (OSError, DataDamaged):
            continue
        if found:
            return found
    return None


def _described(text: str, events: pa.Table) -> Description | None:
    try:
        found = Description.from_json(text)
        return replace(found, formats=(*found.formats, *formats_in(events_of(events))))
    except DataDamaged:
        return None


def _rows_elsewhere(folder: Path, kind: str, number: int) -> int | None:
    found = describe_segment(folder, number)
    return found.rows[kind] if found else None
