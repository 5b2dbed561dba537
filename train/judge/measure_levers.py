"""The accuracy of a trained model with a slower sensor, without gyroscope, and with longer hops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import GYRO, Sensing
from kinestream.inference.lever_accuracy import Levers
from kinestream.windowing import windows_of

from ..data.windows import chunks_of
from ..network.export import from_model, normalised
from .evaluate import probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kinestream.core.signals import Subnet
    from kinestream.inference.model_file import Model
    from kinestream.replay_data import Dataset

    from ..data.windows import Track

SLOWER = (1, 2, 4)
"""Divisors of the model's own rate to measure."""
HOPS = (1, 2, 3, 4, 6, 8)
"""Numbers of windows per prediction to measure."""


def sensings_of(model: Model) -> tuple[Sensing, ...]:
    """Sensor settings to measure for this model, its own first."""
    gyro = (True, False) if any(name in GYRO for name in model.input.channels) else (False,)
    return tuple(Sensing(model.input.fs_hz / divisor, has_gyro) for divisor in SLOWER for has_gyro in gyro)


def measure_levers(
    model: Model,
    dataset: Dataset,
    validated: Sequence[str],
    subnets: Sequence[Subnet],
    *,
    track: Track = iter,
) -> Levers:
    """The accuracy of each subnetwork under each lever, on windows within one activity.

    Args:
        dataset: labelled recordings with the model's names of activities (``open_data``).
        validated: people the model was not trained on and is not tested on.
        track: wraps their recordings, to draw a progress bar.
    Returns:
        Accuracy by sensor setting, without settings that leave too few samples for a window; and accuracy by hop, where
        each window is judged by the latest prediction.
    Raises:
        InputMismatch: a recording does not have the model's input.
        DataDamaged: no window shows an activity that the model knows.
    """
    net, settings = from_model(model), sensings_of(model)
    by_sensing = {sensing: _Tally(subnets) for sensing in settings}
    by_hop = {hop: _Tally(subnets) for hop in HOPS}
    code_of = {label: code for code, label in enumerate(model.labels)}
    for recording in track(dataset.select(validated)):
        for sensing in settings:
            windows = windows_of(model.input, chunks_of(recording), sensing)
            if not windows:
                continue
            x = normalised(model, np.stack([window.x for window in windows]))
            labels = np.array([code_of.get(w.truth or "", -1) if w.truth_share == 1.0 else -1 for w in windows])
            index = np.array([window.index for window in windows])
            for subnet in subnets:
                predicted = probabilities(net, x, subnet).argmax(axis=1)
                by_sensing[sensing].add(subnet, predicted, labels)
                for hop in HOPS if sensing == settings[0] else ():
                    # Windows of an epoch are consecutive: the latest predicted one lies index % hop before.
                    by_hop[hop].add(subnet, predicted[np.arange(len(predicted)) - index % hop], labels)
    if not by_sensing[settings[0]].labelled:
        raise DataDamaged(
            f"no window of {dataset.name} shows an activity that {model.name} knows; "
            f"label some with {', '.join(model.labels)}"
        )
    return Levers(
        {sensing: tally.accuracy() for sensing, tally in by_sensing.items() if tally.labelled},
        {hop: tally.accuracy() for hop, tally in by_hop.items()},
    )


class _Tally:
    """Number of correct windows of each subnetwork, and number of labelled windows."""

    def __init__(self, subnets: Sequence[Subnet]) -> None:
        self.correct = dict.fromkeys(subnets, 0)
        self.labelled = 0

    def add(self, subnet: Subnet, predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> None:
        """Count windows; a label below 0 means unlabelled."""
        self.correct[subnet] += int((predicted == labels).sum())
        if subnet == next(iter(self.correct)):
            self.labelled += int((labels >= 0).sum())

    def accuracy(self) -> dict[Subnet, float]:
        return {subnet: round(count / self.labelled, 5) for subnet, count in self.correct.items()}
