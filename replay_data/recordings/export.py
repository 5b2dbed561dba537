"""Exports a recording as CSV, which kinestream reads back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc_csv

from kinestream.core.errors import ConfigError
from kinestream.core.signals import CHANNEL_UNITS

from .reader import RecordingReader


def export_csv(reader: RecordingReader, path: Path) -> dict[Path, int]:
    """Write the samples to ``path`` and any predictions beside it.

    The sample columns are ``time (s)``, ``subject`` (the wearer, else the stream), ``stream``, ``session``, the
    recorded channels with their units, and ``label``: ``kinestream replay FILE`` reads them without ``--columns``.

    Returns:
        The number of rows by file written.
    Raises:
        ConfigError: a file exists already.
        OSError: a file cannot be written.
    """
    beside = path.with_name(f"{path.stem}-predictions{path.suffix}")
    for target in (path, beside):
        if target.exists():
            raise ConfigError(f"{target} exists already; choose another name")
    present = {name for stream in reader.manifest["streams"].values() for name in stream["channels"]}
    channels = [name for name in CHANNEL_UNITS if name in present]
    wearer = reader.manifest.get("wearer")

    def samples(table: pa.Table) -> pa.Table:
        subject = pa.array([wearer] * len(table), pa.string()) if wearer else table["stream"]
        return pa.table(
            {
                "time (s)": table["t_s"],
                "subject": subject,
                "stream": table["stream"],
                "session": table["session"],
                **{f"{name} ({CHANNEL_UNITS[name]})": table[name] for name in channels},
                "label": table["label"],
            }
        )

    def predictions(table: pa.Table) -> pa.Table:
        columns = {name: table[name] for name in table.column_names if name != "probs"}
        probs = table["probs"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
        for label, column in zip(reader.model_labels, probs.T, strict=True):
            columns[f"p_{label}"] = pa.array(column)
        return pa.table(columns)

    written = {path: _write(reader, "samples", samples, path)}
    if rows := _write(reader, "predictions", predictions, beside):
        written[beside] = rows
    return written


def _write(reader: RecordingReader, kind: str, convert: Callable[[pa.Table], pa.Table], path: Path) -> int:
    """Write all segments of one table in order and return the number of rows; without rows, write no file."""
    segments = (table for number in reader.segments if len(table := reader.table(kind, number)))
    tables = map(convert, segments)
    first = next(tables, None)
    if first is None:
        return 0
    rows = 0
    with pc_csv.CSVWriter(path, first.schema) as writer:
        for table in chain([first], tables):
            writer.write_table(table)
            rows += len(table)
    return rows
