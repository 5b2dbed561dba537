"""Reads a recording, complete or cut off: it also reads the tail that a killed run left behind."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from kinestream.core.errors import DataDamaged, DataMissing
from kinestream.core.signals import SampleChunk

from .description import Description, Since, formats_in
from .layout import KINDS, ManifestDamaged, read_manifest, segment_numbers, segment_path, tail_path
from .rebuild import rebuild_manifest
from .schema import COMPUTED, DROPPED, NOT_RECORDED, Event, Format, PredictionRecord
from .segments import Segment, describe_segment, read_segment
from .tables import chunks_of, events_of, predictions_of

Formats = Mapping[str, tuple[list[int], list[Format]]]
"""The formats of each stream, with the number of the first chunk of each."""


class RecordingReader:
    """Reads one recording and holds one minute of it at a time.

    Without a readable manifest it reads what the segments say about themselves, and ``findings`` says so.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from kinestream.replay_data.recordings import RecordingWriter
    >>> with TemporaryDirectory() as folder:
    ...     RecordingWriter(Path(folder), {"wearer": "anna"}).close({"lost": 3})
    ...     reader = RecordingReader(folder)
    >>> reader.manifest["wearer"], reader.manifest["ended"]["how"]
    ('anna', 'closed')

    Raises:
        DataMissing: the folder holds no recording.
        DataDamaged: the manifest cannot be read, and no segment can replace it.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._findings: dict[str, None] = {}
        self.manifest_rebuilt = False
        """Whether the manifest was lost or damaged, and ``manifest`` is what the segments know of it."""
        self.manifest: dict[str, Any] = self._read_manifest()
        self._torn: dict[int, int] = {}

    @property
    def findings(self) -> list[str]:
        """Damage and missing files found so far, one line each."""
        return list(self._findings)

    @cached_property
    def model_labels(self) -> tuple[str, ...]:
        """The classes of the model that ran; empty without a model."""
        if model := self.manifest.get("model"):
            return tuple(model.get("labels", ()))
        if not self.manifest_rebuilt:
            return ()
        return next((found.model_labels for found in self._descriptions() if found), ())

    @property
    def segments(self) -> list[int]:
        """The numbers of all segments, in order."""
        return segment_numbers(self.folder)

    @property
    def tail_bytes_lost(self) -> int:
        """Bytes outside complete frames in the tails read so far."""
        return sum(self._torn.values())

    def segment(self, kind: str, number: int) -> Segment:
        """The ``samples``, ``predictions`` or ``events`` of one segment, with its description.

        Raises:
            DataDamaged: the segment cannot be read, or does not match its checksums.
        """
        segment = read_segment(self.folder, kind, number)
        if segment.bytes_lost:
            self._torn[number] = segment.bytes_lost
        return segment

    def table(self, kind: str, number: int) -> pa.Table:
        """The ``samples``, ``predictions`` or ``events`` of one segment; empty if it has none.

        Raises:
            DataDamaged: as for ``segment``.
        """
        return self.segment(kind, number).table

    @cached_property
    def events(self) -> list[Event]:
        """All readable events, in order; ``findings`` names the files that are not readable."""
        events: list[Event] = []
        rows = 0
        for number in self.segments:
            try:
                segment = self.segment("events", number)
                events += events_of(segment.table)
            except DataDamaged as error:
                self._find(str(error))
            else:
                rows = self._rows_before("events", segment.description, rows) + len(segment.table)
        self._look_at_end("events", rows)
        return events

    def counts(self) -> dict[str, int]:
        """Number of samples known to be missing from the recording or from the run, by kind."""
        counts: Counter[str] = Counter()
        for event in self.events:
            if event.kind == DROPPED:
                counts["dropped_live"] += event.value["samples"]
            elif event.kind == NOT_RECORDED:
                counts["not_recorded"] += event.value["samples"]
        return dict(counts)

    def chunks(self, *, as_computed: bool = False) -> Iterator[SampleChunk]:
        """The samples, in the chunks in which they arrived.

        Args:
            as_computed: yield only the chunks that the live pipeline processed, with their original numbering: no
                dropped chunks, and none that was still waiting when the run stopped.
        Raises:
            DataDamaged: a segment cannot be read, or nothing says which format its samples have.
        """
        dropped: dict[tuple[str, str, int], int] = {}
        chunks_computed: float = float("inf")
        if as_computed:
            for event in self.events:
                if event.kind == DROPPED:
                    dropped[event.value["stream"], event.value["session"], event.value["seq"]] = event.value["samples"]
                elif event.kind == COMPUTED:
                    chunks_computed = event.value["chunks"]
        skipped: Counter[tuple[str, str]] = Counter()
        for table, formats in self._samples():

            def format_of(stream: str, chunk: int, formats: Formats | None = formats) -> Format:
                return self._format_of(stream, chunk, formats)

            for index, chunk in chunks_of(table, format_of):
                if index >= chunks_computed:
                    return
                epoch = (chunk.stream, chunk.session)
                if (*epoch, chunk.seq) in dropped:
                    skipped[epoch] += len(chunk)
                    continue
                yield replace(chunk, seq=chunk.seq - skipped[epoch]) if skipped[epoch] else chunk

    def predictions(self) -> Iterator[PredictionRecord]:
        """The predictions of the live run, in order, with everything their decisions depended on."""
        rows = 0
        for number in self.segments:
            segment = self.segment("predictions", number)
            rows = self._rows_before("predictions", segment.description, rows) + len(segment.table)
            yield from predictions_of(segment.table, self.model_labels)
        self._look_at_end("predictions", rows)

    @cached_property
    def formats(self) -> Formats:
        """The formats of all streams: those that events announce, and those that only segments still know."""
        found = formats_in(self.events)
        known = {(since.stream, since.chunk) for since in found}
        rows: dict[str, float] = dict.fromkeys(KINDS, 0)
        for number in self.segments:
            description = describe_segment(self.folder, number)
            if description:
                found += [since for since in description.formats if (since.stream, since.chunk) not in known]
                known |= {(since.stream, since.chunk) for since in description.formats}
            rows = self._rows_after(number, description, rows)
        return _by_stream(sorted(found, key=lambda since: since.chunk))

    def _descriptions(self) -> Iterator[Description | None]:
        return (describe_segment(self.folder, number) for number in self.segments)

    def _samples(self) -> Iterator[tuple[pa.Table, Formats | None]]:
        """The samples of each segment, and the formats that it describes itself."""
        rows = 0
        for number in self.segments:
            segment = self.segment("samples", number)
            rows = self._rows_before("samples", segment.description, rows) + len(segment.table)
            yield segment.table, _by_stream(segment.description.formats) if segment.description else None
        self._look_at_end("samples", rows)

    def _rows_before(self, kind: str, description: Description | None, found: float) -> float:
        """The rows of a table before a segment: those found, or those that the segment knows of."""
        if description is None or description.rows_before is None:
            return found
        rows = description.rows_before[kind]
        if rows > found:
            before = f"before segment {description.number}"
            self._find(f"{self.folder} lacks {rows - found:.0f} {kind} {before}: files are missing or damaged")
        return rows

    def _rows_after(self, number: int, description: Description | None, rows: dict[str, float]) -> dict[str, float]:
        """The rows of each table up to the end of a segment, by its description; infinite where nothing says it."""
        if description is None or tail_path(self.folder, number).exists():
            return dict.fromkeys(KINDS, math.inf)
        for kind in KINDS:
            path = segment_path(self.folder, kind, number)
            if description.rows[kind] and not path.exists():
                self._find(f"{path} is missing: its {description.rows[kind]} {kind} are lost")
        return {kind: self._rows_before(kind, description, rows[kind]) + description.rows[kind] for kind in KINDS}

    def _look_at_end(self, kind: str, found: float) -> None:
        ended = self.manifest.get("ended") or {}
        if ended.get("how") == "closed" and (lost := ended.get("rows", {}).get(kind, 0) - found) > 0:
            self._find(f"{self.folder} lacks its last {lost:.0f} {kind}: files are missing or damaged")

    def _format_of(self, stream: str, chunk: int, described: Formats | None) -> Format:
        for formats in (described, None):
            first_chunks, known = (self.formats if formats is None else formats).get(stream, ([], []))
            at = bisect_right(first_chunks, chunk) - 1
            if at >= 0:
                return known[at]
        raise DataDamaged(
            f"{self.folder} has no format for chunk {chunk} of {stream}: an events file is missing; "
            f"restore it from a copy"
        )

    def _read_manifest(self) -> dict[str, Any]:
        try:
            return read_manifest(self.folder)
        except (DataMissing, ManifestDamaged) as error:
            rebuilt = rebuild_manifest(self.folder)
            if rebuilt is None:
                raise
            self.manifest_rebuilt = True
            what = "is missing" if isinstance(error, DataMissing) else f"is not used ({error})"
            ran = any(found and found.model_labels for found in self._descriptions())
            without = "; the model and the policy of the run are lost" if ran and not rebuilt.get("model") else ""
            self._find(
                f"recording.json of {self.folder} {what}: the segments describe their samples themselves{without}; "
                f"kinestream recover {self.folder} writes it again"
            )
            return rebuilt

    def _find(self, line: str) -> None:
        self._findings[line] = None


def _by_stream(formats: Iterable[Since]) -> Formats:
    by_stream: dict[str, tuple[list[int], list[Format]]] = {}
    for since in formats:
        first_chunks, known = by_stream.setdefault(since.stream, ([], []))
        first_chunks.append(since.chunk)
        known.append(since.format)
    return by_stream
