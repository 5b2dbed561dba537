"""Fits the built-in wearer to the 21 training people of HAPT and writes ``replay_data/wearer.npz``.

    python benchmarks/fit_wearer.py --data ../shared/data

An *occasion* is one person with the phone put on once (HAPT has two for each person), a *bout* one labelled stretch of
one activity. For every bout the script measures: the mean direction of gravity, the step rate, the stride's harmonics in
all six channels and the noise left over, by frequency band. Occasions and bouts become principal components, from which
``kinestream.replay_data.wearer_model`` draws new people. The nine official test subjects are never read.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from kinestream.replay_data import open_dataset
from kinestream.replay_data.hapt import BASIC_LABELS, OFFICIAL_TEST_SUBJECTS
from kinestream.replay_data.wearer_model import BAND_EDGES_HZ, BANDS, GAITS, HARMONICS, MODEL_PATH
from kinestream.signals import STANDARD_GRAVITY

FS_HZ = 50.0
STEP_BAND_HZ = (1.1, 2.6)
STRIDE_POINTS = 64
OCCASION_COMPONENTS = 30
BOUT_COMPONENTS = 10
STRIDE_COMPONENTS = 16
SIZE = 4 + BANDS * 6 + 2 * HARMONICS * 6
"""Parameters of one activity."""

Array = np.ndarray[Any, Any]


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
    phase: Array | None = None
    """(n,) radians; one stride (two steps) is 2 pi."""
    harmonics: Array | None = None
    """(HARMONICS, 6) complex."""
    strides: Array | None = None
    """(strides, HARMONICS, 6) complex: how each stride departs from the bout's mean."""
    noise: Array | None = None
    """(n, 6) what harmonics and strides leave."""
    spectra: Array | None = None
    """(BANDS, 6, 6) cross-spectral density of the noise."""


def static_calibration(means: Array) -> tuple[Array, Array]:
    """The phone's offset (3,) in m/s^2 and gain (3,), from its readings at rest.

    All readings at rest must have the length of gravity: the classic multi-position calibration. Not every position
    occurs (nobody lies upside down), so a mild preference for no error settles what the data leave open.
    """

    def residual(p: Array) -> Array:
        length = np.linalg.norm((means - p[:3]) / p[3:], axis=1) / STANDARD_GRAVITY - 1
        return np.r_[length, 0.03 * p[:3], 0.3 * (p[3:] - 1)]

    p = least_squares(residual, np.r_[np.zeros(3), np.ones(3)], loss="soft_l1", f_scale=0.01).x
    return p[:3], p[3:]


def step_hz(x: Array, band_hz: tuple[float, float]) -> float:
    """The strongest frequency of vertical acceleration within a band."""
    up = x[:, :3].mean(axis=0)
    vertical = x[:, :3] @ (up / np.linalg.norm(up))
    n = 8192
    power = np.abs(np.fft.rfft((vertical - vertical.mean()) * np.hanning(len(x)), n)) ** 2
    f_hz = np.fft.rfftfreq(n, 1 / FS_HZ)
    inside = (f_hz > band_hz[0]) & (f_hz < band_hz[1])
    return float(f_hz[inside][np.argmax(power[inside])])


def harmonic_fit(x: Array, phase: Array) -> Array:
    """(HARMONICS, 6) complex amplitudes c with x ~ mean + Re sum c_k exp(i k phase), by least squares."""
    k = np.arange(1, HARMONICS + 1)
    angle = np.outer(phase, k)
    basis = np.hstack([np.cos(angle), np.sin(angle), np.ones((len(x), 1))])
    # A little ridge: in short bouts the highest harmonics would fit noise.
    gram = basis.T @ basis + 1.0 * np.eye(basis.shape[1])
    c = np.linalg.solve(gram, basis.T @ x)
    return c[:HARMONICS] - 1j * c[HARMONICS : 2 * HARMONICS]


def wave(c: Array, phase: Array) -> Array:
    """(n, 6) the periodic signal of amplitudes ``c`` (HARMONICS, 6)."""
    return np.real(np.exp(1j * np.outer(phase, np.arange(1, len(c) + 1))) @ c)


