"""Writes a recording: tails that become segments of a minute. Synchronous; the recorder calls it in its own thread."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kinestream import __version__
from kinestream.core.errors import ConfigError
from kinestream.core.private_file import private_folder
from kinestream.core.signals import CHANNEL_UNITS, SampleChunk

from .description import ABOUT, Description, Since
from .layout import is_recording, tail_path, write_manifest
from .schema import (
    AFTER_LOSS,
    EPOCH_START,
    FORMAT_CHANGED,
    NOT_FINITE,
    NOT_LATER,
    NOT_RECORDED,
    STARTED,
    Event,
    Format,
    PredictionRecord,
)
from .seal import end_entry, seal
from .tables import events_batch, predictions_batch, samples_batch, why_not_recordable
from .tail import TailWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEGMENT_S = 60.0
SEGMENT_BYTES = 32 << 20
"""A segment ends after a minute of signal or of waiting, or at this tail size, as sealing holds the tail in memory."""

MAX_STREAMS = 4096
"""Streams of a recording: each has an entry in the manifest and in each segment."""
MANIFEST_EVERY_S = 1.0
"""Time between two writings of the manifest while formats change; the events have each change at once."""

MAX_ITEMS_PER_FRAME = 256
"""Chunks and predictions in a frame: a fast replay delivers thousands at once."""

_UNFIT = (pa.ArrowException, ValueError, TypeError, OverflowError)
"""The errors of values that a table cannot hold: they cost their own chunk and nothing else."""

_NAME_CHARS, _REASONS = 64, 100
"""Limits of what is kept about refused streams, whose names come from strangers."""

Item = SampleChunk | PredictionRecord | Event


class RecordingWriter:
    """Writes one recording into a new folder.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     writer = RecordingWriter(Path(folder) / "monday", {"wearer": "anna"})
    ...     writer.close()
    ...     sorted(path.name for path in writer.folder.iterdir())
    ['events-000000.parquet', 'recording.json']

    Args:
        folder: created if missing; must be empty.
        about: entries of the manifest that the caller knows: source, model, policy, wearer, ...
        segment_s: seconds of signal in a segment.
        clock: monotonic seconds.
    Raises:
        ConfigError: the folder is not empty or cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        about: Mapping[str, Any],
        *,
        segment_s: float = SEGMENT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._segment_s = segment_s
        self._clock = clock
        self._streams: dict[str, _Stream] = {}
        self._manifest_is_old, self._manifest_s = False, -np.inf
        self._chunks = 0
        self.rows = {"samples": 0, "predictions": 0, "events": 0}
        """Rows written so far, by table."""
        self.refused: Counter[tuple[str, str]] = Counter()
        """Samples that no recording can hold, by stream and reason; they are left out, and the others go on."""
        self._number = 0
        self.manifest: dict[str, Any] = {
            "kinestream": __version__,
            "started_utc": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "host_clock": {"monotonic_s": time.monotonic(), "unix_s": time.time()},
            **about,
            "units": dict(CHANNEL_UNITS),
            "streams": {},
            "ended": None,
        }
        try:
            if not folder.exists():
                private_folder(folder)
            if any(folder.iterdir()):
                holds = "a recording" if is_recording(folder) else "other files"
                raise ConfigError(f"{folder} holds {holds} already; record into a new folder")
            write_manifest(folder, self.manifest)
            self._open_tail()
            # The first use of Arrow takes half a second if pandas is installed: pay for it now, while no sample waits.
            self.write([Event(STARTED, {"manifest": self.manifest})])
        except OSError as error:
            raise ConfigError(
                f"cannot record into {folder}: {error.strerror or error}; choose another folder"
            ) from None

    def write(self, items: Sequence[Item]) -> None:
        """Append the items; once this returns, they outlive the process.

        Raises:
            OSError: the disk is full, gone or read-only. Everything written before stays readable.
        """
        for start in range(0, len(items), MAX_ITEMS_PER_FRAME):
            self._append(items[start : start + MAX_ITEMS_PER_FRAME])
            if self._is_full():
                self._next_segment()

    def _append(self, items: Sequence[Item]) -> None:
        chunks: list[tuple[int, SampleChunk, NDArray[np.uint8]]] = []
        predictions: list[PredictionRecord] = []
        events: list[Event] = []
        refused: list[tuple[str, str, int, int]] = []  # stream, reason, samples, predictions
        formats_changed = False
        for item in items:
            if isinstance(item, SampleChunk):
                why = why_not_recordable(item)
                if not why and item.stream not in self._streams and len(self._streams) >= MAX_STREAMS:
                    why = f"one stream too many; a recording holds {MAX_STREAMS}: begin another"
                if why:
                    refused.append((item.stream, why, len(item), 0))
                    self._chunks += 1
                    continue
                stream = self._streams.setdefault(item.stream, _Stream())
                if (new := Format.of(item)) != stream.format:
                    stream.since = Since(item.stream, self._chunks, new)
                    events.append(Event(FORMAT_CHANGED, {"stream": item.stream, **asdict(new)}, chunk=self._chunks))
                    self.manifest["streams"][item.stream] = {
                        "channels": new.channels,
                        "rate_hz": new.fs_hz,
                        "left_out": new.left_out,
                    }
                    formats_changed = True
                if len(item):
                    chunks.append((self._chunks, item, stream.flags(item)))
                self._chunks += 1
            elif isinstance(item, Event):
                events.append(replace(item, chunk=self._chunks))
            else:
                predictions.append(item)
        samples, unfit = _build(samples_batch, chunks)
        refused += [(chunk.stream, why, len(chunk), 0) for (_, chunk, _), why in unfit]
        predicted, unfit = _build(predictions_batch, predictions)
        refused += [(record.prediction.stream, why, 0, 1) for record, why in unfit]
        events += self._refuse(refused)
        # Events first, so that no sample precedes its format.
        built = {"events": events_batch(events) if events else None, "samples": samples, "predictions": predicted}
        batches = {kind: batch for kind, batch in built.items() if batch is not None}
        if batches:
            self._tail.append(batches)
        for kind, batch in batches.items():
            self.rows[kind] += len(batch)
        self._manifest_is_old |= formats_changed
        if self._manifest_is_old and self._clock() - self._manifest_s >= MANIFEST_EVERY_S:
            self._write_manifest()

    def _refuse(self, refused: Sequence[tuple[str, str, int, int]]) -> list[Event]:
        """Count what no recording can hold, and return one event for each stream and reason."""
        left_out: dict[tuple[str, str], dict[str, Any]] = {}
        for stream, why, samples, predictions in refused:
            name = ascii(stream)[1:-1][:_NAME_CHARS]
            empty = {"stream": name, "why": why, "chunks": 0, "predictions": 0, "samples": 0}
            counts = left_out.setdefault((name, why), empty)
            counts["chunks"] += not predictions
            counts["samples"] += samples
            counts["predictions"] += predictions
            if (name, why) in self.refused or len(self.refused) < _REASONS:
                self.refused[name, why] += samples
        return [Event(NOT_RECORDED, counts, chunk=self._chunks) for counts in left_out.values()]

    def sync(self) -> None:
        """Make everything written so far survive a power cut.

        Raises:
            OSError: the disk failed, or the folder was removed.
        """
        self._tail.sync()
        if self._manifest_is_old:
            self._write_manifest()

    def _write_manifest(self) -> None:
        write_manifest(self.folder, self.manifest)
        self._manifest_is_old, self._manifest_s = False, self._clock()

    def close(self, counts: Mapping[str, int] | None = None) -> None:
        """Seal the last segment and mark the recording as closed in the manifest.

        Args:
            counts: the run's sample counts, by kind.
        Raises:
            OSError: as for ``write``.
        """
        self._tail.sync()
        self._tail.close()
        seal(self.folder, self._number, self._description)
        self.manifest["ended"] = end_entry("closed", self.rows, counts=dict(counts or {}))
        write_manifest(self.folder, self.manifest)

    def abandon(self) -> None:
        """Close the files after an error, without sealing them."""
        self._tail.close()

    def _open_tail(self) -> None:
        self._tail = TailWriter(tail_path(self.folder, self._number))
        self._description = Description(
            self._number,
            {key: self.manifest.get(key) for key in ABOUT},
            tuple((self.manifest.get("model") or {}).get("labels", ())),
            dict(self.rows),
            formats=tuple(stream.since for stream in self._streams.values() if stream.since),
        )
        self._tail.describe(self._description.to_json())
        self._opened_s = self._clock()
        for stream in self._streams.values():
            stream.signal_s = 0.0

    def _is_full(self) -> bool:
        longest_s = max((stream.signal_s for stream in self._streams.values()), default=0.0)
        waited_s = self._clock() - self._opened_s if self._tail.size else 0.0
        return max(longest_s, waited_s) >= self._segment_s or self._tail.size >= SEGMENT_BYTES

    def _next_segment(self) -> None:
        self._tail.sync()
        self._tail.close()
        number, description = self._number, self._description
        self._number += 1
        self._open_tail()
        seal(self.folder, number, description)


