"""What the phyphox app answers: JSON in, readings out. No network here.

Described in "Remote-interface communication" of the phyphox wiki and in openapi.yaml of
github.com/phyphox/phyphox-docs. phyphox has m/s^2, rad/s and Android's signs on every phone. Its time is in seconds
since the measurement began; pauses are left out of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinestream.core.errors import DecodeError, InputMismatch

from .json_text import measured, parse_object
from .readings import Batch, Readings
from .sensor_logger import GYRO, TOTAL

MAX_ANSWER_BYTES = 16 * 2**20
_SENSORS = {"accelerometer": TOTAL, "gyroscope": GYRO}
"""phyphox's name of a sensor, and ours: its accelerometer is with gravity."""


NOTHING = -1.0
"""The time of the newest reading where there is none yet."""


@dataclass(frozen=True, slots=True)
class Buffers:
    """Where an experiment keeps what one sensor measures."""

    sensor: str
    t: str
    xyz: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Status:
    """How an experiment stands."""

    session: str
    """Changes when another experiment is opened."""
    measuring: bool


def read_config(data: bytes) -> tuple[Buffers, ...]:
    """The buffers to ask for, from the answer to ``/config``.

    Raises:
        DecodeError: it is no such answer.
        InputMismatch: the experiment has no accelerometer.
    """
    config = parse_object(data)
    found: dict[str, Buffers] = {}
    for entry in _list(config, "inputs"):
        sensor = _SENSORS.get(entry["source"]) if isinstance(entry.get("source"), str) else None
        if sensor is None:
            continue
        names: dict[str, Any] = {}
        for output in _list(entry, "outputs"):
            names.update(output)
        t, x, y, z = (names.get(key) for key in "txyz")
        if isinstance(t, str) and isinstance(x, str) and isinstance(y, str) and isinstance(z, str):
            found[sensor] = Buffers(sensor, t, (x, y, z))
    if TOTAL not in found:
        title = config.get("title")
        raise InputMismatch(
            f"the phyphox experiment {title if isinstance(title, str) else ''!r} has no accelerometer; open "
            "'Acceleration (with g)', or with '+' make a simple experiment with accelerometer and gyroscope"
        )
    return tuple(found.values())


def _list(parent: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = parent.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DecodeError(f"'{key}' is no list of objects")
    return found


def question(buffers: tuple[Buffers, ...], newest_s: dict[str, float]) -> dict[str, str]:
    """The parameters of ``/get``: what is newer than ``newest_s`` of each sensor.

    Of a sensor without, only when its last reading was taken; of one with ``NOTHING``, everything.
    """
    asked: dict[str, str] = {}
    for one in buffers:
        newest = newest_s.get(one.sensor)
        if newest is None:
            asked[one.t] = ""
        elif newest == NOTHING:
            asked.update(dict.fromkeys((one.t, *one.xyz), "full"))
        else:
            asked[one.t] = repr(newest)
            asked.update(dict.fromkeys(one.xyz, f"{newest!r}|{one.t}"))
    return asked


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to ``/get``."""

    status: Status
    batch: Batch
    newest_s: dict[str, float]
    """The time of each sensor's last reading, where it has one."""
    counts: Counter[str]
    """``malformed_readings`` that were left out."""


def read_answer(data: bytes, buffers: tuple[Buffers, ...]) -> Answer:
    """The answer to ``question``.

    Raises:
        DecodeError: it is none; no other exception, whatever the bytes.
    """
    body = parse_object(data)
    status = body.get("status")
    content = body.get("buffer")
    if not isinstance(status, dict) or not isinstance(content, dict):
        raise DecodeError("an answer without 'buffer' and 'status'", data[:64])
    session, measuring = status.get("session"), status.get("measuring")
    if not isinstance(session, str) or not isinstance(measuring, bool):
        raise DecodeError("an answer without 'session' and 'measuring'", data[:64])
    counts: Counter[str] = Counter()
    batch: dict[str, Readings] = {}
    newest_s: dict[str, float] = {}
    for one in buffers:
        times = _values(content, one.t)
        if times and (newest := measured(times[-1])) is not None:
            newest_s[one.sensor] = newest
        # An app that does not lock its buffers may have one more time than values: it comes again with the next answer.
        rows = list(zip(times, *(_values(content, name) for name in one.xyz), strict=False))
        good = [numbers for row in rows if None not in (numbers := tuple(measured(value) for value in row))]
        counts["malformed_readings"] += len(rows) - len(good)
        if rows and (newest := measured(rows[-1][0])) is not None:
            newest_s[one.sensor] = newest
        if good:
            table = np.array(good, np.float64)
            batch[one.sensor] = Readings(np.rint(table[:, 0] * 1e9).astype(np.int64), table[:, 1:].astype(np.float32))
    return Answer(Status(session, measuring), batch, newest_s, counts)


def _values(content: dict[str, Any], name: str) -> list[Any]:
    buffer = content.get(name, {})
    values = buffer.get("buffer", []) if isinstance(buffer, dict) else None
    if not isinstance(values, list):
        raise DecodeError(f"buffer '{name}' is no list")
    return values
