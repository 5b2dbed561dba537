"""Messages of the Sensor Logger app: bytes in, readings out. No network here.

Schema: PUSHING.md and UNITS.md of github.com/tszheichoi/awesome-sensor-logger. An Apple Watch sends its motion through
the app as ``wristmotion``: several vectors in one reading.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from kinestream.core.errors import DecodeError

from .json_text import measured, parse_object, shown, whole
from .readings import Batch, Readings
from .vectors import Vector, named_vector, vector

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
"""The phone's sensors that are read."""
WRIST = "wristmotion"
WRIST_LINEAR, WRIST_GRAVITY, WRIST_GYRO = f"{WRIST} acceleration", f"{WRIST} gravity", f"{WRIST} rotation rate"
WRIST_VECTORS = {WRIST_LINEAR: "acceleration", WRIST_GRAVITY: "gravity", WRIST_GYRO: "rotationRate"}
"""The sensors of a watch, and the name of each in the values of its readings."""
BATTERY = "battery"


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
    unwanted: frozenset[str] = frozenset()
    """Sensors that are not read."""
    example: bytes = b""
    """The start of a malformed reading."""
    reason: str = ""
    """Why it was not understood."""


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
    readings = _Payload(payload)
    number = whole(body.get("messageId"), MAX_MESSAGE_ID)
    if number is None and not readings.rows and not readings.malformed:
        return None
    if number is None:
        raise DecodeError("'messageId' is not a whole number", data[:64])
    return Message(
        _name(body, "deviceId", data),
        _name(body, "sessionId", data),
        number,
        readings.batch(),
        Counter({"malformed_readings": readings.malformed} if readings.malformed else {}),
        readings.battery_frac,
        frozenset(readings.unwanted),
        readings.example,
        readings.reason,
    )


def _name(body: dict[str, Any], key: str, data: bytes) -> str:
    name = body.get(key)
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise DecodeError(f"'{key}' is not a name of 1 to {MAX_NAME} printable characters", data[:64])
    return name


class _Malformed(Exception):
    """A reading cannot be used; its text says why."""


class _Payload:
    """The readings of a message, by sensor."""

    def __init__(self, payload: list[Any]) -> None:
        self.rows: dict[str, tuple[list[int], list[Vector]]] = {}
        self.unwanted: set[str] = set()
        self.battery_frac: float | None = None
        self.malformed = 0
        self.example, self.reason = b"", ""
        for reading in payload:
            try:
                self._add(reading)
            except _Malformed as error:
                self.malformed += 1
                if not self.reason:
                    self.example, self.reason = shown(reading).encode(), str(error)

    def _add(self, reading: Any) -> None:
        if not isinstance(reading, dict) or not isinstance(reading.get("name"), str):
            raise _Malformed("a reading without the name of its sensor")
        sensor = _sensor(reading["name"])
        values = reading.get("values", reading)  # some relays write the values beside the name
        if sensor in SENSORS:
            self._keep(sensor, _time_ns(reading, sensor), vector(values), values, "numbers x, y and z")
        elif sensor == WRIST:
            t_ns, expected = _time_ns(reading, sensor), "numbers accelerationX, ..., gravityX, ..., rotationRateX, ..."
            vectors = {name: named_vector(values, key) for name, key in WRIST_VECTORS.items()}
            whole_reading = None not in vectors.values()
            for name, numbers in vectors.items():
                self._keep(name, t_ns, numbers if whole_reading else None, values, expected)
        elif sensor == BATTERY:
            level = measured(values.get("batteryLevel")) if isinstance(values, dict) else None
            self.battery_frac = level if level is not None and 0 <= level <= 1 else None  # -1: unknown to the app
        else:
            self.unwanted.add("".join(filter(str.isprintable, reading["name"][:MAX_NAME])))

    def _keep(self, sensor: str, t_ns: int, numbers: Vector | None, values: object, expected: str) -> None:
        if numbers is None:
            raise _Malformed(f"the values of {sensor} are {shown(values, 80)}; expected {expected}")
        rows = self.rows.get(sensor)
        if rows is None:
            rows = self.rows[sensor] = ([], [])
        rows[0].append(t_ns)
        rows[1].append(numbers)

    def batch(self) -> Batch:
        return {
            sensor: Readings(np.array(times, np.int64), np.array(vectors, np.float32))
            for sensor, (times, vectors) in self.rows.items()
        }


def _time_ns(reading: dict[str, Any], sensor: str) -> int:
    t_ns = whole(reading.get("time"), _LATEST_NS)
    if t_ns is None or t_ns < _EARLIEST_NS:
        time = shown(reading.get("time"), 40)
        raise _Malformed(f"the time of {sensor} is {time}; expected nanoseconds since 1970, after 2000")
    return t_ns


@lru_cache(maxsize=256)
def _sensor(name: str) -> str:
    """Return a sensor's name as the app's documents spell it: ``Wrist Motion`` is ``wristmotion``."""
    return re.sub(r"[\s_-]", "", name[:MAX_NAME].lower())
