"""A network's answers for people of a dataset it never saw: the material from which its reliability is learnt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from kinestream.core.activities import shown_as
from kinestream.core.errors import ConfigError
from kinestream.core.signals import Subnet
from kinestream.inference.engine import Engine
from kinestream.interpret.movement import Movement
from kinestream.windowing import Segmenter

from ..data.windows import chunks_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from kinestream.core.signals import Window
    from kinestream.inference.model_file import Model
    from kinestream.replay_data import Dataset, Recording

    from ..data.windows import Track

MOST_WINDOWS = 6000
"""Of a larger dataset, so many windows are taken, evenly spaced: a handful of numbers is learnt from them."""
NEVER_TAUGHT = -1
OTHER = "other"
"""A class of this name is right about activities that a model was never taught."""
UNDECIDED = -2
"""The label of windows that are left out: their activity names several classes at once, or the recipe leaves it out."""


@dataclass(frozen=True)
class Unseen:
    """Windows of people whom a network never saw, what they show, and its answers."""

    source: str
    """The dataset, for messages."""
    at_home: bool
    """Whether the network was trained on other people of the same dataset."""
    labels: NDArray[np.int64]
    """(n,) indices into the model's labels, ``NEVER_TAUGHT`` for an activity it does not know."""
    activities: tuple[str, ...]
    """(n,) as the dataset names them."""
    movement: NDArray[np.float64]
    """(n, 8) ``Movement`` of each window."""
    probs: Mapping[float, tuple[NDArray[np.float32], ...]]
    """By width: (n, classes) at the lowest and at the highest resolution; empty where only the movement matters."""

    def __len__(self) -> int:
        return len(self.labels)


def unseen(
    model: Model,
    dataset: Dataset,
    people: Sequence[str],
    *,
    source: str,
    at_home: bool = False,
    turned: bool = False,
    answers: bool = True,
    names: Mapping[str, str] | None = None,
    track: Track = iter,
) -> Unseen:
    """The windows of these people as they are cut in live operation, and the network's answers.

    Windows that most samples of one activity do not fill are left out.

    Args:
        model: a network that never saw these people.
        source: the dataset's name, for messages.
        at_home: whether it saw other people of the dataset.
        turned: turn the sensor of each recording at random, the same way in every call.
        answers: whether to run the network; without, only labels and movement are read.
        names: the class of each activity that the recipe renames.
        track: wraps the recordings, to draw a progress bar.
    Raises:
        InputMismatch: a recording does not have the model's input.
        ConfigError: the model's windows have no acceleration along three axes.
    """
    movement = Movement(model.input.channels, model.input.fs_hz)
    if not movement.can_read:
        raise ConfigError(
            f"{model.name} reads {', '.join(model.input.channels)}; its reliability needs acceleration along 3 axes"
        )
    xs: list[NDArray[np.float32]] = []
    activities: list[str] = []
    for recording in track(dataset.select(people)):
        segmenter = Segmenter(model.input)
        shown = _turned(recording) if turned else recording
        windows: list[Window] = [window for chunk in chunks_of(shown) for window in segmenter.push(chunk)]
        for window in [*windows, *segmenter.flush()]:
            if window.truth is not None and window.truth_share > 0.5:
                xs.append(window.x)
                activities.append(window.truth)
    classes = {name: class_of((names or {}).get(name, name), model.labels) for name in dict.fromkeys(activities)}
    usable = np.array([i for i, name in enumerate(activities) if classes[name] != UNDECIDED], np.int64)
    if len(usable) > MOST_WINDOWS:
        usable = usable[np.linspace(0, len(usable) - 1, MOST_WINDOWS).round().astype(int)]
    x = np.stack([xs[i] for i in usable]) if len(usable) else np.empty((0, *_shape(model)), np.float32)
    engine = Engine(model, max_sessions=1)
    ends = dict.fromkeys((model.resolutions[0], model.resolutions[-1]))
    return Unseen(
        source=source,
        at_home=at_home,
        labels=np.array([classes[activities[i]] for i in usable], np.int64),
        activities=tuple(activities[i] for i in usable),
        movement=movement.of(x),
        probs={width: tuple(engine.predict_batch(x, Subnet(width, r)) for r in ends) for width in model.widths}
        if answers
        else {},
    )


def class_of(activity: str, labels: Sequence[str]) -> int:
    """The index of the class that shows an activity, ``NEVER_TAUGHT`` or ``UNDECIDED``.

    >>> [class_of(name, ("walking", "stairs")) for name in ("walking", "walking_upstairs", "jumping")]
    [0, 1, -1]
    >>> class_of("stairs", ("walking_upstairs", "walking_downstairs")), class_of("", ("walking",))
    (-2, -2)
    """
    if not activity:  # the recipe leaves the activity of this dataset out
        return UNDECIDED
    if known := shown_as(activity, labels):
        return labels.index(known[0]) if len(known) == 1 else UNDECIDED
    return NEVER_TAUGHT


def _shape(model: Model) -> tuple[int, int]:
    return model.input.length, len(model.input.channels)


def _turned(recording: Recording) -> Recording:
    """The recording as if its sensor had been worn another way round, by its name."""
    q, r = np.linalg.qr(np.random.default_rng(crc32(recording.name.encode())).normal(size=(3, 3)))
    turn = q * np.sign(np.diag(r))
    turn[:, 0] *= np.sign(np.linalg.det(turn))
    x = recording.x.copy()
    kinds = dict.fromkeys(name.rsplit("_", 1)[0] for name in recording.channels if name[-2:] in ("_x", "_y", "_z"))
    for kind in kinds:
        columns = [recording.channels.index(f"{kind}_{axis}") for axis in "xyz"]
        x[:, columns] = x[:, columns] @ turn.T.astype(np.float32)
    return replace(recording, x=x)
