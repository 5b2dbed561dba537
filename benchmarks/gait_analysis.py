"""The components of a bout: stride phase, harmonics, differences between strides, and residual noise.

A stride is two steps. Its phase is tracked by matching the bout's own mean stride, so that a varying pace does not blur
the higher harmonics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from kinestream.replay_data.wearer.body import BAND_EDGES_HZ, BANDS, FITTED_HZ, HARMONICS

STEP_BAND_HZ = (1.1, 2.6)
STRIDE_POINTS = 64
STRIDE_COMPONENTS = 16
TRACKED_HARMONICS = 12
"""The phase follows these; the highest ones would only lock onto noise."""
SEARCH_TURNS = (0.25, 0.2, 0.12, 0.06)
"""How far the phase may be shifted in each round, in strides."""

Array = np.ndarray[Any, Any]
K = np.arange(1, HARMONICS + 1)


@dataclass
class Bout:
    """One labelled stretch and what was measured on it."""

    occasion: int
    activity: int
    x: Array
    """(n, 6) acceleration in m/s^2, corrected for the phone's offset and gain; angular rate in rad/s."""
    direction: Array
    """(3,) mean acceleration over its length."""
    log_stride_hz: float = 0.0
    phase: Array = field(default_factory=lambda: np.empty(0))
    """(n,) radians; one stride is 2 pi."""
    harmonics: Array = field(default_factory=lambda: np.zeros((HARMONICS, 6), complex))
    departures: Array = field(default_factory=lambda: np.empty((0, HARMONICS, 6), complex))
    """(strides, HARMONICS, 6) how each stride departs from the bout's mean."""
    noise: Array = field(default_factory=lambda: np.empty((0, 6)))
    """(n, 6) what harmonics and departures leave."""

    @property
    def spectra(self) -> Array:
        """(BANDS, 6, 6) cross-spectral density of the noise."""
        return band_spectra(self.noise)

    @property
    def turns(self) -> Array:
        """The whole strides: (strides + 1,) phases in turns at which they begin, and the last one ends."""
        return np.arange(np.ceil(self.phase[0] / (2 * np.pi)), np.floor(self.phase[-1] / (2 * np.pi)) + 1)


def band_spectra(x: Array) -> Array:
    """(BANDS, 6, 6) complex: mean cross-spectral density (two-sided, per sample) in each band."""
    n = len(x)
    window = np.hanning(n)[:, None]
    spectrum = np.fft.rfft((x - x.mean(axis=0)) * window, axis=0) / np.sqrt(np.sum(window**2))
    f_hz = np.fft.rfftfreq(n, 1 / FITTED_HZ)
    out = np.zeros((BANDS, 6, 6), complex)
    for b, (low, high) in enumerate(pairwise(BAND_EDGES_HZ)):
        rows = spectrum[(f_hz >= low) & (f_hz < high) & (f_hz > 0)]
        if len(rows) == 0:  # a bout too short for the lowest band
            rows = spectrum[1:2]
        out[b] = rows.T @ rows.conj() / len(rows)
    return out


def amplitudes(spectra: Array) -> Array:
    """(BANDS, 6) square root of each channel's own density."""
    return np.sqrt(np.real(np.einsum("bcc->bc", spectra)))


def step_hz(x: Array, band_hz: tuple[float, float]) -> float:
    """The strongest frequency of vertical acceleration within a band."""
    up = x[:, :3].mean(axis=0)
    vertical = x[:, :3] @ (up / np.linalg.norm(up))
    n = 8192
    power = np.abs(np.fft.rfft((vertical - vertical.mean()) * np.hanning(len(x)), n)) ** 2
    f_hz = np.fft.rfftfreq(n, 1 / FITTED_HZ)
    inside = (f_hz > band_hz[0]) & (f_hz < band_hz[1])
    return float(f_hz[inside][np.argmax(power[inside])])


def harmonic_fit(x: Array, phase: Array) -> Array:
    """(HARMONICS, 6) complex amplitudes c with x ~ mean + Re sum c_k exp(i k phase), by least squares."""
    angle = np.outer(phase, K)
    basis = np.hstack([np.cos(angle), np.sin(angle), np.ones((len(x), 1))])
    # A little ridge: in short bouts the highest harmonics would fit noise.
    gram = basis.T @ basis + 1.0 * np.eye(basis.shape[1])
    c = np.linalg.solve(gram, basis.T @ x)
    return c[:HARMONICS] - 1j * c[HARMONICS : 2 * HARMONICS]


def wave(c: Array, phase: Array) -> Array:
    """(n, 6) the periodic signal of amplitudes ``c`` (HARMONICS, 6)."""
    return np.real(np.exp(1j * np.outer(phase, K)) @ c)


