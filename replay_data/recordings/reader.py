"""Reads a recording, whole or cut off: a tail that a killed run left is read where it lies."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import SampleChunk

from .layout import read_manifest, segment_numbers, segment_path, tail_path
from .tables import (
    COMPUTED,
    DROPPED,
    FORMAT_IS,
    NOT_RECORDED,
    SCHEMAS,
    Event,
    Format,
    PredictionRecord,
    chunks_of,
    events_of,
    predictions_of,
)
from .tail import read_tail


class RecordingReader:
    """One recording; holds a minute of it at a time.

    Raises:
        DataMissing: the folder holds no recording.
        DataDamaged: its manifest cannot be read.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.manifest: dict[str, Any] = read_manifest(self.folder)
        self._torn: dict[int, int] = {}

    @property
    def model_labels(self) -> tuple[str, ...]:
        """The classes of the model that ran; empty where none did."""
        return tuple((self.manifest.get("model") or {}).get("labels", ()))

    @property
    def segments(self) -> list[int]:
        return segment_numbers(self.folder)

    @property
    def tail_bytes_lost(self) -> int:
        """Of the tails read so far: what was no whole frame."""
        return sum(self._torn.values())

    def table(self, kind: str, number: int) -> pa.Table:
        """One segment's ``samples``, ``predictions`` or ``events``; empty if it has none.

        Raises:
            DataDamaged: the segment cannot be read.
        """
        try:
            tail = read_tail(tail_path(self.folder, number))
        except FileNotFoundError:
            pass
        else:
            self._torn[number] = tail.bytes_lost
            return tail.table(kind)
        path = segment_path(self.folder, kind, number)
        try:
            return pq.read_table(path, schema=SCHEMAS[kind])
        except FileNotFoundError:
            return SCHEMAS[kind].empty_table()
        except (OSError, pa.ArrowException) as error:
            raise DataDamaged(
                f"{path} cannot be read ({str(error).splitlines()[0]}); "
                f"kinestream recover {self.folder} sets it aside and keeps the rest"
            ) from None

    @cached_property
    def events(self) -> list[Event]:
        """All of them, in order."""
        return [event for number in self.segments for event in events_of(self.table("events", number))]

    def counts(self) -> dict[str, int]:
        """What is known to be missing from the recording or from the run, by kind: samples."""
        counts: Counter[str] = Counter()
        for event in self.events:
            if event.kind == DROPPED:
                counts["dropped_live"] += event.value["samples"]
            elif event.kind == NOT_RECORDED:
                counts["not_recorded"] += event.value["samples"]
        return dict(counts)

    def chunks(self, *, as_computed: bool = False) -> Iterator[SampleChunk]:
        """The samples, in the chunks in which they came.

        Args:
            as_computed: only what the live pipeline was given, numbered as it was: not what it was too late for,
                nor what still waited when it was stopped.
        """
        dropped: dict[tuple[str, str, int], int] = {}
        until: float = float("inf")
        if as_computed:
            for event in self.events:
                if event.kind == DROPPED:
                    dropped[event.value["stream"], event.value["session"], event.value["seq"]] = event.value["samples"]
                elif event.kind == COMPUTED:
                    until = event.value["chunks"]
        gone: Counter[tuple[str, str]] = Counter()
        for number in self.segments:
            for index, chunk in chunks_of(self.table("samples", number), self._format_of):
                if index >= until:
                    return
                of = (chunk.stream, chunk.session)
                if (*of, chunk.seq) in dropped:
                    gone[of] += len(chunk)
                    continue
                yield _renumbered(chunk, gone[of]) if gone[of] else chunk

    def predictions(self) -> Iterator[PredictionRecord]:
        """What the live run predicted, in order, with all that its decisions depended on."""
        for number in self.segments:
            yield from predictions_of(self.table("predictions", number), self.model_labels)

    @cached_property
    def formats(self) -> Mapping[str, tuple[list[int], list[Format]]]:
        """Of each stream: the numbers of the chunks from which on it was so, and how."""
        formats: dict[str, tuple[list[int], list[Format]]] = {}
        for event in self.events:
            if event.kind == FORMAT_IS:
                told = Format(tuple(event.value["channels"]), event.value["fs_hz"], tuple(event.value["label_names"]))
                since, known = formats.setdefault(event.value["stream"], ([], []))
                since.append(event.chunk)
                known.append(told)
        return formats

    def _format_of(self, stream: str, chunk: int) -> Format:
        since, known = self.formats.get(stream, ([], []))
        at = bisect_right(since, chunk) - 1
        if at < 0:
            raise DataDamaged(
                f"{self.folder} does not say what chunk {chunk} of {stream} is: an events file is missing; "
                f"restore it from a copy"
            )
        return known[at]


def _renumbered(chunk: SampleChunk, less: int) -> SampleChunk:
    return replace(chunk, seq=chunk.seq - less)
