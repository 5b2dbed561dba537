"""A person who follows ``kinestream wear``: the built-in wearer, standing, bent and turned by known angles."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY, SampleChunk
from kinestream.replay_data import Wearer
from kinestream.sensor_check.orientation import HAPT_WAIST, frame
from kinestream.windowing import ChannelMap

CHANNELS = (*ACC, *GYRO)
STEPS = ("table", "worn", "moved", "turned")
RATE_HZ = 50.0


@cache
def standing(seed: int, n: int) -> np.ndarray:
    """(n, 6) the built-in wearer standing with the phone at the waist, as in HAPT."""
    person = Wearer(seed, script=[("standing", 10_000.0)], rate_hz=RATE_HZ, duration_s=n / RATE_HZ + 1)
    return np.concatenate([packet.x for _, packet in person.packets()])[:n].astype(float)


def rotated(x: np.ndarray, axis: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """The sensor's readings if its moving wearer is also turned about an axis by (n,) angles."""
    axis = axis / np.linalg.norm(axis)
    cos, sin = np.cos(-angles)[:, None], np.sin(-angles)[:, None]  # the world turns the other way round
    out = np.empty_like(x)
    for family in (slice(0, 3), slice(3, 6)):
        v = x[:, family]
        out[:, family] = v * cos + np.cross(axis, v) * sin + axis * (v @ axis)[:, None] * (1 - cos)
    out[:, 3:] += np.gradient(angles)[:, None] * RATE_HZ * axis
    return out


def smooth(n: int, angle: float) -> np.ndarray:
    """(n,) from 0 to an angle within the first half, then constant."""
    s = np.minimum(np.arange(n) / (n / 2), 1)
    return angle * s**3 * (10 - 15 * s + 6 * s**2)


def performance(
    seed: int = 1,
    axes: str = "x y z",
    *,
    pause_s: float = 1.0,
    seconds: float = 3.0,
    bend: float = np.radians(50),
    turn: float = np.radians(90),
    sideways: float = 0.0,
    noise: float = 0.02,
    bias: float = 0.01,
) -> dict[str, np.ndarray]:
    """The four steps in order, each (n, 6) with its pause first, as a sensor measures them that ``axes`` corrects.

    Args:
        sideways: how much further round the waist than in HAPT the sensor is worn, in radians.
    """
    rng = np.random.default_rng(seed)
    wait, n = round(pause_s * RATE_HZ), round(seconds * RATE_HZ)
    body = standing(seed, 3 * (wait + n))
    up = body[:, :3].mean(axis=0)
    _, forward, left = frame(up, np.array(HAPT_WAIST.forward)).T
    left = np.cos(sideways) * left - np.sin(sideways) * forward
    still = np.zeros((wait + n, 6))
    still[:, :3] = STANDARD_GRAVITY * np.array([0.1, -0.2, 0.97]) / np.linalg.norm([0.1, -0.2, 0.97])
    parts = {"table": still}
    angles = {"worn": np.zeros(n), "moved": smooth(n, bend), "turned": smooth(n, turn)}
    about = {"worn": up, "moved": left, "turned": up}
    for i, (key, angle) in enumerate(angles.items()):
        own = body[i * (wait + n) : (i + 1) * (wait + n)]
        parts[key] = rotated(own, about[key], np.concatenate([np.zeros(wait), angle]))
    matrix = matrix_of(axes)
    turned: dict[str, np.ndarray] = {}
    for key, x in parts.items():
        rows = np.concatenate([x[:, :3] @ matrix, x[:, 3:] @ matrix], axis=1)  # the inverse rotation, applied to rows
        turned[key] = rows + rng.normal(0, noise, rows.shape) + np.array([0, 0, 0, bias, -bias, bias])
    return turned


def matrix_of(axes: str) -> np.ndarray:
    """(3, 3) from the sensor's axes to the model's."""
    mapping = ChannelMap.parse(axes)
    matrix = np.zeros((3, 3))
    matrix[range(3), mapping.axes] = mapping.signs
    return matrix


def chunks(x: np.ndarray, start: int = 0, size: int = 25, fs_hz: float = RATE_HZ) -> Iterator[SampleChunk]:
    """Rows as a live source would send them."""
    channels = CHANNELS[: x.shape[1]]
    for at in range(0, len(x), size):
        rows = x[at : at + size].astype(np.float32)
        t = (start + at + np.arange(len(rows))) / fs_hz
        yield SampleChunk("s", "s#0", t, rows, channels, fs_hz, start + at, float(t[-1]) + 0.01)


def write_csv(path: Path, x: np.ndarray, labels: list[str] | None = None) -> Path:
    """A file that ``kinestream`` reads without options."""
    lines = [",".join(("time_s", *CHANNELS, *(["label"] if labels else [])))]
    for i, row in enumerate(x):
        lines.append(",".join([f"{i / RATE_HZ:.4f}", *(f"{v:.5f}" for v in row), *([labels[i]] if labels else [])]))
    path.write_text("\n".join(lines) + "\n")
    return path
