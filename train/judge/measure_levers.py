"""What a slower sensor, no gyroscope and longer hops cost a model that was never taught them."""

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
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from kinestream.core.signals import Subnet
    from kinestream.inference.model_file import Model
    from kinestream.replay_data import Dataset, Recording

    Track = Callable[[Sequence[Recording]], Iterable[Recording]]

SLOWER = (1, 2, 4)
"""Parts of the model's own rate that are tried."""
HOPS = (1, 2, 3, 4, 6, 8)
"""How many windows one prediction may have to serve."""


def sensings_of(model: Model) -> tuple[Sensing, ...]:
    """Ways to run a sensor for this model, its own way first."""
    gyro = (True, False) if any(name in GYRO for name in model.input.channels) else (False,)
    return tuple(Sensing(model.input.fs_hz / slower, has) for slower in SLOWER for has in gyro)


def lever_accuracy(
    model: Model,
    dataset: Dataset,
    validated: Sequence[str],
    subnets: Sequence[Subnet],
    *,
    track: Track = iter,
) -> Levers:
    """The accuracy of each subnetwork on the windows inside one activity, as each lever would have it.

    Args:
        dataset: labelled recordings, activities called as the model calls them (``data.open_data``).
        validated: people whom the model has not learnt from, and who do not test it.
        track: wraps their recordings, to draw a progress bar.
    Returns:
        By way to run the sensor, a way in which too few samples are left for a window missing; and by hop, every window
        judged by the last that was predicted.
    Raises:
        InputMismatch: a recording cannot feed the model.
        DataDamaged: no window shows an activity that the model knows.
    """
    net, ways = from_model(model), sensings_of(model)
    sensed, held = {way: _Tally(subnets) for way in ways}, {hop: _Tally(subnets) for hop in HOPS}
    for recording in track(dataset.select(validated)):
        for way in ways:
            windows = windows_of(model.input, chunks_of(recording), way)
            if not windows:
                continue
            x = normalised(model, np.stack([window.x for window in windows]))
            known = {label: code for code, label in enumerate(model.labels)}
            truth = np.array([known.get(w.truth or "", -1) if w.truth_share == 1.0 else -1 for w in windows])
            index = np.array([window.index for window in windows])
            for subnet in subnets:
                said = probabilities(net, x, subnet).argmax(axis=1)
                sensed[way].add(subnet, said, truth)
                for hop in HOPS if way == ways[0] else ():
                    # Windows of one session follow one another, so the one asked last lies index % hop before.
                    held[hop].add(subnet, said[np.arange(len(said)) - index % hop], truth)
    if not sensed[ways[0]].judged:
        raise DataDamaged(f"no window of {dataset.name} shows an activity that {model.name} knows")
    return Levers(
        {way: tally.accuracy() for way, tally in sensed.items() if tally.judged},
        {hop: tally.accuracy() for hop, tally in held.items()},
    )


class _Tally:
    """Right windows of each subnetwork, and how many were judged."""

    def __init__(self, subnets: Sequence[Subnet]) -> None:
        self.right = dict.fromkeys(subnets, 0)
        self.judged = 0

    def add(self, subnet: Subnet, said: NDArray[np.int64], truth: NDArray[np.int64]) -> None:
        """``truth`` below 0: nobody can judge."""
        self.right[subnet] += int((said == truth).sum())
        if subnet == next(iter(self.right)):
            self.judged += int((truth >= 0).sum())

    def accuracy(self) -> dict[Subnet, float]:
        return {subnet: round(count / self.judged, 5) for subnet, count in self.right.items()}
