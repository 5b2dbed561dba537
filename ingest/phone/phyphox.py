"""Responses of the phyphox app: JSON in, readings out. No network here.

Described in "Remote-interface communication" of the phyphox wiki and in openapi.yaml of
github.com/phyphox/phyphox-docs. phyphox uses m/s^2, rad/s and Android's signs on every phone. Its times are seconds
since the start of the measurement, without pauses.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinestream.core.errors import DecodeError, InputMismatch

from .json_text import measured, parse_object, shown
from .readings import Batch, Readings
from .sensor_logger import GYRO, TOTAL

MAX_RESPONSE_BYTES = 16 * 2**20
_SENSORS = {"accelerometer": TOTAL, "gyroscope": GYRO}
"""phyphox's name of each sensor, and the name here; its accelerometer includes gravity."""

NOTHING = -1.0
"""Time of the newest reading before there is any."""


@dataclass(frozen=True, slots=True)
class Buffers:
    """Names of the buffers of a sensor in an experiment."""

    sensor: str
    t: str
    """The buffer of the times."""
    xyz: tuple[str, str, str]
    """The buffers of the values."""


@dataclass(frozen=True, slots=True)
class Status:
    """State of an experiment."""

    session: str
    """phyphox's identifier, which changes when another experiment is opened."""
    measuring: bool
    """Whether the measurement is running."""


def read_config(data: bytes) -> tuple[Buffers, ...]:
    """Return the buffers to request, from the response to ``/config``.

    Raises:
        DecodeError: the bytes are not such a response.
        InputMismatch: the experiment has no accelerometer.
    """
    config = parse_object(data)
    buffers: dict[str, Buffers] = {}
    sources: list[str] = []
    for entry in _list(config, "inputs"):
        source = entry.get("source")
        if not isinstance(source, str):
            continue
        sources.append(source)
        sensor = _SENSORS.get(source)
        if sensor is None:
            continue
        names: dict[str, Any] = {}
        for output in _list(entry, "outputs"):
            names.update(output)
        t, x, y, z = (names.get(key) for key in "txyz")
        if isinstance(t, str) and isinstance(x, str) and isinstance(y, str) and isinstance(z, str):
            buffers[sensor] = Buffers(sensor, t, (x, y, z))
    if TOTAL not in buffers:
        title = config.get("title")
        raise InputMismatch(
            f"the phyphox experiment {title if isinstance(title, str) else ''!r} has no accelerometer; open "
            "'Acceleration (with g)', or tap '+' and add a simple experiment with accelerometer and gyroscope "
            f"(this one has {', '.join(sources) or 'no sensor'})"
        )
    return tuple(buffers.values())


def _list(parent: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = parent.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DecodeError(f"'{key}' is not a list of objects")
    return entries


def query(buffers: tuple[Buffers, ...], newest_s: dict[str, float]) -> dict[str, str]:
    """Return the parameters of ``/get`` that request the readings after ``newest_s`` of each sensor.

    A sensor missing from ``newest_s`` is only asked for the time of its last reading, a sensor with ``NOTHING`` for
    all its readings.

    >>> query((Buffers("gyroscope", "t", ("x", "y", "z")),), {"gyroscope": 1.5})
    {'t': '1.5', 'x': '1.5|t', 'y': '1.5|t', 'z': '1.5|t'}
    """
    parameters: dict[str, str] = {}
    for buffer in buffers:
        newest = newest_s.get(buffer.sensor)
        if newest is None:
            parameters[buffer.t] = ""
        elif newest == NOTHING:
            parameters.update(dict.fromkeys((buffer.t, *buffer.xyz), "full"))
        else:
            parameters[buffer.t] = repr(newest)
            parameters.update(dict.fromkeys(buffer.xyz, f"{newest!r}|{buffer.t}"))
    return parameters


@dataclass(frozen=True, slots=True)
class Response:
    """The response to ``/get``."""

    status: Status
    batch: Batch
    newest_s: dict[str, float]
    """The time of each sensor's last reading, for sensors with readings."""
    counts: Counter[str]
    """``malformed_readings`` that were skipped."""
    example: bytes = b""
    """One malformed reading."""
    reason: str = ""
    """Why it was not understood."""


def read_response(data: bytes, buffers: tuple[Buffers, ...]) -> Response:
    """Return the response to a ``query``.

    Raises:
        DecodeError: the bytes are not such a response; no other exception, for any bytes.
    """
    body = parse_object(data)
    status = body.get("status")
    content = body.get("buffer")
    if not isinstance(status, dict) or not isinstance(content, dict):
        raise DecodeError("a response without the objects 'buffer' and 'status'", data[:64])
    session, measuring = status.get("session"), status.get("measuring")
    if not isinstance(session, str) or not isinstance(measuring, bool):
        raise DecodeError("a response without 'session' and 'measuring'", data[:64])
    counts: Counter[str] = Counter()
    batch: dict[str, Readings] = {}
    newest_s: dict[str, float] = {}
    example = reason = ""
    for buffer in buffers:
        times = _values(content, buffer.t)
        if times and (newest := measured(times[-1])) is not None:
            newest_s[buffer.sensor] = newest
        # The app may not lock its buffers and send one more time than values; the next response repeats that time.
        rows = list(zip(times, *(_values(content, name) for name in buffer.xyz), strict=False))
        good = [numbers for row in rows if None not in (numbers := tuple(measured(value) for value in row))]
        if len(good) < len(rows):
            counts["malformed_readings"] += len(rows) - len(good)
            bad = next(row for row in rows if any(measured(value) is None for value in row))
            example = shown(bad)
            reason = f"a reading of {buffer.sensor} is {example}; expected a time and three numbers"
        if rows and (newest := measured(rows[-1][0])) is not None:
            newest_s[buffer.sensor] = newest
        if good:
            table = np.array(good, np.float64)
            batch[buffer.sensor] = Readings(
                np.rint(table[:, 0] * 1e9).astype(np.int64), table[:, 1:].astype(np.float32)
            )
    return Response(Status(session, measuring), batch, newest_s, counts, example.encode(), reason)


def _values(content: dict[str, Any], name: str) -> list[Any]:
    buffer = content.get(name, {})
    values = buffer.get("buffer", []) if isinstance(buffer, dict) else None
    if not isinstance(values, list):
        raise DecodeError(f"buffer '{name}' is not a list")
    return values