def track_phase(x: Array, stride_hz: float, scale: Array, rounds: int = 4) -> Array:
    """(n,) radians, the phase of the stride, so that the bout's mean stride fits best at every moment.

    Starts from a constant rate; each round shifts the phase locally to where the mean stride correlates best.
    """
    n = len(x)
    phase = 2 * np.pi * stride_hz * np.arange(n) / FS_HZ
    half = int(0.6 / stride_hz * FS_HZ)
    centres = np.arange(half, n - half, max(1, half // 2))
    k = np.arange(1, HARMONICS + 1)
    y = (x - x.mean(axis=0)) / scale
    for reach in np.array([0.25, 0.2, 0.12, 0.06])[:rounds] * 2 * np.pi:
        c = harmonic_fit(y, phase)
        c[12:] = 0  # the highest harmonics would only lock onto noise
        shifts = np.linspace(-reach, reach, 41)
        best = []
        for centre in centres:
            part = slice(centre - half, centre + half)
            weight = np.hanning(2 * half)[:, None]
            local = np.exp(-1j * np.outer(k, phase[part])) @ (y[part] * weight)
            score = np.real(np.exp(-1j * np.outer(shifts, k)) @ np.sum(np.conj(c) * local, axis=1))
            best.append(shifts[np.argmax(score)])
        shift = np.interp(np.arange(n), centres, np.array(best)) if len(best) else np.zeros(n)
        width = half
        kernel = np.hanning(2 * width + 1)
        shift = np.convolve(np.pad(shift, width, mode="edge"), kernel / kernel.sum(), mode="valid")
        phase = phase + shift
    return phase


def stride_departures(bout: Bout) -> Array:
    """(strides, HARMONICS, 6): each whole stride's own harmonics less the bout's."""
    assert bout.phase is not None
    assert bout.harmonics is not None
    left = bout.x - wave(bout.harmonics, bout.phase)
    first = np.ceil(bout.phase[0] / (2 * np.pi))
    last = np.floor(bout.phase[-1] / (2 * np.pi))
    starts = 2 * np.pi * np.arange(first, last)
    grid = starts[:, None] + 2 * np.pi * np.arange(STRIDE_POINTS) / STRIDE_POINTS
    on_grid = np.stack([np.interp(grid, bout.phase, left[:, c]) for c in range(6)], axis=-1)
    return 2 * np.fft.rfft(on_grid, axis=1)[:, 1 : HARMONICS + 1] / STRIDE_POINTS


def align(bouts: list[Bout], scale: Array) -> None:
    """Turn every bout's phase zero to the same moment of the stride, so that amplitudes may be averaged.

    Bout by bout to the occasion's first, then occasion by occasion to the mean of all, three rounds.
    """
    k = np.arange(1, HARMONICS + 1)
    turns = np.linspace(0, 2 * np.pi, 720, endpoint=False)

    def turn_to(bout: Bout, template: Array) -> None:
        assert bout.harmonics is not None
        product = np.sum(np.conj(template) * bout.harmonics / scale**2, axis=1)
        turn = turns[np.argmax(np.real(np.exp(1j * np.outer(turns, k)) @ product))]
        bout.harmonics = bout.harmonics * np.exp(1j * k * turn)[:, None]
        # x = Re sum c e^{ik phase}: amplitudes turned forward mean a phase turned back.
        bout.phase = bout.phase - turn

    template = bouts[0].harmonics
    for _ in range(6):
        for bout in bouts:
            turn_to(bout, template)
        template = np.mean([b.harmonics for b in bouts], axis=0)


def band_spectra(x: Array) -> Array:
    """(BANDS, 6, 6) complex: mean cross-spectral density (two-sided, per sample) in each band."""
    n = len(x)
    window = np.hanning(n)[:, None]
    spectrum = np.fft.rfft((x - x.mean(axis=0)) * window, axis=0) / np.sqrt(np.sum(window**2))
    f_hz = np.fft.rfftfreq(n, 1 / FS_HZ)
    out = np.zeros((BANDS, 6, 6), complex)
    for b, (low, high) in enumerate(zip(BAND_EDGES_HZ[:-1], BAND_EDGES_HZ[1:], strict=True)):
        rows = spectrum[(f_hz >= low) & (f_hz < high) & (f_hz > 0)]
        if len(rows) == 0:
            rows = spectrum[1:2]
        out[b] = rows.T @ rows.conj() / len(rows)
    return out


def envelope(noise: Array) -> tuple[float, float]:
    """Standard deviation of the log amplitude from second to second within a bout, and its lag-1 product sum."""
    frames = len(noise) // 50
    body = np.diff(noise[: frames * 50], axis=0, prepend=noise[:1])
    level = np.log(np.sqrt(np.mean((body**2).reshape(frames, 50, 6), axis=1)) + 1e-9).mean(axis=1)
    level = level - level.mean()
    return float(np.mean(level**2)), float(np.mean(level[1:] * level[:-1]))


def read_bouts(data_dir: Path) -> tuple[list[Bout], list[Array], int, Array, Array]:
    """All bouts and all postural transitions of the training people, acceleration corrected; occasions; offset; gain."""
    dataset = open_dataset("hapt", data_dir)
    dataset = dataset.select(s for s in dataset.subjects if s not in OFFICIAL_TEST_SUBJECTS)
    stretches: list[tuple[int, int, Array]] = []
    occasions = 0
    for recording in dataset:
        assert recording.labels is not None
        edges = np.flatnonzero(np.diff(recording.labels)) + 1
        for rows in np.split(np.arange(len(recording)), edges):
            label = int(recording.labels[rows[0]])
            if label >= 0 and len(rows) > (200 if label < len(BASIC_LABELS) else 50):
                stretches.append((occasions, label, recording.x[rows].astype(np.float64)))
        occasions += 1
    still = [BASIC_LABELS.index(name) for name in BASIC_LABELS if name not in GAITS]
    offset, gain = static_calibration(np.array([x[:, :3].mean(axis=0) for _, label, x in stretches if label in still]))
    bouts: list[Bout] = []
    transitions: list[Array] = []
    for occasion, label, x in stretches:
        x[:, :3] = (x[:, :3] - offset) / gain
        if label >= len(BASIC_LABELS):
            transitions.append(x)
        else:
            mean = x[:, :3].mean(axis=0)
            bouts.append(Bout(occasion, label, x, mean / np.linalg.norm(mean)))
    return bouts, transitions, occasions, offset, gain


def fit_gait(bouts: list[Bout]) -> dict[str, Array]:
    """Measure phase, harmonics, strides and noise of all bouts of one gait; what all people share."""
    scale = np.sqrt(np.mean([b.x.var(axis=0) for b in bouts], axis=0))
    for occasion in {b.occasion for b in bouts}:
        own = [b for b in bouts if b.occasion == occasion]
        usual = float(np.median([step_hz(b.x, STEP_BAND_HZ) for b in own]))
        for bout in own:
            stride_hz = step_hz(bout.x, (0.8 * usual, 1.2 * usual)) / 2
            bout.phase = track_phase(bout.x, stride_hz, scale)
            bout.harmonics = harmonic_fit(bout.x, bout.phase)
            bout.log_stride_hz = float(np.log(np.diff(bout.phase).mean() * FS_HZ / (2 * np.pi)))
    align(bouts, scale)
    for bout in bouts:
        bout.strides = stride_departures(bout)
    everything = np.concatenate([b.strides for b in bouts if b.strides is not None])
    flat = np.concatenate([everything.real, everything.imag], axis=1) / scale
    flat = flat.reshape(len(flat), -1)
    _, s, vt = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    basis = vt[:STRIDE_COMPONENTS]
    print(f"  {len(flat)} strides; {STRIDE_COMPONENTS} components keep {np.sum(s[:STRIDE_COMPONENTS]**2) / np.sum(s**2):.2f}")
    sd = s[:STRIDE_COMPONENTS] / np.sqrt(len(flat))
    components = (basis * sd[:, None]).reshape(STRIDE_COMPONENTS, 2, HARMONICS, 6) * scale
    before = after = 0.0
    lag1, jitter = np.zeros(STRIDE_COMPONENTS), []
    kept = (basis * sd[:, None])
    for bout in bouts:
        assert bout.strides is not None and bout.phase is not None and bout.harmonics is not None
        mine = (np.concatenate([bout.strides.real, bout.strides.imag], axis=1) / scale).reshape(len(bout.strides), -1)
        score = mine @ basis.T / sd
        lag1 += np.sum(score[1:] * score[:-1], axis=0)
        rebuilt = (score @ kept).reshape(-1, 2, HARMONICS, 6) * scale
        rebuilt = rebuilt[:, 0] + 1j * rebuilt[:, 1]
        centre = 2 * np.pi * (np.ceil(bout.phase[0] / (2 * np.pi)) + 0.5 + np.arange(len(rebuilt)))
        nearest = np.abs(bout.phase[:, None] - centre).argmin(axis=1)
        angle = np.exp(1j * np.outer(bout.phase, np.arange(1, HARMONICS + 1)))
        departure = np.real(np.einsum("nk,nkc->nc", angle, rebuilt[nearest]))
        plain = bout.x - bout.x.mean(axis=0)
        left = plain - wave(bout.harmonics, bout.phase)
        bout.noise = left - departure
        bout.spectra = band_spectra(bout.noise)
        before += np.sum((plain / scale) ** 2)
        after += np.sum((left / scale) ** 2)
        per_stride = np.diff(np.interp(np.arange(np.ceil(bout.phase[0] / 2 / np.pi), np.floor(bout.phase[-1] / 2 / np.pi) + 1)
                                       * 2 * np.pi, bout.phase, np.arange(len(bout.phase)) / FS_HZ))
        jitter.append(np.log(per_stride * np.exp(bout.log_stride_hz)))
    print(f"  mean stride explains {1 - after / before:.2f} of the variance")
    pairs = len(everything) - len(bouts)
    return {
        "stride_components": components,
        "stride_lag1": lag1 / pairs,
        "stride_rate_sd": np.sqrt(np.mean(np.concatenate(jitter) ** 2)),
    }


def coherence(bouts: list[Bout]) -> Array:
    """(BANDS, 6, 6) complex lower Cholesky factor of the mean coherency between channels."""
    total = np.zeros((BANDS, 6, 6), complex)
    for bout in bouts:
        assert bout.spectra is not None
        amp = np.sqrt(np.real(np.einsum("bcc->bc", bout.spectra)))
        total += bout.spectra / (amp[:, :, None] * amp[:, None, :])
    mean = total / len(bouts)
    return np.linalg.cholesky(mean + 1e-6 * np.eye(6))


def components(vectors: Array, keep: int) -> tuple[Array, Array, Array]:
    """Principal components.

    Returns:
        (keep, size) components times their standard deviation; (vectors, keep) scores, each of variance 1;
        (size,) the standard deviation that is left out.

    ``vectors`` has mean zero and as many activities side by side as fit. Each parameter counts alike, whatever its unit,
    except that gravity's direction counts for more: it alone tells the postures apart.
    """
    scale = vectors.std(axis=0) + 1e-9
    scale.reshape(-1, SIZE)[:, :3] /= 4
    u, s, vt = np.linalg.svd(vectors / scale, full_matrices=False)
    share = np.sum(s[:keep] ** 2) / np.sum(s**2)
    print(f"  {len(vectors)} vectors of {vectors.shape[1]}; {keep} components keep {share:.2f}")
    parts = vt[:keep] * s[:keep, None] / np.sqrt(len(vectors)) * scale
    rest = np.sqrt(np.maximum(vectors.var(axis=0) - np.sum(parts**2, axis=0), 0))
    return parts, u[:, :keep] * np.sqrt(len(vectors)), rest


def vector(bout: Bout) -> Array:
    """One bout's parameters in a row; ``wearer_model.unpack`` is the way back."""
    assert bout.spectra is not None
    amp = np.sqrt(np.real(np.einsum("bcc->bc", bout.spectra)))
    c = bout.harmonics if bout.harmonics is not None else np.zeros((HARMONICS, 6), complex)
    return np.concatenate(
        [bout.direction, [bout.log_stride_hz], np.log(amp + 1e-6).ravel(), c.real.ravel(), c.imag.ravel()]
    )


def fit(data_dir: Path) -> dict[str, Array]:
    """Every array of ``wearer.npz``."""
    bouts, transitions, occasions, offset, gain = read_bouts(data_dir)
    model: dict[str, Array] = {"acc_offset": offset, "acc_gain": gain}
    shared: dict[str, list[Array]] = {"coherence": [], "envelope": []}
    table = np.zeros((occasions, len(BASIC_LABELS), SIZE))
    bout_parts, bout_scores, bout_rest = [], [], []
    for activity, name in enumerate(BASIC_LABELS):
        own = [b for b in bouts if b.activity == activity]
        print(f"{name}: {len(own)} bouts")
        if name in GAITS:
            for key, value in fit_gait(own).items():
                model.setdefault(key, np.zeros((len(GAITS), *np.shape(value))))[activity] = value
        else:
            for bout in own:
                bout.noise = bout.x - bout.x.mean(axis=0)
                bout.spectra = band_spectra(bout.noise)
        shared["coherence"].append(coherence(own))
        energy = np.array([envelope(b.noise) for b in own if b.noise is not None]).mean(axis=0)
        shared["envelope"].append(np.array([np.sqrt(energy[0]), energy[1] / energy[0]]))
        vectors = np.array([vector(b) for b in own])
        occasion = np.array([b.occasion for b in own])
        for o in range(occasions):
            mine = occasion == o
            table[o, activity] = vectors[mine].mean(axis=0) if mine.any() else np.nan
            vectors[mine] -= table[o, activity]
        parts, scores, rest = components(vectors, BOUT_COMPONENTS)
        bout_parts.append(parts)
        bout_scores.append(scores)
        bout_rest.append(rest)
    mean = np.nanmean(table, axis=0)
    deviations = np.nan_to_num(table - mean).reshape(occasions, -1)
    model["mean"] = mean
    parts, scores, rest = components(deviations, OCCASION_COMPONENTS)
    model["occasion_scores"] = scores
    model["occasion_components"] = parts.reshape(-1, *mean.shape)
    model["occasion_rest"] = rest.reshape(mean.shape)
    model["bout_components"] = np.array(bout_parts)
    model["bout_scores"] = np.concatenate(bout_scores)
    model["bout_activity"] = np.repeat(np.arange(len(BASIC_LABELS)), [len(scores) for scores in bout_scores])
    model["bout_rest"] = np.array(bout_rest)
    model["coherence"] = np.array(shared["coherence"])
    model["envelope"] = np.array(shared["envelope"])
    model["transition_amplitude"] = transition_amplitude(transitions)
    return model


def transition_amplitude(transitions: list[Array]) -> Array:
    """(BANDS, 6) noise amplitude while somebody sits down, lies down or gets up, the turn itself taken out."""
    spectra = []
    for x in transitions:
        n = len(x)
        s = np.linspace(-1, 1, n)
        slow = np.vander(s, 6)
        spectra.append(band_spectra(x - slow @ np.linalg.lstsq(slow, x, rcond=None)[0]))
    return np.sqrt(np.real(np.einsum("bcc->bc", np.mean(spectra, axis=0))))


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KINESTREAM_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=MODEL_PATH)
    args = parser.parse_args()
    model = fit(args.data)
    # float16 is ample (the people differ by far more) and keeps the file small.
    narrow = {"c": np.complex64, "f": np.float16, "i": np.int8}
    small = {name: array.astype(narrow[array.dtype.kind]) for name, array in model.items()}
    np.savez_compressed(args.out, **small)
    print(f"{args.out.name}: {args.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
