"""Converts XDF files, written by Lab Streaming Layer's recorder, into recordings.

Source: https://github.com/sccn/xdf/wiki/Specifications; read by pyxdf.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.errors import ConfigError, DataDamaged, DataMissing, InputMismatch, MissingExtra
from kinestream.core.signals import ACC, GYRO, UNLABELLED, SampleChunk

from ..tables.column_map import ColumnMap
from ..tables.open_table import MAX_LABELS, canonical_label, si_factors
from ..tables.table_file import MAX_VALUE
from .writer import RecordingWriter
from .xdf_file import read_sound_chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK_S = 0.5

Labels = tuple["NDArray[np.float64]", "NDArray[np.int16]", tuple[str, ...]]


def import_xdf(path: Path, folder: Path, *, wearer: str | None = None, columns: ColumnMap | None = None) -> list[str]:
    """Write the motion streams of an XDF file as a recording.

    The names and units of the channels identify streams with an accelerometer or gyroscope; a single stream of text
    markers labels the samples from each marker to the next.

    Args:
        folder: new or empty.
        columns: the meaning of the channels, where their names and units leave it open.
    Returns:
        The outcome for each stream, one line each.
    Raises:
        MissingExtra: pyxdf is not installed.
        DataMissing: the file does not exist.
        DataDamaged: the file is not valid XDF.
        InputMismatch: the file has no motion stream.
        ConfigError: the folder is not empty or cannot be written.
    """
    streams, outcomes = _load(path)
    imported: list[tuple[str, list[SampleChunk]]] = []
    labels = _labels(streams)
    for stream in streams:
        name = _text(stream["info"], "name") or f"stream {stream['info'].get('stream_id', '?')}"
        if not isinstance(stream["time_series"], np.ndarray):
            outcomes.append(f"{name}: {'labels' if labels else 'text, left out'}")
            continue
        try:
            chunks = list(_chunks(stream, name, labels, columns or ColumnMap(), path.name))
        except ConfigError as error:
            outcomes.append(f"{name}: left out: {error}")
            continue
        imported.append((name, chunks))
        outcomes.append(f"{name}: {sum(map(len, chunks))} samples of {', '.join(chunks[0].channels)}")
    if not imported:
        raise InputMismatch(f"{path} has no motion stream; " + "; ".join(outcomes))
    about = {"source": {"name": str(path), "live": False}, "wearer": wearer, "model": None, "policy": None}
    writer = RecordingWriter(folder, about)
    try:
        merged = sorted((chunk for _, chunks in imported for chunk in chunks), key=lambda chunk: chunk.received_s)
        writer.write(merged)
        writer.close()
    except OSError as error:
        writer.abandon()
        raise ConfigError(f"cannot write {folder}: {error.strerror or error}; make room and import again") from None
    return outcomes


def _load(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The streams with samples, and what is damaged."""
    try:
        import pyxdf
    except ModuleNotFoundError:
        raise MissingExtra("xdf", "importing XDF files") from None
    if not path.is_file():
        raise DataMissing(f"no file {path}; expected an XDF file")
    try:
        sound = read_sound_chunks(path)
        streams, _ = pyxdf.load_xdf(BytesIO(sound.content), verbose=False)
    except DataDamaged:
        raise
    except Exception as error:  # on a damaged file pyxdf raises any kind of error
        raise DataDamaged(f"{path} cannot be read as XDF: {error}") from None
    lost = f"damaged: {sound.bytes_lost} bytes in {sound.places} places cannot be read, and their samples are lost"
    return [stream for stream in streams if len(stream["time_stamps"])], [lost] if sound.bytes_lost else []


def _labels(streams: list[dict[str, Any]]) -> Labels | None:
    """The start of each label, its code, and the names; None unless exactly one stream holds text."""
    texts = [stream for stream in streams if not isinstance(stream["time_series"], np.ndarray)]
    if len(texts) != 1:
        return None
    markers = [canonical_label(str(row[0])) for row in texts[0]["time_series"]]
    names = tuple(sorted(set(filter(None, markers))))
    if len(names) > MAX_LABELS:
        return None  # texts, but no labels
    code_of = {name: code for code, name in enumerate(names)}
    codes = np.array([code_of.get(name, UNLABELLED) for name in markers], np.int16)
    return np.asarray(texts[0]["time_stamps"], float), codes, names


def _chunks(
    stream: dict[str, Any], name: str, labels: Labels | None, column_map: ColumnMap, where: str
) -> Iterator[SampleChunk]:
    t = np.asarray(stream["time_stamps"], float)
    span_s = float(t[-1] - t[0])
    measured_hz = (len(t) - 1) / span_s if span_s > 0 else math.nan
    rate_hz = float(_text(stream["info"], "nominal_srate") or 0) or measured_hz
    if not rate_hz > 0:
        raise ConfigError(f"{len(t)} samples and no rate; expected a nominal rate or rising times")
    header = _channel_names(stream["info"], stream["time_series"].shape[1])
    columns = replace(column_map, rate_hz=rate_hz).resolve(header, f"{where}, {name}")
    sensor_columns = [header.index(column) for column in (*columns.acc, *columns.gyro)]
    x = stream["time_series"][:, sensor_columns].astype(np.float64)
    finite = (np.abs(x) <= MAX_VALUE).all(axis=1)
    factors, _ = si_factors(x[finite], columns, f"{where}, {name}")
    values = (np.where(np.abs(x) <= MAX_VALUE, x, np.inf) * factors).astype(np.float32)
    channels = (*(ACC if columns.acc else ()), *(GYRO if columns.gyro else ()))
    codes = None
    if labels:
        at = np.searchsorted(labels[0], t, side="right") - 1
        codes = np.where(at >= 0, labels[1][np.maximum(at, 0)], UNLABELLED).astype(np.int16)
    size = max(1, round(CHUNK_S * rate_hz))
    for first in range(0, len(t), size):
        part = slice(first, first + size)
        yield SampleChunk(
            name,
            f"{name}#0",
            t[part],
            values[part],
            channels,
            rate_hz,
            first,
            float(t[part][-1]),
            None if codes is None else codes[part],
            labels[2] if labels else (),
        )


def _channel_names(info: dict[str, Any], count: int) -> list[str]:
    """The channels named like a table's header, with units in brackets."""
    try:
        channels = info["desc"][0]["channels"][0]["channel"]
    except (KeyError, IndexError, TypeError):
        channels = []
    names = []
    for channel in channels[:count]:
        label, unit = _text(channel, "label"), _text(channel, "unit")
        names.append(f"{label} ({unit})" if unit else label)
    return [*names, *(f"channel {number}" for number in range(len(names), count))]


def _text(info: dict[str, Any], key: str) -> str:
    """The text of one entry; XDF's XML wraps every value in a list."""
    value = info.get(key) or [""]
    return str((value[0] if isinstance(value, list) else value) or "")
