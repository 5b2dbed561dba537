"""Converts chunks, predictions and events to rows of a recording's tables and back."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import CHANNEL_UNITS, SEQ_END, Decision, Prediction, SampleChunk, Sensing, Subnet

from .schema import EVENT_VALUES, EVENTS, PREDICTIONS, SAMPLES, Event, Format, PredictionRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray


def why_not_recordable(chunk: SampleChunk) -> str | None:
    """Why the table cannot hold a chunk, in words; None if it can."""
    n = len(chunk)
    if not 0 <= chunk.seq <= SEQ_END - n:
        return f"sequence number {chunk.seq}; expected 0 to {SEQ_END - n}"
    if not (math.isfinite(chunk.fs_hz) and chunk.fs_hz > 0):
        return f"a rate of {chunk.fs_hz} Hz; expected a positive number"
    if chunk.x.shape != (n, len(chunk.channels)) or any(
        part is not None and len(part) != n for part in (chunk.labels, chunk.t_device)
    ):
        return f"values of shape {chunk.x.shape} for {n} times and {len(chunk.channels)} channels; expected as many"
    try:
        for text in (chunk.stream, chunk.session, *chunk.label_names):
            text.encode("utf-8")
    except UnicodeEncodeError:
        return "a name that is not Unicode text"
    return None


def samples_batch(chunks: Sequence[tuple[int, SampleChunk, NDArray[np.uint8]]]) -> pa.RecordBatch:
    """Rows of ``SAMPLES``.

    Args:
        chunks: each with its number and the (n,) flags of its samples; no chunk is empty.
    """
    sizes = [len(chunk) for _, chunk, _ in chunks]

    def spread(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        names = list(dict.fromkeys(values))
        codes = np.repeat([names.index(value) for value in values], sizes).astype(np.int32)
        return pa.DictionaryArray.from_arrays(codes, pa.array(names, kind)).dictionary_decode()

    columns: dict[str, pa.Array] = {
        "chunk": pa.array(np.repeat([number for number, _, _ in chunks], sizes), pa.int64()),
        "stream": spread([chunk.stream for _, chunk, _ in chunks], pa.string()),
        "session": spread([chunk.session for _, chunk, _ in chunks], pa.string()),
        "seq": pa.array(np.concatenate([np.arange(c.seq, c.seq + len(c)) for _, c, _ in chunks]), pa.int64()),
        "t_s": pa.array(np.concatenate([chunk.t for _, chunk, _ in chunks]), pa.float64()),
        "t_device_s": _optional([chunk.t_device for _, chunk, _ in chunks], sizes, pa.float64()),
        "received_s": pa.array(np.repeat([chunk.received_s for _, chunk, _ in chunks], sizes), pa.float64()),
        "flags": pa.array(np.concatenate([flags for _, _, flags in chunks]), pa.uint8()),
        "label": pa.concat_arrays([_label_texts(chunk) for _, chunk, _ in chunks]),
        "label_code": _optional([chunk.labels for _, chunk, _ in chunks], sizes, pa.int16()),
    }
    for name in CHANNEL_UNITS:
        parts = [c.x[:, c.channels.index(name)] if name in c.channels else None for _, c, _ in chunks]
        columns[name] = _optional(parts, sizes, pa.float32())
    return pa.record_batch([columns[name] for name in SAMPLES.names], SAMPLES)


def _optional(parts: Sequence[NDArray[Any] | None], sizes: Sequence[int], kind: pa.DataType) -> pa.Array:
    """The parts end to end, null where a part is None."""
    if all(part is None for part in parts):
        return pa.nulls(sum(sizes), kind)
    arrays = [
        pa.nulls(size, kind) if part is None else pa.array(np.ascontiguousarray(part), kind, from_pandas=False)
        for part, size in zip(parts, sizes, strict=True)
    ]
    return arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)


def _label_texts(chunk: SampleChunk) -> pa.Array:
    if chunk.labels is None or not chunk.label_names:
        return pa.nulls(len(chunk), pa.string())
    codes = chunk.labels.astype(np.int32)
    known = (codes >= 0) & (codes < len(chunk.label_names))
    indices = pa.array(np.where(known, codes, 0), pa.int32(), mask=~known)
    return pa.DictionaryArray.from_arrays(indices, pa.array(chunk.label_names, pa.string())).dictionary_decode()


def chunks_of(table: pa.Table, format_of: Callable[[str, int], Format]) -> Iterator[tuple[int, SampleChunk]]:
    """The chunks of a table of ``SAMPLES``, as they arrived, each with its number.

    Args:
        format_of: the format of a stream in the chunk of a given number.
    Raises:
        DataDamaged: a chunk holds other channels than its format has.
    """
    if not len(table):
        return
    numbers = table["chunk"].to_numpy()
    streams, epochs = table["stream"].to_pylist(), table["session"].to_pylist()
    seq, t, received_s = (table[name].to_numpy() for name in ("seq", "t_s", "received_s"))
    ends = (numbers[1:] != numbers[:-1]) | (seq[1:] != seq[:-1] + 1)  # a repaired chunk can lack rows in its middle
    edges = [0, *(np.flatnonzero(ends) + 1).tolist(), len(numbers)]
    t_device, labels = table["t_device_s"], table["label_code"]
    has_device, has_labels = t_device.is_valid().to_numpy(), labels.is_valid().to_numpy()
    t_device, labels = (column.fill_null(0).to_numpy() for column in (t_device, labels))
    has_values = {name: table[name].is_valid().to_numpy() for name in table.column_names if name in CHANNEL_UNITS}
    values: dict[tuple[str, ...], NDArray[np.float32]] = {}
    for start, stop in pairwise(edges):
        number = int(numbers[start])
        stream_format = format_of(streams[start], number)
        channels = stream_format.channels
        if (held := {name for name, valid in has_values.items() if valid[start]}) != set(channels):
            raise DataDamaged(
                f"chunk {number} of {streams[start]} holds {', '.join(sorted(held)) or 'no channel'}, but its format "
                f"has {', '.join(channels) or 'none'}: the format's description is damaged; restore it from a copy"
            )
        if channels not in values:
            columns = [table[name].to_numpy(zero_copy_only=False) for name in channels]
            empty = np.empty((len(table), 0), np.float32)
            values[channels] = np.stack(columns, axis=1).astype(np.float32, copy=False) if columns else empty
        yield (
            number,
            SampleChunk(
                streams[start],
                epochs[start],
                t[start:stop],
                values[channels][start:stop],
                channels,
                stream_format.fs_hz,
                int(seq[start]),
                float(received_s[start]),
                labels[start:stop] if has_labels[start] else None,
                stream_format.label_names,
                t_device[start:stop] if has_device[start] else None,
            ),
        )


def predictions_batch(records: Sequence[PredictionRecord]) -> pa.RecordBatch:
    """Rows of ``PREDICTIONS``."""
    rows = []
    for record in records:
        p, battery = record.prediction, record.battery or {}
        sensing = p.decision.sensing
        rows.append(
            {
                **{name: getattr(p, name) for name in _PLAIN},
                "probs": p.probs,
                "width": p.decision.subnet.width,
                "resolution": p.decision.subnet.resolution,
                "reason": p.decision.reason,
                "hop": p.decision.hop,
                "sensing_hz": sensing and sensing.fs_hz,
                "sensing_gyro": sensing and sensing.gyro,
                "ready_s": record.ready_s,
                "policy": record.policy,
                "deadline_ms": record.deadline_ms,
                **{f"read_{name}": battery.get(name) for name in _BATTERY},
            }
        )
    return pa.RecordBatch.from_pylist(rows, PREDICTIONS)


_PLAIN = (
    *("stream", "session", "index", "t_start_s", "t_end_s", "label", "confidence", "latency_ms", "energy_mj"),
    *("age_ms", "coverage", "truth", "truth_share", "battery_frac"),
)
"""The columns that copy a field of ``Prediction`` unchanged."""

_BATTERY = ("frac", "capacity_j", "charging", "base_mw", "temperature_c")
"""The fields of the battery reading before a window, each in a column ``read_*``."""


def predictions_of(table: pa.Table, labels: tuple[str, ...]) -> Iterator[PredictionRecord]:
    """The predictions of a table of ``PREDICTIONS``.

    Args:
        labels: the model's classes, in the order of the probabilities.
    """
    for row in table.to_pylist():
        battery = {name: row[f"read_{name}"] for name in _BATTERY}
        sensing = None if row.get("sensing_hz") is None else Sensing(row["sensing_hz"], row["sensing_gyro"])
        prediction = Prediction(
            **{name: row[name] for name in _PLAIN},
            probs=np.array(row["probs"], np.float32),
            labels=labels,
            decision=Decision(Subnet(row["width"], row["resolution"]), row["reason"], row["hop"] or 1, sensing),
        )
        known = battery if battery["frac"] is not None else None
        yield PredictionRecord(prediction, row["ready_s"], row["policy"], row["deadline_ms"], known)


def events_batch(events: Sequence[Event]) -> pa.RecordBatch:
    """Rows of ``EVENTS``."""
    rows = [{"at_s": e.at_s, "kind": e.kind, "chunk": e.chunk, "value": json.dumps(dict(e.value))} for e in events]
    return pa.RecordBatch.from_pylist(rows, EVENTS)


def events_of(table: pa.Table) -> Iterator[Event]:
    """The events of a table of ``EVENTS``.

    Raises:
        DataDamaged: the value of an event has another form.
    """
    for row in table.to_pylist():
        kind = row["kind"]
        try:
            value = json.loads(row["value"])
        except (ValueError, TypeError, RecursionError):
            value = None
        expected = EVENT_VALUES.get(kind, {})
        if not isinstance(value, dict) or any(type(value.get(key)) is not of for key, of in expected.items()):
            raise DataDamaged(
                f"an event '{kind}' with the value {str(row['value'])[:60]!r}; expected {_form(expected)}"
            )
        yield Event(kind, value, row["at_s"], row["chunk"])


def _form(expected: Mapping[str, type]) -> str:
    return ", ".join(f"{key} ({of.__name__})" for key, of in expected.items()) or "an object"
