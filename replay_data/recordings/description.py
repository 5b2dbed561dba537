"""What a segment says about itself and its recording, so that its samples outlive the manifest and the events."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import CHANNEL_UNITS

from .layout import KINDS, VERSION
from .schema import FORMAT_CHANGED, Event, Format

DESCRIPTION_KEY = "kinestream"
"""The key of the description in a Parquet file's key-value metadata."""

ABOUT = ("kinestream", "started_utc", "host_clock", "source", "wearer")
"""The entries of the manifest that every segment repeats; the first events of a recording hold the whole manifest."""

MAX_EPOCHS = 100
"""Epochs of one stream that a description lists: a link that breaks all the time has thousands."""


@dataclass(frozen=True, slots=True)
class Since:
    """The format of a stream, and the number of the first chunk that has it."""

    stream: str
    chunk: int
    format: Format


@dataclass(frozen=True, slots=True)
class Description:
    """The description of one segment."""

    number: int
    about: Mapping[str, Any]
    """The manifest's entries ``ABOUT``."""
    model_labels: tuple[str, ...] = ()
    """The classes of the model that ran, in the order of the probabilities."""
    rows_before: Mapping[str, int] | None = None
    """Rows of each table in all earlier segments: a difference shows that one is missing. None: not known."""
    rows: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    """Rows of each table in this segment; zero in a tail."""
    formats: tuple[Since, ...] = ()
    """The formats of the streams, in the order in which they came into force."""
    epochs: Mapping[str, tuple[tuple[str, int, int, int], ...]] = field(default_factory=dict)
    """By stream, its epochs in this segment: name, first and last sequence number, samples."""

    def format_of(self, stream: str, chunk: int) -> Format | None:
        """Return the format of a stream in a chunk; None if the description lacks it."""
        known = [since.format for since in self.formats if since.stream == stream and since.chunk <= chunk]
        return known[-1] if known else None

    def to_json(self) -> str:
        """Return the description as one line of JSON."""
        return json.dumps(
            {
                "version": VERSION,
                "number": self.number,
                **self.about,
                "units": dict(CHANNEL_UNITS),
                "model_labels": self.model_labels,
                "rows_before": self.rows_before,
                "rows": self.rows,
                "formats": [_format_values(since) for since in self.formats],
                "epochs": self.epochs,
            },
            allow_nan=False,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Description:
        """Return the description that ``to_json`` wrote.

        Raises:
            DataDamaged: the text has another form, or is of a newer version; the message gives the reason only.
        """
        try:
            values = json.loads(text)
            version = values["version"]
            if not (isinstance(version, int) and 1 <= version <= VERSION):
                raise DataDamaged(f"version {version}; this kinestream reads versions up to {VERSION}")
            return cls(
                number=int(values["number"]),
                about={key: values.get(key) for key in ABOUT},
                model_labels=_texts(values["model_labels"]),
                rows_before=None if values["rows_before"] is None else _counts(values["rows_before"]),
                rows=_counts(values["rows"]),
                formats=tuple(_since(entry) for entry in values["formats"]),
                epochs={
                    stream: tuple((str(name), int(first), int(last), int(n)) for name, first, last, n in epochs)
                    for stream, epochs in values["epochs"].items()
                },
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise DataDamaged(f"its description has another form ({type(error).__name__}: {error})") from None


def sealed(description: Description, tables: Mapping[str, pa.Table], events: Iterable[Event]) -> Description:
    """Return a tail's description completed by the tail's content: rows, formats and epochs of its streams."""
    formats = dict.fromkeys([*description.formats, *formats_in(events)])
    epochs = _epochs(tables["samples"])
    return Description(
        description.number,
        description.about,
        description.model_labels,
        description.rows_before,
        {kind: len(tables[kind]) for kind in KINDS},
        tuple(since for since in formats if since.stream in epochs),
        epochs,
    )


def formats_in(events: Iterable[Event]) -> list[Since]:
    """Return the changes of format among the events.

    Raises:
        DataDamaged: one of them has another form.
    """
    try:
        return [_since({**event.value, "chunk": event.chunk}) for event in events if event.kind == FORMAT_CHANGED]
    except (KeyError, TypeError, ValueError) as error:
        raise DataDamaged(f"an event that announces a format has another form ({error!r})") from None


def streams_entry(formats: Iterable[Since]) -> dict[str, dict[str, Any]]:
    """Return the manifest's ``streams``: the newest format of each stream."""
    return {
        since.stream: {
            "channels": list(since.format.channels),
            "rate_hz": since.format.fs_hz,
            "left_out": list(since.format.left_out),
        }
        for since in formats
    }


def _epochs(samples: pa.Table) -> dict[str, tuple[tuple[str, int, int, int], ...]]:
    found: dict[str, list[tuple[str, int, int, int]]] = {}
    if not len(samples):
        return {}
    keys = ["stream", "session"]
    grouped = samples.group_by(keys, use_threads=False).aggregate([("seq", "min"), ("seq", "max"), ("seq", "count")])
    for row in grouped.to_pylist():
        epoch = (row["session"], row["seq_min"], row["seq_max"], row["seq_count"])
        found.setdefault(row["stream"], []).append(epoch)
    return {stream: tuple(epochs[:MAX_EPOCHS]) for stream, epochs in found.items()}


def _format_values(since: Since) -> dict[str, Any]:
    known = since.format
    return {
        "stream": since.stream,
        "chunk": since.chunk,
        "channels": known.channels,
        "fs_hz": known.fs_hz,
        "label_names": known.label_names,
        "left_out": known.left_out,
    }


def _since(values: Mapping[str, Any]) -> Since:
    fs_hz = float(values["fs_hz"])
    channels = _texts(values["channels"])
    if not (math.isfinite(fs_hz) and fs_hz > 0 and set(channels) <= set(CHANNEL_UNITS)):
        raise ValueError(f"channels {', '.join(channels)} at {fs_hz:g} Hz")
    known = Format(channels, fs_hz, _texts(values["label_names"]), _texts(values.get("left_out", ())))
    return Since(str(values["stream"]), int(values["chunk"]), known)


def _counts(values: Any) -> dict[str, int]:
    return {kind: int(values[kind]) for kind in KINDS}


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{str(values)[:60]!r} is not a list of texts")
    return tuple(values)
