"""Opens a recording as a dataset: one ``Recording`` per stream, to train on, check or play."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import UNLABELLED, SampleChunk

from ..recording import Dataset, Entry, Recording
from ..tables.tidy import tidy_times
from .reader import RecordingReader
from .schema import NOT_RECORDED


def open_recording(folder: Path | str) -> Dataset:
    """The recording in a folder as a dataset with one ``Recording`` per stream, each read on access.

    Epochs, and gaps of more than a second, cut a stream into segments. All streams share one set of label codes.

    Raises:
        DataMissing: the folder holds no recording.
        DataDamaged: the recording cannot be read or has no samples.
    """
    reader = RecordingReader(folder)
    name = reader.folder.resolve().name
    streams = list(reader.manifest["streams"])
    if not streams:
        raise DataDamaged(f"{reader.folder} has no samples: the run ended before the first one; record again")
    labels = tuple(dict.fromkeys(label for names in _label_names(reader) for label in names))
    wearer = reader.manifest.get("wearer")
    entries = [
        Entry(stream, wearer or stream, partial(_load, reader.folder, name, stream, wearer or stream, labels))
        for stream in streams
    ]
    return Dataset(name, labels, entries, tuple(notices_of(reader)))


def notices_of(reader: RecordingReader) -> Iterator[str]:
    """Notes for the user about a recording, one line each."""
    counts = reader.counts()  # reads the events, which may be damaged
    yield from reader.findings
    if reader.manifest["ended"] is None and not reader.manifest_rebuilt:
        yield f"{reader.folder} was not closed: the run was killed or is still going; reading what is there"
    for stream, description in reader.manifest["streams"].items():
        if left_out := description["left_out"]:
            yield f"{stream}: {', '.join(left_out)} was not recorded: kinestream does not know this kind of channel"
    for event in reader.events:
        if event.kind == NOT_RECORDED and (why := event.value.get("why")):
            counts["not_recorded"] -= event.value["samples"]
            yield f"{event.value.get('stream')}: {event.value['samples']} samples were not recorded: {why}"
    if missing := counts.get("not_recorded"):
        yield f"{reader.folder} lacks {missing} samples that arrived faster than the disk could write them"


def _label_names(reader: RecordingReader) -> Iterator[tuple[str, ...]]:
    for _, formats in reader.formats.values():
        for stream_format in formats:
            yield stream_format.label_names


def _load(folder: Path, dataset: str, stream: str, subject: str, label_names: tuple[str, ...]) -> Recording:
    chunks = [chunk for chunk in RecordingReader(folder).chunks() if chunk.stream == stream]
    if not chunks:
        raise DataDamaged(f"{folder} has no samples of {stream}: the run ended before the first one; record again")
    last = chunks[-1]  # of a stream whose format changed, only the last format is read
    alike = [chunk for chunk in chunks if (chunk.channels, chunk.fs_hz) == (last.channels, last.fs_hz)]
    t = np.concatenate([chunk.t for chunk in alike])
    x = np.concatenate([chunk.x for chunk in alike])
    labels = np.concatenate([_recode_labels(chunk, label_names) for chunk in alike])
    ends = np.cumsum([len(chunk) for chunk in alike])[:-1]
    cut_after = np.zeros(len(t) - 1, np.bool_)
    epoch_ends = [end - 1 for end, (a, b) in zip(ends, pairwise(alike), strict=True) if a.session != b.session]
    cut_after[epoch_ends] = True
    bad = ~np.asarray(np.isfinite(x).all(axis=1))
    tidied = tidy_times(t, x, cut_after)
    repairs = Counter(tidied.repairs)
    repairs["other_format"] = sum(map(len, chunks)) - len(t)
    repairs["not_finite"] = int(bad[tidied.keep].sum())
    keep, segments = _drop_bad(tidied.keep, tidied.segments, bad[tidied.keep])
    return Recording(
        dataset,
        stream,
        subject,
        last.fs_hz,
        last.channels,
        t[keep],
        x[keep],
        labels[keep] if label_names else None,
        label_names,
        segments,
        {kind: n for kind, n in repairs.items() if n},
    )


def _drop_bad(
    keep: np.ndarray, segments: tuple[tuple[int, int], ...], bad: np.ndarray
) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    """The same indices and segments without the bad samples; segments keep their borders."""
    before = np.concatenate(([0], np.cumsum(~bad)))
    return keep[~bad], tuple((int(before[start]), int(before[stop])) for start, stop in segments)


def _recode_labels(chunk: SampleChunk, names: tuple[str, ...]) -> np.ndarray:
    """The chunk's labels as codes into ``names``."""
    codes = np.full(len(chunk), UNLABELLED, np.int16)
    if chunk.labels is not None and chunk.label_names:
        table = np.array([names.index(name) for name in chunk.label_names], np.int16)
        known = (chunk.labels >= 0) & (chunk.labels < len(chunk.label_names))
        codes = np.where(known, table[np.where(known, chunk.labels, 0)], UNLABELLED).astype(np.int16)
    return codes