def track_phase(x: Array, stride_hz: float, scale: Array) -> Array:
    """(n,) radians, the phase of the stride, so that the bout's mean stride fits best at every moment.

    Starts from a constant rate; each round shifts the phase locally to where the mean stride correlates best.

    Args:
        scale: (6,) what to divide the channels by, so that each counts alike.
    """
    n = len(x)
    phase = 2 * np.pi * stride_hz * np.arange(n) / FITTED_HZ
    half = int(0.6 / stride_hz * FITTED_HZ)
    centres = np.arange(half, n - half, max(1, half // 2))
    weight = np.hanning(2 * half)[:, None]
    smooth = np.hanning(2 * half + 1)
    smooth /= smooth.sum()
    y = (x - x.mean(axis=0)) / scale
    for reach in SEARCH_TURNS:
        c = harmonic_fit(y, phase)
        c[TRACKED_HARMONICS:] = 0
        shifts = np.linspace(-reach, reach, 41) * 2 * np.pi
        best = []
        for centre in centres:
            part = slice(centre - half, centre + half)
            local = np.exp(-1j * np.outer(K, phase[part])) @ (y[part] * weight)
            score = np.real(np.exp(-1j * np.outer(shifts, K)) @ np.sum(np.conj(c) * local, axis=1))
            best.append(shifts[np.argmax(score)])
        shift = np.interp(np.arange(n), centres, np.array(best))
        phase = phase + np.convolve(np.pad(shift, half, mode="edge"), smooth, mode="valid")
    return phase


def align(bouts: Sequence[Bout], scale: Array, rounds: int = 6) -> None:
    """Turn every bout's phase zero to the same moment of the stride, so that amplitudes may be averaged."""
    turns = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    template = bouts[0].harmonics
    for _ in range(rounds):
        for bout in bouts:
            product = np.sum(np.conj(template) * bout.harmonics / scale**2, axis=1)
            turn = turns[np.argmax(np.real(np.exp(1j * np.outer(turns, K)) @ product))]
            bout.harmonics = bout.harmonics * np.exp(1j * K * turn)[:, None]
            # x = Re sum c e^{ik phase}: amplitudes turned forward mean a phase turned back.
            bout.phase = bout.phase - turn
        template = np.mean([bout.harmonics for bout in bouts], axis=0)


def stride_departures(bout: Bout) -> Array:
    """(strides, HARMONICS, 6): each whole stride's own harmonics less the bout's."""
    left = bout.x - wave(bout.harmonics, bout.phase)
    grid = 2 * np.pi * (bout.turns[:-1, None] + np.arange(STRIDE_POINTS) / STRIDE_POINTS)
    on_grid = np.stack([np.interp(grid, bout.phase, left[:, c]) for c in range(6)], axis=-1)
    return 2 * np.fft.rfft(on_grid, axis=1)[:, 1 : HARMONICS + 1] / STRIDE_POINTS


def flattened(departures: Array, scale: Array) -> Array:
    """(strides, 2 * HARMONICS * 6) real and imaginary parts in a row, each channel counting alike."""
    parts = np.stack([departures.real, departures.imag], axis=1) / scale
    return parts.reshape(len(parts), -1)


def fit_gait(bouts: Sequence[Bout]) -> dict[str, Array]:
    """Measure phase, harmonics, departures and noise of all bouts of one gait.

    Returns:
        What all people share: how strides depart from the mean, how long that lasts, how evenly they are paced.
    """
    scale = np.sqrt(np.mean([bout.x.var(axis=0) for bout in bouts], axis=0))
    for occasion in sorted({bout.occasion for bout in bouts}):
        own = [bout for bout in bouts if bout.occasion == occasion]
        usual_hz = float(np.median([step_hz(bout.x, STEP_BAND_HZ) for bout in own]))
        for bout in own:
            bout.phase = track_phase(bout.x, step_hz(bout.x, (0.8 * usual_hz, 1.2 * usual_hz)) / 2, scale)
            bout.harmonics = harmonic_fit(bout.x, bout.phase)
            bout.log_stride_hz = float(np.log(np.diff(bout.phase).mean() * FITTED_HZ / (2 * np.pi)))
    align(bouts, scale)
    for bout in bouts:
        bout.departures = stride_departures(bout)
    flat = flattened(np.concatenate([bout.departures for bout in bouts]), scale)
    _, s, vt = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    basis, sd = vt[:STRIDE_COMPONENTS], s[:STRIDE_COMPONENTS] / np.sqrt(len(flat))
    kept = np.sum(s[:STRIDE_COMPONENTS] ** 2) / np.sum(s**2)
    components = (basis * sd[:, None]).reshape(STRIDE_COMPONENTS, 2, HARMONICS, 6) * scale

    lag1 = np.zeros(STRIDE_COMPONENTS)
    paces, explained = [], []
    for bout in bouts:
        scores = flattened(bout.departures, scale) @ basis.T / sd
        lag1 += np.sum(scores[1:] * scores[:-1], axis=0)
        rebuilt = np.tensordot(scores, components[:, 0] + 1j * components[:, 1], 1)
        nearest = np.abs(bout.phase[:, None] - 2 * np.pi * (bout.turns[:-1] + 0.5)).argmin(axis=1)
        own = np.real(np.einsum("nk,nkc->nc", np.exp(1j * np.outer(bout.phase, K)), rebuilt[nearest]))
        left = bout.x - bout.x.mean(axis=0) - wave(bout.harmonics, bout.phase)
        bout.noise = left - own
        explained.append(1 - np.sum((left / scale) ** 2) / np.sum(((bout.x - bout.x.mean(axis=0)) / scale) ** 2))
        begins_s = np.interp(2 * np.pi * bout.turns, bout.phase, np.arange(len(bout.phase)) / FITTED_HZ)
        paces.append(np.log(np.diff(begins_s) * np.exp(bout.log_stride_hz)))
    print(f"  the mean stride explains {np.mean(explained):.2f} of the variance of a bout;", end=" ")
    print(f"{STRIDE_COMPONENTS} components keep {kept:.2f} of how {len(flat)} strides depart from it")
    return {
        "stride_components": components,
        "stride_lag1": lag1 / (len(flat) - len(bouts)),
        "stride_rate_sd": np.sqrt(np.mean(np.concatenate(paces) ** 2)),
    }
