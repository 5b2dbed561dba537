"""Messages of the Sensor Logger app: bytes in, readings out. No network here.

Schema: PUSHING.md and UNITS.md of github.com/tszheichoi/awesome-sensor-logger.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kinestream.core.errors import DecodeError

from .json_text import measured, parse_object, whole
from .readings import Batch, Readings

MAX_BODY_BYTES = 4 * 2**20
"""Ten times the size of a second of all sensors of a phone."""
MAX_READINGS = 50_000
MAX_NAME = 128
MAX_MESSAGE_ID = 2**53 - 1
"""The largest safe integer of JavaScript."""
_EARLIEST_NS, _LATEST_NS = 946_684_800 * 10**9, 2**62  # from the year 2000 to a limit that fits into 64 bits

TOTAL, LINEAR, GRAVITY, RAW = "totalacceleration", "accelerometer", "gravity", "accelerometeruncalibrated"
GYRO, RAW_GYRO = "gyroscope", "gyroscopeuncalibrated"
SENSORS = frozenset({TOTAL, LINEAR, GRAVITY, RAW, GYRO, RAW_GYRO})
"""The sensors that are read; others in a message are ignored."""


@dataclass(frozen=True, slots=True)
class Message:
    """One push of the app."""

    device: str
    session: str
    """The app's identifier of a recording."""
    number: int
    """The number of the message within its recording."""
    batch: Batch
    counts: Counter[str] = field(default_factory=Counter)
    """``malformed_readings`` that were skipped."""
    battery_frac: float | None = None
    """The phone's charge, 0 to 1; None if the app does not log it."""


def decode(data: bytes) -> Message | None:
    """Return the message in a request's body; None for the app's test push, which has no readings and no number.

    Raises:
        DecodeError: the body is not a message; no other exception, for any bytes.

    >>> reading = '{"name": "Gyroscope", "time": 1760000000000000000, "values": {"x": 0, "y": 0, "z": 0.1}}'
    >>> message = decode(f'{{"messageId": 3, "deviceId": "d", "sessionId": "s", "payload": [{reading}]}}'.encode())
    >>> message.number, list(message.batch)
    (3, ['gyroscope'])
    """
    if len(data) > MAX_BODY_BYTES:
        raise DecodeError(f"a message of {len(data)} bytes; expected at most {MAX_BODY_BYTES}")
    body = parse_object(data)
    payload = body.get("payload", [])
    if not isinstance(payload, list) or len(payload) > MAX_READINGS:
        raise DecodeError(f"'payload' is not a list of at most {MAX_READINGS} readings", data[:64])
    counts: Counter[str] = Counter()
    batch = _batch(payload, counts)
    number = whole(body.get("messageId"), MAX_MESSAGE_ID)
    if number is None and not batch and not counts:
        return None
    if number is None:
        raise DecodeError("'messageId' is not a whole number", data[:64])
    device, session = _name(body, "deviceId", data), _name(body, "sessionId", data)
    return Message(device, session, number, batch, counts, _battery_frac(payload))


def _name(body: dict[str, Any], key: str, data: bytes) -> str:
    name = body.get(key)
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise DecodeError(f"'{key}' is not a name of 1 to {MAX_NAME} printable characters", data[:64])
    return name


def _battery_frac(payload: list[Any]) -> float | None:
    """Return the newest charge in a message; None if it has none, or -1, which the app logs for an unknown charge."""
    for reading in reversed(payload):
        if isinstance(reading, dict) and reading.get("name") == "battery" and isinstance(reading.get("values"), dict):
            level = measured(reading["values"].get("batteryLevel"))
            return level if level is not None and 0 <= level <= 1 else None
    return None


def _batch(payload: list[Any], counts: Counter[str]) -> Batch:
    rows: dict[str, tuple[list[int], list[tuple[float, float, float]]]] = {}
    for reading in payload:
        if not isinstance(reading, dict):
            counts["malformed_readings"] += 1
            continue
        sensor = reading.get("name")
        if not isinstance(sensor, str):
            counts["malformed_readings"] += 1
            continue
        sensor = sensor.lower()
        if sensor not in SENSORS:
            continue
        values = reading.get("values")
        t_ns = whole(reading.get("time"), _LATEST_NS)
        if not isinstance(values, dict) or t_ns is None or t_ns < _EARLIEST_NS:
            counts["malformed_readings"] += 1
            continue
        x, y, z = measured(values.get("x")), measured(values.get("y")), measured(values.get("z"))
        if x is None or y is None or z is None:
            counts["malformed_readings"] += 1
            continue
        times, vectors = rows.setdefault(sensor, ([], []))
        times.append(t_ns)
        vectors.append((x, y, z))
    return {
        sensor: Readings(np.array(times, np.int64), np.array(vectors, np.float32))
        for sensor, (times, vectors) in rows.items()
    }
