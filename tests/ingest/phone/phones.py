"""Phones that a test can hold: what they measure is known, and what they send has the apps' shape."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from kinestream.core.signals import STANDARD_GRAVITY
from kinestream.ingest.phone.readings import Batch, Readings

T0_NS = 1_700_000_000_000_000_000
"""When a recording begins, on the phone's clock."""
UP = np.array([0.0, 0.0, STANDARD_GRAVITY])


def motion(t: np.ndarray) -> np.ndarray:
    """(n, 3) what a phone's body is accelerated by, m/s^2, at (n,) seconds."""
    return np.stack([np.sin(2 * np.pi * t), 2 * np.cos(2 * np.pi * t), 0.5 * np.sin(4 * np.pi * t)], axis=1)


def turning(t: np.ndarray) -> np.ndarray:
    """(n, 3) how it turns, rad/s."""
    return np.stack([np.cos(t), np.sin(2 * t), 0.1 * np.cos(3 * t)], axis=1)


def sensors(t: np.ndarray, system: str) -> dict[str, np.ndarray]:
    """What the app sends of each sensor, by system: ``android``, ``ios``, or ``standard`` (an iPhone, standardised)."""
    sign = -1.0 if system == "ios" else 1.0
    body, total = motion(t), motion(t) + UP
    found = {"accelerometer": sign * body, "gravity": np.tile(sign * UP, (len(t), 1)), "gyroscope": turning(t)}
    found["accelerometeruncalibrated"] = -total / STANDARD_GRAVITY if system == "ios" else total
    if system == "android":
        found["totalacceleration"] = total
    return found


def batch(t: np.ndarray, system: str = "android", only: Iterable[str] = ()) -> Batch:
    """The readings at (n,) seconds after ``T0_NS``, decoded."""
    t_ns = T0_NS + np.rint(t * 1e9).astype(np.int64)
    return {
        name: Readings(t_ns, x.astype(np.float32)) for name, x in sensors(t, system).items() if not only or name in only
    }


def messages(
    seconds: float,
    *,
    fs_hz: float = 100.0,
    each_s: float = 0.2,
    system: str = "android",
    device: str = "3f2a91c0-77aa",
    session: str = "walk-1",
    only: Iterable[str] = (),
    t0_ns: int = T0_NS,
) -> list[dict[str, Any]]:
    """The messages of one recording."""
    t = np.arange(round(seconds * fs_hz)) / fs_hz
    found = []
    for number, part in enumerate(np.array_split(t, max(1, round(seconds / each_s)))):
        payload = [
            {"name": name, "time": t0_ns + round(at * 1e9), "values": dict(zip("xyz", map(float, row), strict=True))}
            for name, x in sensors(part, system).items()
            if not only or name in only
            for at, row in zip(part, x, strict=True)
        ]
        payload.append({"name": "battery", "time": T0_NS, "values": {"batteryLevel": 0.7, "batteryState": "unplugged"}})
        found.append({"messageId": number, "sessionId": session, "deviceId": device, "payload": payload})
    return found


def bodies(sent: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for message in sent:
        yield json.dumps(message).encode()
