"""Which column of a stream is which channel, in which unit: from its description and the address, never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import InputMismatch
from kinestream.core.signals import ACC, AXES, CHANNEL_UNITS, GYRO, MAG

from .units import (
    ANGULAR_RATE,
    MAGNETIC_FIELD,
    MAX_LENGTH,
    QUANTITY_NAMES,
    SHOWN,
    factor,
    is_given,
    quantities,
    quantity_name,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_COLUMNS = 1024
SENSORS = ("acc", "gyro", "mag", "body_acc", "gravity")
UNUSED = "-"

_PREFIXES = {
    **dict.fromkeys(("acc", "accel", "accelerometer", "acceleration", "a"), "acc"),
    **dict.fromkeys(("gyro", "gyr", "gyroscope", "angularvelocity", "angularrate", "angvel", "w", "omega"), "gyro"),
    **dict.fromkeys(("mag", "magn", "magnetometer", "magneticfield"), "mag"),
    **dict.fromkeys(("bodyacc", "linearacc", "linacc", "linearacceleration", "useracceleration"), "body_acc"),
    **dict.fromkeys(("gravity", "grav"), "gravity"),
}
_TYPES = {
    **dict.fromkeys(("acc", "accel", "accelerometer", "acceleration"), "acc"),
    **dict.fromkeys(("gyro", "gyr", "gyroscope"), "gyro"),
    **dict.fromkeys(("mag", "magnetometer"), "mag"),
}
_ELSEWHERE = ("eeg", "ecg", "emg", "eog", "ppg", "gsr", "eda", "markers", "marker", "audio", "gaze", "telemetry")
"""Types of streams that hold no motion."""

_LABEL = re.compile(r"(?P<sensor>.*?)[ _.:-]*\(?(?P<axis>[xyz])\)?")


@dataclass(frozen=True, slots=True)
class Description:
    """What a stream says of itself.

    >>> Description("Muse", "ACC", 3, 52.0, "Muse-ACC").line()
    "Muse (type ACC, 3 channels, 52 Hz, source_id 'Muse-ACC')"
    """

    name: str
    kind: str
    """The type, such as ``IMU``, ``ACC`` or ``EEG``."""
    channels: int
    rate_hz: float
    """The nominal rate; 0 for an irregular stream."""
    source_id: str = ""
    host: str = ""
    uid: str = ""
    is_text: bool = False
    labels: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    def line(self) -> str:
        """Return the stream in one line, for a list to choose from."""
        rate = f"{self.rate_hz:g} Hz" if self.rate_hz else "irregular"
        source = f"source_id '{self.source_id}'" if self.source_id else "no source_id"
        host = f", on {self.host}" if self.host else ""
        text = ", text" if self.is_text else ""
        kind, columns = self.kind or "(none)", f"{self.channels} channel{'s' if self.channels != 1 else ''}"
        return f"{self.name} (type {kind}, {columns}, {rate}{text}, {source}{host})"


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The used columns of a stream."""

    indices: tuple[int, ...]
    channels: tuple[str, ...]
    scales: NDArray[np.float64]
    """(columns,) factors to SI."""
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, address: str, stream: Description, names: Sequence[str] | None, units: Mapping[str, str]) -> Columns:
        """Return the columns of a stream.

        Args:
            address: the source's name, for messages.
            names: the channel of each column as the address has it, ``-`` for none; None to read the labels.
            units: units from the address, by sensor.
        Raises:
            InputMismatch: neither the stream nor the address says what the columns are.

        >>> stream = Description("Muse", "ACC", 3, 52.0, labels=("X", "Y", "Z"), units=("g", "g", "g"))
        >>> Columns.of("lsl://Muse", stream, None, {}).channels
        ('acc_x', 'acc_y', 'acc_z')
        """
        if not 1 <= stream.channels <= MAX_COLUMNS:
            raise InputMismatch(
                f"{address}: the stream has {stream.channels} channels; expected 1 to {MAX_COLUMNS}, such as the three "
                "axes of an accelerometer: choose another stream"
            )
        described = [*stream.units[: stream.channels], *[""] * (stream.channels - len(stream.units))]
        read = _read_labels(stream, described) if names is None else [*names]
        used = [k for k, name in enumerate(read) if name != UNUSED]
        channels = tuple(read[k] for k in used)
        if len(read) != stream.channels or not channels or not set(channels) <= set(CHANNEL_UNITS):
            raise InputMismatch(_unnamed(address, stream, names))
        if len(set(channels)) != len(channels):
            raise InputMismatch(f"{address}: columns {', '.join(channels)}; expected each channel once")
        sensors = {name.rpartition("_")[0] for name in channels}
        scales = [_scale(address, stream, read[k], described[k], units) for k in used]
        unread = [label for k, label in enumerate(stream.labels) if k not in used and label]
        remarks = [
            f"columns {', '.join(unread[:8])}{' ...' if len(unread) > 8 else ''} are not motion, and not read"
            for _ in unread[:1]
            if names is None
        ]
        labels = [stream.labels[k] for k in used] if names is None else []
        if any(label.strip().lower() in AXES for label in labels):
            remarks.append(f"columns {', '.join(labels)} read as {', '.join(channels)}, by their unit and type")
        for sensor in sorted(sensors & set(units)):
            given = {described[k] for k in used if read[k].rpartition("_")[0] == sensor and is_given(described[k])}
            if given and {factor(CHANNEL_UNITS[f"{sensor}_x"], unit) for unit in given} != {
                factor(CHANNEL_UNITS[f"{sensor}_x"], units[sensor])
            }:
                remarks.append(f"{sensor} is described in {', '.join(sorted(given))}, read in {units[sensor]} as asked")
        return cls(tuple(used), channels, np.array(scales), tuple(remarks))


