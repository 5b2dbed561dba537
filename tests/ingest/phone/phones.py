"""Simulated phones with known motion, which send messages in the apps' format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from kinestream.core.signals import STANDARD_GRAVITY
from kinestream.ingest.phone.readings import Batch, Readings

T0_NS = 1_700_000_000_000_000_000
"""Start of a recording, on the phone's clock."""
UP = np.array([0.0, 0.0, STANDARD_GRAVITY])


def motion(t: np.ndarray) -> np.ndarray:
    """Return the (n, 3) acceleration without gravity, m/s^2, at (n,) seconds."""
    return np.stack([np.sin(2 * np.pi * t), 2 * np.cos(2 * np.pi * t), 0.5 * np.sin(4 * np.pi * t)], axis=1)


def turning(t: np.ndarray) -> np.ndarray:
    """Return the (n, 3) angular rate, rad/s, at (n,) seconds."""
    return np.stack([np.cos(t), np.sin(2 * t), 0.1 * np.cos(3 * t)], axis=1)


def sensors(t: np.ndarray, system: str) -> dict[str, np.ndarray]:
    """Return the values that the app sends of each sensor.

    Args:
        system: ``android``, ``ios``, or ``standard`` (an iPhone with standardised units).
    """
    sign = -1.0 if system == "ios" else 1.0
    body, total = motion(t), motion(t) + UP
    values = {"accelerometer": sign * body, "gravity": np.tile(sign * UP, (len(t), 1)), "gyroscope": turning(t)}
    values["accelerometeruncalibrated"] = -total / STANDARD_GRAVITY if system == "ios" else total
    if system == "android":
        values["totalacceleration"] = total
    return values


def batch(t: np.ndarray, system: str = "android", only: Iterable[str] = ()) -> Batch:
    """Return the decoded readings at (n,) seconds after ``T0_NS``."""
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
    """Return the messages of a recording."""
    t = np.arange(round(seconds * fs_hz)) / fs_hz
    sent = []
    for number, part in enumerate(np.array_split(t, max(1, round(seconds / each_s)))):
        payload = [
            {"name": name, "time": t0_ns + round(at * 1e9), "values": dict(zip("xyz", map(float, row), strict=True))}
            for name, x in sensors(part, system).items()
            if not only or name in only
            for at, row in zip(part, x, strict=True)
        ]
        payload.append({"name": "battery", "time": T0_NS, "values": {"batteryLevel": 0.7, "batteryState": "unplugged"}})
        sent.append({"messageId": number, "sessionId": session, "deviceId": device, "payload": payload})
    return sent


def bodies(sent: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Yield the messages as JSON."""
    for message in sent:
        yield json.dumps(message).encode()
