"""Writes a recording: tails that become segments of a minute. Plain and synchronous; a thread of its own calls it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kinestream import __version__
from kinestream.core.errors import ConfigError
from kinestream.core.signals import CHANNEL_UNITS, SampleChunk

from .layout import is_recording, tail_path, write_manifest
from .seal import ended, seal
from .tables import (
    AFTER_LOSS,
    FORMAT_IS,
    NOT_FINITE,
    NOT_LATER,
    SESSION_START,
    STARTED,
    Event,
    Format,
    PredictionRecord,
    events_batch,
    predictions_batch,
    samples_batch,
)
from .tail import TailWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEGMENT_S = 60.0
SEGMENT_BYTES = 32 << 20
"""A segment ends after a minute of signal or of waiting, or when its tail is this long: it is held in memory once."""

MOST_AT_ONCE = 256
"""Chunks and predictions in a frame: a fast replay brings thousands at once."""

Item = SampleChunk | PredictionRecord | Event


class RecordingWriter:
    """One recording in a new folder.

    Args:
        folder: made if it is not there; must not hold anything yet.
        about: what the manifest says besides what this class knows: source, model, policy, wearer, ...
        segment_s: how much signal a segment holds.
        clock: seconds that only go forward.
    Raises:
        ConfigError: the folder holds something, or cannot be written.
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
        self._chunks = 0
        self.rows = {"samples": 0, "predictions": 0, "events": 0}
        """Written so far."""
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
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                holds = "a recording" if is_recording(folder) else "other files"
                raise ConfigError(f"{folder} holds {holds} already; record into a new folder")
            write_manifest(folder, self.manifest)
            self._begin()
            # The first use of Arrow takes half a second where it finds pandas: now, while no sample waits.
            self.write([Event(STARTED, {})])
        except OSError as error:
            raise ConfigError(
                f"cannot record into {folder}: {error.strerror or error}; choose another folder"
            ) from None

    def write(self, items: Sequence[Item]) -> None:
        """Append; once this returns, the end of the process loses nothing of it.

        Raises:
            OSError: the disk is full, gone or read-only. What was written before can be read.
        """
        for start in range(0, len(items), MOST_AT_ONCE):
            self._append(items[start : start + MOST_AT_ONCE])
            if self._is_full():
                self._next_segment()

    def _append(self, items: Sequence[Item]) -> None:
        chunks: list[tuple[int, SampleChunk, NDArray[np.uint8]]] = []
        predictions: list[PredictionRecord] = []
        events: list[Event] = []
        news = False
        for item in items:
            if isinstance(item, SampleChunk):
                stream = self._streams.setdefault(item.stream, _Stream())
                if (told := Format.of(item)) != stream.format:
                    stream.format = told
                    events.append(Event(FORMAT_IS, {"stream": item.stream, **asdict(told)}, chunk=self._chunks))
                    self.manifest["streams"][item.stream] = {
                        "channels": told.channels,
                        "rate_hz": told.fs_hz,
                        "left_out": told.left_out,
                    }
                    news = True
                if len(item):
                    chunks.append((self._chunks, item, stream.flags(item)))
                self._chunks += 1
            elif isinstance(item, Event):
                events.append(replace(item, chunk=self._chunks))
            else:
                predictions.append(item)
        batches: dict[str, pa.RecordBatch] = {}
        if events:  # first, so that no sample stands there without its format
            batches["events"] = events_batch(events)
        if chunks:
            batches["samples"] = samples_batch(chunks)
        if predictions:
            batches["predictions"] = predictions_batch(predictions)
        if batches:
            self._tail.append(batches)
        for kind, batch in batches.items():
            self.rows[kind] += len(batch)
        if news:
            write_manifest(self.folder, self.manifest)

    def sync(self) -> None:
        """Make what was written outlast a power cut.

        Raises:
            OSError: the disk failed, or the folder is not there any more.
        """
        self._tail.sync()

    def close(self, counts: Mapping[str, int] | None = None) -> None:
        """Seal the last segment and say in the manifest that this is the end.

        Args:
            counts: what became of the run's samples, by kind.
        Raises:
            OSError: as ``write``.
        """
        self._tail.sync()
        self._tail.close()
        seal(self.folder, self._number)
        self.manifest["ended"] = ended("closed", self.rows, counts=dict(counts or {}))
        write_manifest(self.folder, self.manifest)

    def abandon(self) -> None:
        """Let go of the files after an error, as they are."""
        self._tail.close()

    def _begin(self) -> None:
        self._tail = TailWriter(tail_path(self.folder, self._number))
        self._began_s = self._clock()
        for stream in self._streams.values():
            stream.signal_s = 0.0

    def _is_full(self) -> bool:
        longest_s = max((stream.signal_s for stream in self._streams.values()), default=0.0)
        waited_s = self._clock() - self._began_s if self._tail.size else 0.0
        return max(longest_s, waited_s) >= self._segment_s or self._tail.size >= SEGMENT_BYTES

    def _next_segment(self) -> None:
        self._tail.sync()
        self._tail.close()
        self._number += 1
        self._begin()
        seal(self.folder, self._number - 1)


@dataclass(slots=True)
class _Stream:
    """What is known of a stream so far."""

    format: Format | None = None
    signal_s: float = 0.0
    """In this segment."""
    session: str | None = None
    next_seq: int = 0
    newest_s: float = -np.inf

    def flags(self, chunk: SampleChunk) -> NDArray[np.uint8]:
        """(n,) what is odd about each sample."""
        flags = np.zeros(len(chunk), np.uint8)
        flags[~np.isfinite(chunk.x).all(axis=1)] |= NOT_FINITE
        if chunk.session != self.session:
            flags[0] |= SESSION_START
            self.newest_s = -np.inf
        elif chunk.seq > self.next_seq:
            flags[0] |= AFTER_LOSS
        flags[np.diff(chunk.t, prepend=self.newest_s) <= 0] |= NOT_LATER
        self.session, self.next_seq, self.newest_s = chunk.session, chunk.seq + len(chunk), float(chunk.t[-1])
        self.signal_s += len(chunk) / chunk.fs_hz
        return flags
