"""Renders samples from a bout's parameters: strides, coloured noise, and the turn between two postures."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import STANDARD_GRAVITY

from .body import BAND_EDGES_HZ, FITTED_HZ, HARMONICS, BoutParameters, WearerModel

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STRIDE_POINTS = 256
"""Points per rendered stride; samples are interpolated between them."""
NYQUIST_SHARE = 0.45
"""Harmonics above this share of the rate are left out, as they would alias."""
_CENTRES_HZ = np.array([(low + high) / 2 for low, high in pairwise(BAND_EDGES_HZ)])


def motion(model: WearerModel, bout: BoutParameters, n: int, rate_hz: float, rng: Generator) -> Floats:
    """(n, 6) body acceleration in m/s^2 and angular rate in rad/s, without gravity."""
    sd, lag1 = model.envelope[bout.activity]
    x = noise(bout.amplitude, model.coherence[bout.activity], n, rate_hz, rng)
    x *= _envelope(sd, lag1, n, rate_hz, rng)[:, None]
    if bout.stride_hz:
        x += strides(model, bout, n, rate_hz, rng)
    return x


def noise(amplitude: Floats, coherence: NDArray[np.complex128], n: int, rate_hz: float, rng: Generator) -> Floats:
    """(n, 6) stationary Gaussian noise with the given amplitude and coherence in each band.

    The noise is drawn in the frequency domain, where all frequencies are independent.

    Args:
        amplitude: (BANDS, 6), interpolated between the bands' centres.
        coherence: (BANDS, 6, 6) Cholesky factors.
    """
    length = _fast_length(n + int(rate_hz))  # one extra second, as the inverse transform is periodic
    f_hz = np.fft.rfftfreq(length, 1 / rate_hz)
    white = rng.standard_normal((len(f_hz), 6, 2)) @ np.array([1, 1j]) / math.sqrt(2)
    band = np.searchsorted(BAND_EDGES_HZ, f_hz, side="right").clip(1, len(_CENTRES_HZ)) - 1
    edges = np.searchsorted(band, np.arange(len(_CENTRES_HZ) + 1))
    for b, (start, stop) in enumerate(pairwise(edges)):
        white[start:stop] = white[start:stop] @ coherence[b].T
    log_amplitude = np.stack([np.interp(f_hz, _CENTRES_HZ, column) for column in np.log(amplitude).T], axis=1)
    white *= np.exp(log_amplitude) * math.sqrt(length * rate_hz / FITTED_HZ)
    white[0] = 0
    return np.fft.irfft(white, length, axis=0)[:n]


def strides(model: WearerModel, bout: BoutParameters, n: int, rate_hz: float, rng: Generator) -> Floats:
    """(n, 6) walking: the bout's mean stride, with every stride varying in shape and duration."""
    gait = bout.activity
    count = math.ceil(1.5 * n / rate_hz * bout.stride_hz) + 3
    sd = float(model.stride_rate_sd[gait])
    durations_s = np.exp(sd * rng.standard_normal(count)) / bout.stride_hz
    start = rng.uniform(0, durations_s[0])
    phase = np.interp(start + np.arange(n) / rate_hz, np.cumsum(np.r_[0, durations_s]), np.arange(count + 1))

    scores = _autoregressive(model.stride_lag1[gait], count + 1, rng)
    parts = model.stride_components[gait]
    spectrum = np.zeros((count + 2, STRIDE_POINTS // 2 + 1, 6), np.complex128)
    spectrum[0, 1 : HARMONICS + 1] = bout.harmonics
    spectrum[1:, 1 : HARMONICS + 1] = np.tensordot(scores, parts[:, 0] + 1j * parts[:, 1], 1)
    spectrum[:, int(NYQUIST_SHARE * rate_hz / bout.stride_hz) + 1 :] = 0
    waves = np.fft.irfft(spectrum, STRIDE_POINTS, axis=1) * (STRIDE_POINTS / 2)
    # Cross-fade successive strides with equal power, so that the variance stays constant.
    fade = np.linspace(0, np.pi / 2, STRIDE_POINTS, endpoint=False)[:, None]
    points = waves[0] + np.cos(fade) * waves[1:-1] + np.sin(fade) * waves[2:]
    points = points.reshape(-1, 6)
    at = phase * STRIDE_POINTS
    before = at.astype(np.intp)
    share = (at - before)[:, None]
    return points[before] * (1 - share) + points[before + 1] * share


def turn(start: Floats, end: Floats, n: int, rate_hz: float) -> tuple[Floats, Floats]:
    """The turn from one posture to another along the shortest arc, with a minimum-jerk pace.

    Args:
        start, end: (3,) unit vectors: up in the sensor's axes before and after.
        n: number of samples.
    Returns:
        (n, 3) unit vectors up in the sensor's axes, and (n, 3) the angular rate in rad/s that turns them.
    Source: Flash and Hogan, The coordination of arm movements, J. Neurosci. 1985 (the pace).
    """
    s = (np.arange(n) + 0.5) / n
    pace = s**3 * (10 - 15 * s + 6 * s**2)
    angle = math.acos(float(np.clip(start @ end, -1, 1)))
    axis = np.asarray(np.cross(end, start), np.float64)
    if np.linalg.norm(axis) < 1e-9:  # the same or the opposite direction: any perpendicular axis works
        axis = np.asarray(np.cross(start, np.eye(3)[np.argmin(np.abs(start))]), np.float64)
    axis = axis / float(np.linalg.norm(axis))
    across = np.asarray(np.cross(start, axis), np.float64)
    up = np.cos(pace * angle)[:, None] * start + np.sin(pace * angle)[:, None] * across
    rate = 30 * (s * (1 - s)) ** 2 * angle * rate_hz / n
    return up, rate[:, None] * axis


def as_read(model: WearerModel, up: Floats, body: Floats) -> NDArray[np.float32]:
    """(n, 6) float32 sensor readings: body motion plus gravity, with the accelerometer's own errors."""
    x = body.copy()
    x[:, :3] += STANDARD_GRAVITY * up
    x[:, :3] = x[:, :3] * model.acc_gain + model.acc_offset
    return x.astype(np.float32)


def _envelope(sd: float, lag1: float, n: int, rate_hz: float, rng: Generator) -> Floats:
    """(n,) relative strength of the noise over time, with mean square 1."""
    seconds = math.ceil(n / rate_hz) + 2
    log_level = sd * _autoregressive(np.array([lag1]), seconds, rng)[:, 0]
    return np.exp(np.interp(np.arange(n) / rate_hz, np.arange(seconds), log_level) - sd**2)


def _autoregressive(lag1: Floats, n: int, rng: Generator) -> Floats:
    """(n, len(lag1)) first-order sequences of variance 1."""
    x = rng.standard_normal((n, len(lag1)))
    innovation = np.sqrt(1 - lag1**2)
    for i in range(1, n):
        x[i] = lag1 * x[i - 1] + innovation * x[i]
    return x


def _fast_length(n: int) -> int:
    """The next length with a fast Fourier transform: 2^k or 3 * 2^k."""
    power = 2 ** math.ceil(math.log2(n))
    return 3 * power // 4 if 3 * power // 4 >= n else power
