"""What is known about how people move, and new people drawn from it.

``wearer.npz`` holds, in principal components, how 21 people differ from each other (*occasion*: one person with the
phone put on once) and one person from bout to bout (*bout*: one uninterrupted stretch of an activity). ``Person(seed)``
is a draw over all parameters of all activities at once, so a person who wears the phone askew does so in every
activity, and somebody who strides briskly also climbs briskly. ``benchmarks/fit_wearer.py`` measured the components.

The density drawn from is a kernel estimate whose kernels are so wide that no draw is anybody: a Gaussian alone would
miss that people have two ways of sitting, not a mean one.

Source: HAPT, Reyes-Ortiz et al., Transition-Aware Human Activity Recognition Using Smartphones, Neurocomputing 2016;
its terms forbid commercial use and ask for that citation, which goes for these parameters too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

ACTIVITIES = ("walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "lying")
GAITS = ACTIVITIES[:3]
HARMONICS = 20
"""Multiples of the stride rate that are kept; the stride is about 0.9 Hz, so they reach 18 Hz."""
BAND_EDGES_HZ = (0.0, 0.25, 0.6, 1.0, 2.0, 3.5, 5.0, 7.5, 10.0, 15.0, 20.0, 25.0)
"""Noise is described by its amplitude and coherence in these bands."""
BANDS = len(BAND_EDGES_HZ) - 1
FITTED_HZ = 50.0
"""Rate of the recordings the model was fitted to."""
OCCASION_KERNEL, BOUT_KERNEL = 0.7, 0.5
"""Width of the kernels in standard deviations: 0 would copy a person or a bout, 1 is the Gaussian."""
MODEL_PATH = Path(__file__).with_name("wearer.npz")


@dataclass(frozen=True)
class WearerModel:
    """The arrays of ``wearer.npz``; parameters of one activity lie in a row as ``BoutParameters.unpack`` reads them."""

    acc_offset: NDArray[Any]
    acc_gain: NDArray[Any]
    """(3,) the accelerometer's own errors: it reads gain * truth + offset."""
    mean: NDArray[Any]
    """(activities, parameters) the mean person."""
    occasion_components: NDArray[Any]
    """(components, activities, parameters), each as long as its standard deviation."""
    occasion_scores: NDArray[Any]
    """(occasions, components) where the people lie, each component with variance 1."""
    occasion_rest: NDArray[Any]
    """(activities, parameters) standard deviation the components leave out."""
    bout_components: NDArray[Any]
    """(activities, components, parameters)"""
    bout_scores: NDArray[Any]
    """(bouts, components) of all activities below each other."""
    bout_activity: NDArray[Any]
    """(bouts,) whose activity is which."""
    bout_rest: NDArray[Any]
    """(activities, parameters)"""
    stride_components: NDArray[Any]
    """(gaits, components, 2, HARMONICS, 6) how single strides depart, real and imaginary part."""
    stride_lag1: NDArray[Any]
    """(gaits, components) how much of a departure the next stride keeps."""
    stride_rate_sd: NDArray[Any]
    """(gaits,) of the logarithm of a stride's duration within a bout."""
    coherence: NDArray[Any]
    """(activities, BANDS, 6, 6) complex Cholesky factor of the noise's coherency between channels."""
    envelope: NDArray[Any]
    """(activities, 2) of the noise's log amplitude, second by second: standard deviation and lag-1 correlation."""
    transition_amplitude: NDArray[Any]
    """(BANDS, 6) noise while changing posture."""


@cache
def wearer_model(path: Path = MODEL_PATH) -> WearerModel:
    """The fitted model, read once."""
    with np.load(path, allow_pickle=False) as arrays:
        wide = {name: arrays[name] for name in arrays.files}
    return WearerModel(
        **{name: a.astype(np.complex128 if np.iscomplexobj(a) else np.float64) for name, a in wide.items()}
    )


@dataclass(frozen=True, slots=True)
class BoutParameters:
    """How one bout of one activity looks in the sensor."""

    activity: int
    direction: NDArray[np.float64]
    """(3,) unit vector: which way the accelerometer sees up."""
    stride_hz: float
    """0 where nobody walks."""
    amplitude: NDArray[np.float64]
    """(BANDS, 6) noise: square root of the two-sided power density per sample at ``FITTED_HZ``."""
    harmonics: NDArray[np.complex128]
    """(HARMONICS, 6)"""

    @classmethod
    def unpack(cls, activity: int, row: NDArray[np.float64]) -> BoutParameters:
        """From a row: direction, logarithm of the stride rate, log amplitudes, harmonics' real and imaginary parts."""
        log_amplitude, waves = np.split(row[4:], [BANDS * 6])
        real, imaginary = waves.reshape(2, HARMONICS, 6)
        walks = ACTIVITIES[activity] in GAITS
        return cls(
            activity=activity,
            direction=row[:3] / np.linalg.norm(row[:3]),
            stride_hz=float(np.exp(row[3])) if walks else 0.0,
            amplitude=np.exp(log_amplitude.reshape(BANDS, 6)),
            harmonics=real + 1j * imaginary,
        )


class Person:
    """Somebody who never lived: every seed is another one."""

    def __init__(self, seed: int, model: WearerModel | None = None) -> None:
        self.seed = seed
        self.model = model or wearer_model()
        rng = np.random.default_rng([seed, 0])
        weights = _kernel_draw(self.model.occasion_scores, OCCASION_KERNEL, rng)
        self._rows = self.model.mean + np.tensordot(weights, self.model.occasion_components, 1)
        self._rows = self._rows + rng.standard_normal(self._rows.shape) * self.model.occasion_rest

    def bout(self, activity: int, rng: Generator) -> BoutParameters:
        """How this person does it this time."""
        weights = _kernel_draw(self.model.bout_scores[self.model.bout_activity == activity], BOUT_KERNEL, rng)
        row = self._rows[activity] + weights @ self.model.bout_components[activity]
        return BoutParameters.unpack(activity, row + rng.standard_normal(len(row)) * self.model.bout_rest[activity])


def _kernel_draw(scores: NDArray[np.float64], width: float, rng: Generator) -> NDArray[np.float64]:
    """(components,) near a random row of ``scores``, drawn in towards the mean so that the variance stays 1."""
    near = scores[rng.integers(len(scores))]
    return np.sqrt(1 - width**2) * near + width * rng.standard_normal(len(near))
