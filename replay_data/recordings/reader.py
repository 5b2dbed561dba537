"""Reads a recording, complete or cut off: it also reads the tail that a killed run left behind."""

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
from .schema import COMPUTED, DROPPED, FORMAT_CHANGED, NOT_RECORDED, SCHEMAS, Event, Format, PredictionRecord
from .tables import chunks_of, events_of, predictions_of
from .tail import read_tail


class RecordingReader:
    """Reads one recording and holds one minute of it at a time.

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
        DataDamaged: the manifest cannot be read.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.manifest: dict[str, Any] = read_manifest(self.folder)
        self._torn: dict[int, int] = {}

    @property
    def model_labels(self) -> tuple[str, ...]:
        """The classes of the model that ran; empty without a model."""
        return tuple((self.manifest.get("model") or {}).get("labels", ()))

    @property
    def segments(self) -> list[int]:
        """The numbers of all segments, in order."""
        return segment_numbers(self.folder)

    @property
    def tail_bytes_lost(self) -> int:
        """Bytes outside complete frames in the tails read so far."""
        return sum(self._torn.values())

    def table(self, kind: str, number: int) -> pa.Table:
        """The ``samples``, ``predictions`` or ``events`` of one segment; empty if it has none.

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
        """All events, in order."""
        return [event for number in self.segments for event in events_of(self.table("events", number))]

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
        for number in self.segments:
            for index, chunk in chunks_of(self.table("samples", number), self._format_of):
                if index >= chunks_computed:
                    return
                epoch = (chunk.stream, chunk.session)
                if (*epoch, chunk.seq) in dropped:
                    skipped[epoch] += len(chunk)
                    continue
                yield replace(chunk, seq=chunk.seq - skipped[epoch]) if skipped[epoch] else chunk

    def predictions(self) -> Iterator[PredictionRecord]:
        """The predictions of the live run, in order, with everything their decisions depended on."""
        for number in self.segments:
            yield from predictions_of(self.table("predictions", number), self.model_labels)

    @cached_property
    def formats(self) -> Mapping[str, tuple[list[int], list[Format]]]:
        """The formats of each stream, with the number of the first chunk of each."""
        formats: dict[str, tuple[list[int], list[Format]]] = {}
        for event in self.events:
            if event.kind == FORMAT_CHANGED:
                value = event.value
                first_chunks, known = formats.setdefault(value["stream"], ([], []))
                first_chunks.append(event.chunk)
                known.append(Format(tuple(value["channels"]), value["fs_hz"], tuple(value["label_names"])))
        return formats

    def _format_of(self, stream: str, chunk: int) -> Format:
        first_chunks, known = self.formats.get(stream, ([], []))
        at = bisect_right(first_chunks, chunk) - 1
        if at < 0:
            raise DataDamaged(
                f"{self.folder} has no format for chunk {chunk} of {stream}: an events file is missing; "
                f"restore it from a copy"
            )
        return known[at]
