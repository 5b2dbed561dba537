"""What every dataset is turned into: recordings of one person, loaded one at a time."""

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
    """One person wearing one sensor, from its first sample to its last."""

    dataset: str
    """Which dataset it belongs to, e.g. ``hapt``."""
    name: str
    """Unique within the dataset, e.g. ``exp01_user01``."""
    subject: str
    fs_hz: float
    """The nominal rate; ``t`` says when each sample was really taken."""
    channels: tuple[str, ...]
    """The name of each column of ``x``; ``kinestream.core.signals.CHANNEL_UNITS`` has the units."""
    t: NDArray[np.float64]
    """(n,) seconds on the recording's own clock; rises within a segment."""
    x: NDArray[np.float32]
    """(n, channels) SI units: acceleration in m/s^2 with gravity, angular rate in rad/s."""
    labels: NDArray[np.int16] | None = None
    """(n,) codes into ``label_names``, ``UNLABELLED`` where nobody labelled; None: no labels at all."""
    label_names: tuple[str, ...] = ()
    segments: tuple[tuple[int, int], ...] = ()
    """Half-open sample ranges within which time and motion are continuous; default: the whole."""
    repairs: Mapping[str, int] = field(default_factory=dict)
    """What was skipped or repaired while reading, by kind."""

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
        """Seconds of motion recorded: the segments' lengths added up, the holes between them left out."""
        return sum(self.t[stop - 1] - self.t[start] + 1 / self.fs_hz for start, stop in self.segments if stop > start)


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording that is known but not read yet."""

    name: str
    subject: str
    load: Callable[[], Recording] = field(repr=False, compare=False)


class Dataset(Sequence[Recording]):
    """The recordings of one dataset: counting and choosing is cheap, ``dataset[i]`` reads the file, each time anew."""

    def __init__(
        self, name: str, label_names: tuple[str, ...], entries: Iterable[Entry], notices: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.label_names = label_names
        self.notices = notices
        """What was taken for granted while reading, a line each."""
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
        """Each person once, in the order of the recordings."""
        return tuple(dict.fromkeys(entry.subject for entry in self.entries))

    def select(self, subjects: Iterable[str]) -> Dataset:
        """The recordings of these people only, in the dataset's order.

        Raises:
            ConfigError: nobody of that name is in the dataset.
        """
        wanted = {str(subject) for subject in subjects}
        unknown = sorted(wanted.difference(self.subjects))
        if unknown:
            raise ConfigError(f"no subject {', '.join(unknown)} in {self.name}; there are {', '.join(self.subjects)}")
        chosen = (entry for entry in self.entries if entry.subject in wanted)
        return Dataset(self.name, self.label_names, chosen, self.notices)


def split_where(breaks: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Half-open ranges that cut n samples wherever ``breaks`` (n - 1,) says that i and i + 1 do not belong together."""
    cuts = np.flatnonzero(breaks) + 1
    edges = [0, *cuts.tolist(), len(breaks) + 1]
    return tuple(pairwise(edges))