def _build(
    build: Callable[[Sequence[Any]], pa.RecordBatch], items: Sequence[Any]
) -> tuple[pa.RecordBatch | None, list[tuple[Any, str]]]:
    """The rows of the items, and the items that have no rows, each with the reason."""
    try:
        return (build(items) if items else None), []
    except _UNFIT:
        pass
    fitting, unfit = [], []
    for item in items:
        try:
            build([item])
        except _UNFIT as error:
            unfit.append((item, f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"))
        else:
            fitting.append(item)
    return (build(fitting) if fitting else None), unfit


@dataclass(slots=True)
class _Stream:
    """The writer's state of one stream."""

    since: Since | None = None
    """The format of the newest chunk, and the number of the first chunk that had it."""
    signal_s: float = 0.0
    """Seconds of signal in the current segment."""
    epoch: str | None = None
    next_seq: int = 0
    newest_s: float = -np.inf

    @property
    def format(self) -> Format | None:
        """The format of the newest chunk."""
        return self.since.format if self.since else None

    def flags(self, chunk: SampleChunk) -> NDArray[np.uint8]:
        """(n,) flag bits of each sample."""
        flags = np.zeros(len(chunk), np.uint8)
        flags[~np.isfinite(chunk.x).all(axis=1)] |= NOT_FINITE
        if chunk.session != self.epoch:
            flags[0] |= EPOCH_START
            self.newest_s = -np.inf
        elif chunk.seq > self.next_seq:
            flags[0] |= AFTER_LOSS
        flags[np.diff(chunk.t, prepend=self.newest_s) <= 0] |= NOT_LATER
        self.epoch, self.next_seq, self.newest_s = chunk.session, chunk.seq + len(chunk), float(chunk.t[-1])
        self.signal_s += len(chunk) / chunk.fs_hz
        return flags
