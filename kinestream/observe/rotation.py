"""Rotations from angular rates, and how well they explain the turning of gravity.

Angular rates turn the direction of gravity, as a sensor sees it, in a way that the accelerometer of the same sensor
confirms whenever it rests. If they do so only after multiplication by a factor, the gyroscope has another scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GYRO_UNITS = {"rad/s": 1.0, "deg/s": np.pi / 180, "mrad/s": 1e-3, "mdeg/s": np.pi / 180_000}
"""Possible units of an angular rate, with the factor to rad/s."""

SHARES = np.geomspace(0.05, 20.0, 79)
"""Scales that are tried: a gyroscope that reports this share of the true turning. Neighbours are 8 % apart."""


def angle_deg(a: Floats, b: Floats) -> float:
    """The angle between two vectors in degrees, 0 to 180."""
    return float(angles_deg(a, b))


def angles_deg(a: Floats, b: Floats) -> Floats:
    """(...) the angles between vectors (..., 3) in degrees, 0 to 180."""
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), np.sum(a * b, axis=-1)))


def turned_by(gyro: Floats, t: Floats) -> Floats:
    """(3, 3) the rotation that rates (n, 3) in rad/s at times (n,) in s integrate to, in the axes at the start.

    Each step turns by the mean of its two rates about a fixed axis.
    """
    return _matrices(_quaternions(gyro, t, np.ones(1)))[0]


def rotation_vector(rotation: Floats) -> Floats:
    """(3,) the axis of a rotation matrix times its angle in radians, which must be less than half a turn."""
    skew = rotation - rotation.T
    axis = np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
    length = float(np.linalg.norm(axis))
    angle = float(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))
    return axis / length * angle if length else np.zeros(3)


def disagreements_deg(before: Floats, after: Floats, gyro: Floats, t: Floats, factors: Floats) -> Floats:
    """(k,) angles between gravity as the accelerometer reads it after a turn and as the rates predict it.

    Args:
        before, after: (3,) readings of gravity, in any unit.
        gyro: (n, 3) angular rates at times ``t`` (n,) in s.
        factors: (k,) to rad/s, one for each scale to try.
    """
    predicted = np.swapaxes(_matrices(_quaternions(gyro, t, factors)), 1, 2) @ before
    return angles_deg(predicted, np.broadcast_to(after, predicted.shape))


class Scale(NamedTuple):
    """The scale of a gyroscope that agrees best with gravity."""

    share: float
    """Which share of the true turning it reports; negative with all signs reversed."""
    error_deg: float
    """What remains to explain."""


def best_scale(before: Floats, after: Floats, gyro: Floats, t: Floats) -> Scale:
    """Return the scale at which the rates of one movement explain how gravity turned.

    A rotation and a further full turn look alike, so of several good scales the one with the least turning counts.
    """
    shares = np.concatenate([SHARES, -SHARES])
    errors = disagreements_deg(before, after, gyro, t, 1 / shares).reshape(2, -1)
    best = Scale(1.0, float("inf"))
    for sign, row in zip((1.0, -1.0), errors, strict=True):
        padded = np.r_[np.inf, row, np.inf]
        valleys = np.flatnonzero((row <= padded[:-2]) & (row <= padded[2:]))
        least = next(at for at in valleys[::-1] if row[at] <= row.min() + _SAME_DEG)
        share = float(sign * _vertex(np.log(SHARES), row, int(least)))
        if row[least] < best.error_deg - _SAME_DEG:
            best = Scale(share, float(row[least]))
    return best


_SAME_DEG = 3.0
"""Errors that differ by less count as equal."""


def _vertex(x: Floats, errors: Floats, at: int) -> float:
    """The scale at the minimum near index ``at``: where the two slopes beside it, which are straight, meet."""
    if not 0 < at < len(x) - 1:
        return float(np.exp(x[at]))
    left, right = errors[at - 1], errors[at + 1]
    step = x[at + 1] - x[at]
    slope = max(left, right) - errors[at]
    return float(np.exp(x[at] + (0.5 * step * (left - right) / slope if slope > 0 else 0.0)))


def _quaternions(gyro: Floats, t: Floats, factors: Floats) -> Floats:
    """(k, 4) the rotations that the rates integrate to, multiplied by each of the (k,) factors."""
    steps = (gyro[1:] + gyro[:-1]) / 2 * np.diff(t)[:, None]
    angle = np.linalg.norm(steps, axis=1)
    axis = steps / np.where(angle > 0, angle, 1.0)[:, None]
    half = factors[:, None] * angle / 2
    q = np.concatenate([np.cos(half)[..., None], np.sin(half)[..., None] * axis], axis=2)
    while q.shape[1] > 1:
        odd = q[:, -1:] if q.shape[1] % 2 else q[:, :0]
        q = np.concatenate([_product(q[:, : q.shape[1] // 2 * 2 : 2], q[:, 1::2]), odd], axis=1)
    return q[:, 0] if q.shape[1] else np.tile([1.0, 0.0, 0.0, 0.0], (len(factors), 1))


def _product(a: Floats, b: Floats) -> Floats:
    real = a[..., :1] * b[..., :1] - np.sum(a[..., 1:] * b[..., 1:], axis=-1, keepdims=True)
    vector = a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:] + np.cross(a[..., 1:], b[..., 1:])
    return np.concatenate([real, vector], axis=-1)


def _matrices(q: Floats) -> Floats:
    """(k, 3, 3) rotation matrices of unit quaternions (k, 4)."""
    w, x, y, z = q.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)
