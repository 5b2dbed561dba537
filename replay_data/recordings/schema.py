"""The columns of a recording's three tables, and the records they hold."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from kinestream.core.signals import CHANNEL_UNITS, Prediction, SampleChunk

SAMPLES = pa.schema(
    [
        ("chunk", pa.int64()),
        ("stream", pa.string()),
        ("session", pa.string()),
        ("seq", pa.int64()),
        ("t_s", pa.float64()),
        ("t_device_s", pa.float64()),
        ("received_s", pa.float64()),
        ("flags", pa.uint8()),
        ("label", pa.string()),
        ("label_code", pa.int16()),
        *((name, pa.float32()) for name in CHANNEL_UNITS),
    ]
)
"""One row per sample. Every known channel has its column, null where a stream lacks the channel, so that all
segments of all recordings read as one table. ``chunk`` numbers the chunks in order of arrival."""

PREDICTIONS = pa.schema(
    [
        ("stream", pa.string()),
        ("session", pa.string()),
        ("index", pa.int64()),
        ("t_start_s", pa.float64()),
        ("t_end_s", pa.float64()),
        ("label", pa.string()),
        ("confidence", pa.float64()),
        ("probs", pa.list_(pa.float32())),
        ("width", pa.float64()),
        ("resolution", pa.int32()),
        ("reason", pa.string()),
        ("latency_ms", pa.float64()),
        ("energy_mj", pa.float64()),
        ("age_ms", pa.float64()),
        ("coverage", pa.float64()),
        ("truth", pa.string()),
        ("truth_share", pa.float64()),
        ("battery_frac", pa.float64()),
        ("ready_s", pa.float64()),
        ("policy", pa.string()),
        ("deadline_ms", pa.float64()),
        ("read_frac", pa.float64()),
        ("read_capacity_j", pa.float64()),
        ("read_charging", pa.bool_()),
        ("read_base_mw", pa.float64()),
        ("read_temperature_c", pa.float64()),
        ("hop", pa.int32()),
        ("sensing_hz", pa.float64()),
        ("sensing_gyro", pa.bool_()),
    ]
)
"""One row per prediction, with its decision and everything the decision depended on: ``read_*`` is the battery reading
before it. ``sensing_*`` is the sensor setting requested from then on, null for the sensor's own setting."""

EVENTS = pa.schema([("at_s", pa.float64()), ("kind", pa.string()), ("chunk", pa.int64()), ("value", pa.string())])
"""Other events: ``chunk`` is the number of the next chunk at that time, ``value`` a JSON object."""

SCHEMAS: dict[str, pa.Schema] = {"samples": SAMPLES, "predictions": PREDICTIONS, "events": EVENTS}

REQUIRED = {
    "samples": ("chunk", "stream", "session", "seq", "t_s", "received_s"),
    "predictions": ("stream", "session", "index", "t_start_s", "label", "probs", "width", "resolution", "policy"),
    "events": ("at_s", "kind", "chunk", "value"),
}
"""The columns that are never null."""

EPOCH_START, AFTER_LOSS, NOT_FINITE, NOT_LATER = 1, 2, 4, 8
"""Bits of ``flags``: the first sample of an epoch; the sequence number shows missing samples before this one; a value
is NaN or infinite; the time is not later than that of the previous sample."""


@dataclass(frozen=True, slots=True)
class Format:
    """The format of a stream's samples, from some chunk on."""

    channels: tuple[str, ...]
    fs_hz: float
    label_names: tuple[str, ...]

    left_out: tuple[str, ...] = ()
    """Channels outside ``CHANNEL_UNITS``, for which the table has no column."""

    @classmethod
    def of(cls, chunk: SampleChunk) -> Format:
        """The format of one chunk."""
        known = tuple(name for name in chunk.channels if name in CHANNEL_UNITS)
        left_out = tuple(name for name in chunk.channels if name not in CHANNEL_UNITS)
        return cls(known, chunk.fs_hz, chunk.label_names, left_out)


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """A prediction, and everything besides the samples that its decision depended on."""

    prediction: Prediction
    ready_s: float
    """Time of the prediction, on the clock of the sample times."""
    policy: str
    """The active policy, in the notation of the command line."""
    deadline_ms: float | None
    battery: Mapping[str, Any] | None
    """The fields of the ``BatteryReading`` taken before the window ran."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event during a recording, such as a dropped chunk."""

    kind: str
    value: Mapping[str, Any]
    at_s: float = field(default_factory=time.monotonic)
    chunk: int = 0
    """The number of the next chunk at that time; set by the writer."""


STARTED = "started"
"""The recording started; ``manifest`` repeats the manifest of that moment, in case the file is lost."""
FORMAT_CHANGED = "format"
"""From this chunk on, a stream has these channels, rate, label names and left-out channels."""
DROPPED = "dropped"
"""The live pipeline fell behind and dropped this chunk."""
NOT_RECORDED = "not_recorded"
"""The disk fell behind, or the values do not fit (``why``): these chunks and predictions are missing."""
COMPUTED = "computed"
"""The run ended; the pipeline processed only the first ``chunks`` chunks."""

EVENT_VALUES: Mapping[str, Mapping[str, type]] = {
    DROPPED: {"stream": str, "session": str, "seq": int, "samples": int},
    NOT_RECORDED: {"samples": int},
    COMPUTED: {"chunks": int},
}
"""The values of events that readers rely on, and their types."""
