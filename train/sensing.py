"""What a sensor that runs slower, or without its gyroscope, costs a model that was never taught it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kinestream.errors import DataDamaged
from kinestream.signals import GYRO, Sensing
from kinestream.windowing import Segmenter, Sensed

from .data import chunks_of
from .evaluate import probabilities
from .export import from_model, normalised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kinestream.inference.model_file import Model
    from kinestream.replay_data import Dataset, Recording
    from kinestream.signals import Subnet, Window

    Track = Callable[[Sequence[Recording]], Iterable[Recording]]

SLOWER = (1, 2, 4)
"""Parts of the model's own rate that are tried."""


def sensings_of(model: Model) -> tuple[Sensing, ...]:
    """Ways to run a sensor for this model, its own way first."""
    gyro = (True, False) if any(name in GYRO for name in model.input.channels) else (False,)
    return tuple(Sensing(model.input.fs_hz / slower, has) for slower in SLOWER for has in gyro)


def sensing_accuracy(
    model: Model,
    dataset: Dataset,
    validated: Sequence[str],
    subnets: Sequence[Subnet],
    *,
    track: Track = iter,
) -> dict[Sensing, dict[Subnet, float]]:
    """The accuracy of each subnetwork on the windows inside one activity, as a sensor run in each way would bring them.

    Args:
        dataset: labelled recordings, activities called as the model calls them (``data.open_data``).
        validated: people whom the model has not learnt from, and who do not test it.
        track: wraps their recordings, to draw a progress bar.
    Raises:
        InputMismatch: a recording cannot feed the model.
        DataDamaged: no window shows an activity that the model knows.
    """
    net, ways = from_model(model), sensings_of(model)
    right = {way: dict.fromkeys(subnets, 0) for way in ways}
    judged = dict.fromkeys(ways, 0)
    for recording in track(dataset.select(validated)):
        for way in ways:
            windows = _windows(model, recording, way)
            if not windows:
                continue
            truth = np.array([model.labels.index(window.truth or "") for window in windows])
            x = normalised(model, np.stack([window.x for window in windows]))
            judged[way] += len(windows)
            for subnet in subnets:
                right[way][subnet] += int((probabilities(net, x, subnet).argmax(axis=1) == truth).sum())
    if not all(judged.values()):
        raise DataDamaged(f"no window of {dataset.name} shows an activity that {model.name} knows")
    return {
        way: {subnet: round(count / judged[way], 5) for subnet, count in counts.items()}
        for way, counts in right.items()
    }


def _windows(model: Model, recording: Recording, way: Sensing) -> list[Window]:
    """Those inside one activity that the model knows."""
    sensed, segmenter = Sensed(), Segmenter(model.input, any_rate=True)
    sensed.ask(way, -np.inf)
    windows = [
        window for chunk in chunks_of(recording) for part in sensed.push(chunk) for window in segmenter.push(part)
    ]
    windows += segmenter.flush()
    return [window for window in windows if window.truth in model.labels and window.truth_share == 1.0]
