"""Fits the built-in wearer to the 21 training people of HAPT and writes ``replay_data/wearer/wearer.npz``.

    python benchmarks/fit_wearer.py --data ../shared/data

An *occasion* is one person with the phone put on once (HAPT has two for each person), a *bout* one labelled stretch of
one activity. For every bout the script measures the mean direction of gravity, the step rate, the stride's harmonics
in all six channels and the noise left over, by frequency band. Occasions and bouts become principal components, from
which ``kinestream.replay_data.wearer.wearer.body`` draws new people. The nine official test subjects are never read.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from gait_analysis import Array, Bout, amplitudes, band_spectra, fit_gait
from scipy.optimize import least_squares

from kinestream.core.signals import STANDARD_GRAVITY
from kinestream.replay_data import open_dataset
from kinestream.replay_data.datasets.hapt import OFFICIAL_TEST_SUBJECTS
from kinestream.replay_data.wearer.body import ACTIVITIES, BANDS, FITTED_HZ, GAITS, HARMONICS, MODEL_PATH

SHORTEST_BOUT, SHORTEST_TRANSITION = 200, 50
"""Samples; shorter ones are left out."""
OCCASION_COMPONENTS = 30
BOUT_COMPONENTS = 10
SIZE = 4 + BANDS * 6 + 2 * HARMONICS * 6
"""Parameters of one activity."""


def static_calibration(means: Array) -> tuple[Array, Array]:
    """The phone's offset (3,) in m/s^2 and gain (3,), from its readings at rest.

    All readings at rest must have the length of gravity: the classic multi-position calibration. Not every position
    occurs (people do not lie upside down), so a mild preference for no error settles what the data leave open.
    """

    def residual(p: Array) -> Array:
        length = np.linalg.norm((means - p[:3]) / p[3:], axis=1) / STANDARD_GRAVITY - 1
        return np.r_[length, 0.03 * p[:3], 0.3 * (p[3:] - 1)]

    p = least_squares(residual, np.r_[np.zeros(3), np.ones(3)], loss="soft_l1", f_scale=0.01).x
    return p[:3], p[3:]


def read_bouts(data_dir: Path) -> tuple[list[Bout], list[Array], dict[str, Array]]:
    """The bouts and postural transitions of the training people, and the phone's own errors, which are taken out."""
    dataset = open_dataset("hapt", data_dir)
    dataset = dataset.select(s for s in dataset.subjects if s not in OFFICIAL_TEST_SUBJECTS)
    stretches: list[tuple[int, int, Array]] = []
    for occasion, recording in enumerate(dataset):
        assert recording.labels is not None
        for rows in np.split(np.arange(len(recording)), np.flatnonzero(np.diff(recording.labels)) + 1):
            label = int(recording.labels[rows[0]])
            shortest = SHORTEST_BOUT if label < len(ACTIVITIES) else SHORTEST_TRANSITION
            if label >= 0 and len(rows) > shortest:
                stretches.append((occasion, label, recording.x[rows].astype(np.float64)))
    still = range(len(GAITS), len(ACTIVITIES))
    offset, gain = static_calibration(np.array([x[:, :3].mean(axis=0) for _, label, x in stretches if label in still]))
    bouts: list[Bout] = []
    transitions: list[Array] = []
    for occasion, label, x in stretches:
        x[:, :3] = (x[:, :3] - offset) / gain
        if label >= len(ACTIVITIES):
            transitions.append(x)
        else:
            mean = x[:, :3].mean(axis=0)
            bouts.append(Bout(occasion, label, x, mean / np.linalg.norm(mean)))
    return bouts, transitions, {"acc_offset": offset, "acc_gain": gain}


def coherence(bouts: Sequence[Bout]) -> Array:
    """(BANDS, 6, 6) complex lower Cholesky factor of the mean coherency between channels."""
    total = np.zeros((BANDS, 6, 6), complex)
    for bout in bouts:
        spectra = bout.spectra
        amplitude = amplitudes(spectra)
        total += spectra / (amplitude[:, :, None] * amplitude[:, None, :])
    return np.linalg.cholesky(total / len(bouts) + 1e-6 * np.eye(6))


