"""Standard features of a window, the input of classical classifiers such as a random forest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def window_features(x: NDArray[np.float32], fs_hz: float) -> NDArray[np.float32]:
    """The (n, features) features of (n, length, columns) windows.

    Per column: mean, standard deviation, minimum, maximum, median, interquartile range, mean absolute change, energy,
    dominant frequency and its share of the power, spectral entropy. Per pair of columns: correlation.

    Source: the feature families of UCI-HAR (Anguita et al., ESANN 2013), computed on the raw columns.
    """
    n, length, columns = x.shape
    x64 = x.astype(np.float64)
    low, median, high = np.percentile(x64, [25, 50, 75], axis=1)
    mean, std = x64.mean(axis=1), x64.std(axis=1)
    centred = x64 - mean[:, None]
    power = np.abs(np.fft.rfft(centred, axis=1)[:, 1:]) ** 2  # (n, frequencies, columns)
    share = power / np.maximum(power.sum(axis=1, keepdims=True), 1e-12)
    frequencies = np.fft.rfftfreq(length, 1 / fs_hz)[1:]
    unit = centred / np.maximum(std, 1e-9)[:, None]
    pairs = np.triu_indices(columns, 1)
    correlation = np.einsum("nlc,nld->ncd", unit, unit)[:, pairs[0], pairs[1]] / length
    families = [
        mean,
        std,
        x64.min(axis=1),
        x64.max(axis=1),
        median,
        high - low,
        np.abs(np.diff(x64, axis=1)).mean(axis=1),
        (x64**2).mean(axis=1),
        frequencies[share.argmax(axis=1)],
        share.max(axis=1),
        -(share * np.log(np.maximum(share, 1e-12))).sum(axis=1),
        correlation,
    ]
    return np.concatenate(families, axis=1).astype(np.float32).reshape(n, -1)


def gravity_aligned_features(x: NDArray[np.float32], fs_hz: float) -> NDArray[np.float32]:
    """The (n, features) features of (n, length, 3) windows of acceleration, about each window's own gravity.

    Gravity is the window's mean acceleration, as in Mizell, "Using gravity to estimate accelerometer orientation",
    ISWC 2003. ``window_features`` of the acceleration along it, of that across it, and of the magnitude do not depend
    on how the sensor is turned; the direction of gravity in the sensor's axes, appended, shows how it is turned.
    """
    gravity = x.mean(axis=1, keepdims=True)
    up = gravity / np.maximum(np.linalg.norm(gravity, axis=2, keepdims=True), 1e-6)
    vertical = (x * up).sum(axis=2, keepdims=True)
    horizontal = np.linalg.norm(x - vertical * up, axis=2, keepdims=True)
    magnitude = np.linalg.norm(x, axis=2, keepdims=True)
    turned = window_features(np.concatenate([vertical, horizontal, magnitude], axis=2), fs_hz)
    return np.concatenate([turned, up[:, 0]], axis=1)
