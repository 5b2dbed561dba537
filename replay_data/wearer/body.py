"""A statistical model of how people move, and simulated people drawn from it.

``wearer.npz`` holds principal components of the differences between 21 people (*occasion*: one person who put the phone
on once) and of one person between bouts (*bout*: one uninterrupted stretch of an activity). ``Person(seed)`` draws all
parameters of all activities at once, so a person who wears the phone askew does so in every activity, and a person who
walks briskly also climbs briskly. ``benchmarks/fit_wearer.py`` measured the components.

Draws come from a kernel density estimate with kernels wide enough that no draw copies a real person. A single Gaussian
would replace the two distinct ways of sitting by a mean that does not exist.

Source: HAPT, Reyes-Ortiz et al., Transition-Aware Human Activity Recognition Using Smartphones, Neurocomputing 2016;
its terms forbid commercial use and require that citation; both apply to these parameters too.
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
"""Number of modelled multiples of the stride rate; at about 0.9 Hz per stride they reach 18 Hz."""
BAND_EDGES_HZ = (0.0, 0.25, 0.6, 1.0, 2.0, 3.5, 5.0, 7.5, 10.0, 15.0, 20.0, 25.0)
"""Edges of the bands in which the model describes the noise's amplitude and coherence."""
BANDS = len(BAND_EDGES_HZ) - 1
FITTED_HZ = 50.0
"""Sampling rate of the recordings to which the model was fitted."""
OCCASION_KERNEL, BOUT_KERNEL = 0.7, 0.5
"""Kernel width in standard deviations: 0 would copy a person or a bout, 1 gives a Gaussian."""
MODEL_PATH = Path(__file__).with_name("wearer.npz")


@dataclass(frozen=True)
class WearerModel:
    """The arrays of ``wearer.npz``; ``BoutParameters.unpack`` defines the order of one activity's parameters."""

    acc_offset: NDArray[Any]
    """(3,) offset of the accelerometer, which reads gain * acceleration + offset."""
    acc_gain: NDArray[Any]
    """(3,) gain of the accelerometer."""
    mean: NDArray[Any]
    """(activities, parameters) of the mean person."""
    occasion_components: NDArray[Any]
    """(components, activities, parameters), each scaled to its standard deviation."""
    occasion_scores: NDArray[Any]
    """(occasions, components) scores of the people; each component has variance 1."""
    occasion_rest: NDArray[Any]
    """(activities, parameters) standard deviation not covered by the components."""
    bout_components: NDArray[Any]
    """(activities, components, parameters), each scaled to its standard deviation."""
    bout_scores: NDArray[Any]
    """(bouts, components) scores of the bouts of all activities."""
    bout_activity: NDArray[Any]
    """(bouts,) the activity of each bout."""
    bout_rest: NDArray[Any]
    """(activities, parameters) standard deviation not covered by the bout components."""
    stride_components: NDArray[Any]
    """(gaits, components, 2, HARMONICS, 6) deviations of single strides, real and imaginary part."""
    stride_lag1: NDArray[Any]
    """(gaits, components) lag-1 correlation of the deviations from stride to stride."""
    stride_rate_sd: NDArray[Any]
    """(gaits,) standard deviation of the logarithm of the stride duration within a bout."""
    coherence: NDArray[Any]
    """(activities, BANDS, 6, 6) complex Cholesky factor of the noise's coherency between channels."""
    envelope: NDArray[Any]
    """(activities, 2) standard deviation and lag-1 correlation of the noise's log amplitude from second to second."""
    transition_amplitude: NDArray[Any]
    """(BANDS, 6) noise amplitude during a change of posture."""


@cache
def wearer_model(path: Path = MODEL_PATH) -> WearerModel:
    """The fitted model, read once."""
    with np.load(path, allow_pickle=False) as arrays:
        stored = {name: arrays[name] for name in arrays.files}
    return WearerModel(
        **{name: a.astype(np.complex128 if np.iscomplexobj(a) else np.float64) for name, a in stored.items()}
    )


@dataclass(frozen=True, slots=True)
class BoutParameters:
    """Parameters of one bout of one activity, as the sensor sees it."""

    activity: int
    direction: NDArray[np.float64]
    """(3,) unit vector: the direction up in the accelerometer's axes."""
    stride_hz: float
    """Strides per second; 0 for activities without steps."""
    amplitude: NDArray[np.float64]
    """(BANDS, 6) noise: square root of the two-sided power density per sample at ``FITTED_HZ``."""
    harmonics: NDArray[np.complex128]
    """(HARMONICS, 6) complex amplitudes of the mean stride."""

    @classmethod
    def unpack(cls, activity: int, row: NDArray[np.float64]) -> BoutParameters:
        """From a row of direction, log stride rate, log amplitudes, and the harmonics' real and imaginary parts."""
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
    """A simulated person; every seed gives another person.

    >>> import numpy as np
    >>> bout = Person(seed=3).bout(ACTIVITIES.index("walking"), np.random.default_rng(0))
    >>> 0.5 < bout.stride_hz < 1.5
    True
    """

    def __init__(self, seed: int, model: WearerModel | None = None) -> None:
        self.seed = seed
        self.model = model or wearer_model()
        rng = np.random.default_rng([seed, 0])
        weights = _kernel_draw(self.model.occasion_scores, OCCASION_KERNEL, rng)
        self._rows = self.model.mean + np.tensordot(weights, self.model.occasion_components, 1)
        self._rows = self._rows + rng.standard_normal(self._rows.shape) * self.model.occasion_rest

    def bout(self, activity: int, rng: Generator) -> BoutParameters:
        """Draw the parameters of one bout of an activity by this person."""
        weights = _kernel_draw(self.model.bout_scores[self.model.bout_activity == activity], BOUT_KERNEL, rng)
        row = self._rows[activity] + weights @ self.model.bout_components[activity]
        return BoutParameters.unpack(activity, row + rng.standard_normal(len(row)) * self.model.bout_rest[activity])


def _kernel_draw(scores: NDArray[np.float64], width: float, rng: Generator) -> NDArray[np.float64]:
    """(components,) near a random row of ``scores``, shrunk towards the mean so that the variance stays 1."""
    near = scores[rng.integers(len(scores))]
    return np.sqrt(1 - width**2) * near + width * rng.standard_normal(len(near))