def _read_labels(stream: Description, units: Sequence[str]) -> list[str]:
    """Return the channel of each label; ``-`` where a label names none."""
    return [_channel(label, unit, stream.kind) for label, unit in zip(stream.labels, units, strict=False)]


def _channel(label: str, unit: str, kind: str) -> str:
    match = _LABEL.fullmatch(label.strip().lower()) if len(label) <= MAX_LENGTH else None
    if match is None:
        return UNUSED
    prefix = re.sub(r"[ _.:-]", "", match["sensor"])
    by_unit = [{"m/s^2": "acc", ANGULAR_RATE: "gyro", MAGNETIC_FIELD: "mag"}[quantity] for quantity in quantities(unit)]
    sensor = _PREFIXES.get(prefix)
    if prefix == "":
        by_type = _TYPES.get(kind.strip().lower())
        sensor = by_type if by_type and (not by_unit or by_type in by_unit) else by_unit[0] if by_unit else None
    elif prefix in ("g", "m"):  # gx is a gyroscope's or gravity's, mx a magnetometer's: the unit decides
        sensor = next((name for name in by_unit if name.startswith(prefix)), None)
    return f"{sensor}_{match['axis']}" if sensor else UNUSED


def _scale(address: str, stream: Description, channel: str, described: str, units: Mapping[str, str]) -> float:
    sensor, quantity = channel.rpartition("_")[0], CHANNEL_UNITS[channel]
    asked = units.get(sensor, "")
    if is_given(described) and factor(quantity, described) is None and (name := quantity_name(described)):
        raise InputMismatch(
            f"{address}: {channel} is described in {described}, {name}, not {QUANTITY_NAMES[quantity]}: "
            f"choose another stream with ?type= or ?source_id=, or other columns with ?channels="
        )
    kind = stream.kind.strip().lower()
    by_type = _TYPES.get(kind)
    is_elsewhere = kind in _ELSEWHERE or (by_type is not None and not _is_of(sensor, by_type))
    if is_elsewhere and not is_given(described):
        raise InputMismatch(
            f"{address}: the stream is of type {stream.kind}, which does not give {channel}: choose another with "
            "?type= or ?source_id="
        )
    unit = asked or (described if is_given(described) else "")
    scale = factor(quantity, unit) if asked or unit else None
    if scale is None or (not asked and quantity not in quantities(unit)):
        raise InputMismatch(
            f"{address}: {channel} has {f'the unit {unit!r}' if unit else 'no unit'}; "
            f"set ?{sensor}=UNIT to one of {SHOWN[quantity]}"
        )
    return scale


def _is_of(sensor: str, kind: str) -> bool:
    return sensor == kind or (kind == "acc" and sensor in ("body_acc", "gravity"))


def _unnamed(address: str, stream: Description, names: Sequence[str] | None) -> str:
    """Return why the columns are not known, with the option to add."""
    if names is not None:
        unknown = [name for name in names if name not in CHANNEL_UNITS and name != UNUSED]
        what = f"?channels= names {len(names)} columns" + (f", and {', '.join(unknown[:4])}" if unknown else "")
        return (
            f"{address}: {what}; the stream has {stream.channels} channels: name each one of them {', '.join(ACC)}, "
            f"gyro_x ..., mag_x ..., or {UNUSED} to skip it"
        )
    labels = ", ".join(stream.labels[:8]) + (" ..." if len(stream.labels) > 8 else "")
    kinds = {name for unit in stream.units if is_given(unit) and (name := quantity_name(unit))}
    found = f"the names {labels}" if any(stream.labels) else "no names"
    kind = stream.kind.strip().lower()
    what = f" in {', '.join(sorted(set(stream.units)))}, {', '.join(sorted(kinds))}" if kinds else ""
    if kind in _ELSEWHERE or (kinds and not kinds & set(QUANTITY_NAMES.values())) or (stream.is_text and not kinds):
        sends = "sends text" if stream.is_text else f"is of type {stream.kind or '(none)'}"
        return (
            f"{address}: the stream {sends}, its columns have {found}{what}: not motion; choose another stream with "
            "?type= or ?source_id="
        )
    order = {"gyro": (*GYRO, *ACC), "mag": MAG}.get(_TYPES.get(kind, ""), (*ACC, *GYRO, *MAG))
    example = [*order[: stream.channels], *([UNUSED] * max(stream.channels - len(order), 0))][:16]
    sensors = {name.rpartition("_")[0] for name in example} - {""}
    wanted = {"acc": "&acc=g", "gyro": "&gyro=dps", "mag": "&mag=uT"}
    missing = "".join(wanted[sensor] for sensor in wanted if sensor in sensors and not any(map(is_given, stream.units)))
    return (
        f"{address}: the stream has {stream.channels} channels with {found}; name the columns in their true order, "
        f"e.g. ?channels={','.join(example)}{missing}"
    )