def envelope(bouts: Sequence[Bout]) -> Array:
    """(2,) the noise's log amplitude from second to second within a bout: standard deviation and lag-1 correlation."""
    second = round(FITTED_HZ)
    products = []
    for bout in bouts:
        seconds = len(bout.noise) // second
        fast = np.diff(bout.noise[: seconds * second], axis=0, prepend=bout.noise[:1])
        power = np.mean((fast**2).reshape(seconds, second, 6), axis=1)
        level = np.log(np.sqrt(power) + 1e-9).mean(axis=1)
        level -= level.mean()
        products.append((np.mean(level**2), np.mean(level[1:] * level[:-1])))
    variance, lagged = np.mean(products, axis=0)
    return np.array([np.sqrt(variance), lagged / variance])


def components(vectors: Array, keep: int) -> tuple[Array, Array, Array]:
    """Principal components.

    Args:
        vectors: of mean zero, with the parameters of one or more activities side by side. Each counts alike, whatever
            its unit, except that gravity's direction counts for more: it alone distinguishes the postures.
    Returns:
        (keep, size) components times their standard deviation; (vectors, keep) scores, each of variance 1;
        (size,) the standard deviation that is left out.
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
    """(SIZE,) one bout's parameters; ``BoutParameters.unpack`` is the inverse."""
    log_amplitude = np.log(amplitudes(bout.spectra) + 1e-6)
    waves = (bout.harmonics.real, bout.harmonics.imag)
    return np.concatenate([bout.direction, [bout.log_stride_hz], log_amplitude.ravel(), *map(np.ravel, waves)])


def fit(data_dir: Path) -> dict[str, Array]:
    """Every array of ``wearer.npz``."""
    bouts, transitions, model = read_bouts(data_dir)
    rows: dict[str, list[Array]] = {}
    means: list[Array] = []
    for activity, name in enumerate(ACTIVITIES):
        own = [bout for bout in bouts if bout.activity == activity]
        print(f"{name}: {len(own)} bouts")
        fitted: dict[str, Array] = {}
        if name in GAITS:
            fitted = fit_gait(own)
        else:
            for bout in own:
                bout.noise = bout.x - bout.x.mean(axis=0)
        fitted |= {"coherence": coherence(own), "envelope": envelope(own)}
        vectors, occasion = np.array([vector(bout) for bout in own]), np.array([bout.occasion for bout in own])
        per_occasion = np.array(
            [vectors[occasion == o].mean(axis=0) for o in range(1 + max(b.occasion for b in bouts))]
        )
        means.append(per_occasion)
        fitted["bout_components"], fitted["bout_scores"], fitted["bout_rest"] = components(
            vectors - per_occasion[occasion], BOUT_COMPONENTS
        )
        fitted["bout_activity"] = np.full(len(own), activity)
        for key, value in fitted.items():
            rows.setdefault(key, []).append(value)
    for key, values in rows.items():
        below = key in ("bout_scores", "bout_activity")  # as many rows as bouts
        model[key] = np.concatenate(values) if below else np.array(values)
    table = np.stack(means, axis=1)  # (occasions, activities, parameters)
    model["mean"] = table.mean(axis=0)
    parts, model["occasion_scores"], rest = components(
        (table - model["mean"]).reshape(len(table), -1), OCCASION_COMPONENTS
    )
    model["occasion_components"] = parts.reshape(-1, *model["mean"].shape)
    model["occasion_rest"] = rest.reshape(model["mean"].shape)
    model["transition_amplitude"] = transition_amplitude(transitions)
    return model


def transition_amplitude(transitions: Sequence[Array]) -> Array:
    """(BANDS, 6) noise amplitude while a person sits down, lies down or gets up, without the turn itself."""
    spectra = []
    for x in transitions:
        slow = np.vander(np.linspace(-1, 1, len(x)), 6)
        spectra.append(band_spectra(x - slow @ np.linalg.lstsq(slow, x, rcond=None)[0]))
    return amplitudes(np.mean(spectra, axis=0))


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KINESTREAM_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=MODEL_PATH)
    args = parser.parse_args()
    # float16 is ample (people differ by far more) and keeps the file small.
    narrow = {"c": np.complex64, "f": np.float16, "i": np.int8}
    arrays = {name: array.astype(narrow[array.dtype.kind]) for name, array in fit(args.data).items()}
    np.savez_compressed(args.out, allow_pickle=False, **arrays)
    print(f"{args.out.name}: {args.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
