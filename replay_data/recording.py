"""The form every dataset takes: recordings of one person each, loaded one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, overload

import numpy as np

from kinestream.core.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Recording:
    """One person wearing one sensor, from its first sample to its last.

    >>> import numpy as np
    >>> x = np.zeros((100, 3), np.float32)
    >>> walk = Recording("mine", "walk", "anna", 50.0, ("acc_x", "acc_y", "acc_z"), np.arange(100) / 50, x)
    >>> len(walk), float(walk.duration_s), walk.segments
    (100, 2.0, ((0, 100),))

    Raises:
        ValueError: the lengths of ``t``, ``x`` and ``labels`` differ, or ``x`` has other columns than ``channels``.
    """

    dataset: str
    """The dataset it belongs to, e.g. ``hapt``."""
    name: str
    """Unique within the dataset, e.g. ``exp01_user01``."""
    subject: str
    fs_hz: float
    """The nominal rate; ``t`` holds the actual sample times."""
    channels: tuple[str, ...]
    """The name of each column of ``x``; ``kinestream.core.signals.CHANNEL_UNITS`` lists the units."""
    t: NDArray[np.float64]
    """(n,) seconds on the recording's own clock; rises within a segment."""
    x: NDArray[np.float32]
    """(n, channels) SI units: acceleration in m/s^2 with gravity, angular rate in rad/s."""
    labels: NDArray[np.int16] | None = None
    """(n,) codes into ``label_names``, ``UNLABELLED`` where no label was given; None without any labels."""
    label_names: tuple[str, ...] = ()
    segments: tuple[tuple[int, int], ...] = ()
    """Half-open sample ranges within which time and motion are continuous; default: one range over everything."""
    repairs: Mapping[str, int] = field(default_factory=dict)
    """Number of samples or rows skipped or repaired while reading, by kind."""

    def __post_init__(self) -> None:
        n = len(self.t)
        if self.x.shape != (n, len(self.channels)) or (self.labels is not None and len(self.labels) != n):
            raise ValueError(f"{self.name}: {n} times do not fit samples of shape {self.x.shape}")
        if not self.segments and n:
            object.__setattr__(self, "segments", ((0, n),))

    def __len__(self) -> int:
        return len(self.t)

    @property
    def duration_s(self) -> float:
        """Seconds of recorded motion: the sum of the segments' lengths, without the gaps between them."""
        return sum(self.t[stop - 1] - self.t[start] + 1 / self.fs_hz for start, stop in self.segments if stop > start)


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording that is known but not read yet; ``load`` reads it.

    >>> from kinestream.replay_data import simulate
    >>> Entry("monday", subject="7", load=lambda: simulate(1, 10.0)).load().fs_hz
    50.0
    """

    name: str
    subject: str
    load: Callable[[], Recording] = field(repr=False, compare=False)


class Dataset(Sequence[Recording]):
    """The recordings of one dataset: counting and selecting are cheap, ``dataset[i]`` reads the file on every call.

    >>> import numpy as np
    >>> def load() -> Recording:
    ...     return Recording("mine", "walk", "anna", 50.0, ("acc_x",), np.arange(2) / 50, np.zeros((2, 1), np.float32))
    >>> dataset = Dataset("mine", ("walking",), [Entry("walk", "anna", load)])
    >>> dataset, len(dataset[0])
    (<Dataset mine: 1 recordings of 1 people>, 2)
    """

    def __init__(
        self, name: str, label_names: tuple[str, ...], entries: Iterable[Entry], notices: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.label_names = label_names
        self.notices = notices
        """Assumptions made while reading, one line each."""
        self.entries = tuple(entries)

    def __repr__(self) -> str:
        return f"<Dataset {self.name}: {len(self)} recordings of {len(self.subjects)} people>"

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Recording: ...

    @overload
    def __getitem__(self, index: slice) -> Dataset: ...

    def __getitem__(self, index: int | slice) -> Recording | Dataset:
        if isinstance(index, slice):
            return Dataset(self.name, self.label_names, self.entries[index], self.notices)
        return self.entries[index].load()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Each subject once, in the order of the recordings."""
        return tuple(dict.fromkeys(entry.subject for entry in self.entries))

    def select(self, subjects: Iterable[str]) -> Dataset:
        """The recordings of these subjects only, in the dataset's order.

        Raises:
            ConfigError: the dataset has no subject of that name.
        """
        wanted = {str(subject) for subject in subjects}
        unknown = sorted(wanted.difference(self.subjects))
        if unknown:
            raise ConfigError(f"no subject {', '.join(unknown)} in {self.name}; there are {', '.join(self.subjects)}")
        chosen = (entry for entry in self.entries if entry.subject in wanted)
        return Dataset(self.name, self.label_names, chosen, self.notices)


def split_where(breaks: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Half-open ranges that cut n samples wherever ``breaks`` (n - 1,) is true: between i and i + 1.

    >>> import numpy as np
    >>> split_where(np.array([False, True, False]))
    ((0, 2), (2, 4))
    """
    cuts = np.flatnonzero(breaks) + 1
    edges = [0, *cuts.tolist(), len(breaks) + 1]
    return tuple(pairwise(edges))
