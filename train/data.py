"""Windows to learn from and to be judged by: no person is in two of the three parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kinestream.errors import ConfigError, DataDamaged
from kinestream.signals import SampleChunk
from kinestream.windowing import training_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.replay_data import Dataset, Recording

    from .recipe import Data, Recipe


@dataclass(frozen=True, slots=True)
class Windows:
    """Labelled windows of some people, as the live pipeline would have cut and filtered them."""

    x: NDArray[np.float32]
    """(n, length, columns) SI units."""
    labels: NDArray[np.int64]
    """(n,) indices into the recipe's labels."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Windows of activities the recipe does not name, by activity."""
    repairs: Mapping[str, int] = field(default_factory=dict)
    """What was skipped or repaired while reading the recordings, by kind."""

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class Split:
    """Who belongs to which part, in the dataset's order."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def split_subjects(subjects: Sequence[str], data: Data) -> Split:
    """Part the people of a dataset: test first (named or drawn), then validation out of those left.

    Raises:
        ConfigError: a test subject is not in the dataset, or too few people are left to train on.
    """
    rng = np.random.default_rng(data.split_seed)
    if unknown := [subject for subject in data.test_subjects if subject not in subjects]:
        raise ConfigError(f"test subject {unknown[0]} is not in {data.dataset}; it has {', '.join(subjects)}")
    test = set(data.test_subjects)
    if not test:
        test = set(rng.permutation(subjects)[: max(1, round(data.test_share * len(subjects)))].tolist())
    rest = [subject for subject in subjects if subject not in test]
    if len(rest) <= data.validation_subjects:
        raise ConfigError(
            f"{data.dataset} has {len(rest)} people beside the test subjects; "
            f"{data.validation_subjects} are wanted for validation and at least one for training"
        )
    validation = set(rng.permutation(rest)[: data.validation_subjects].tolist())

    def ordered(part: set[str]) -> tuple[str, ...]:
        return tuple(subject for subject in subjects if subject in part)

    return Split(ordered(set(rest) - validation), ordered(validation), ordered(test))


def load_windows(
    dataset: Dataset,
    recipe: Recipe,
    subjects: Sequence[str],
    *,
    hop: int | None = None,
    track: Callable[[Sequence[Recording]], Iterable[Recording]] = iter,
) -> Windows:
    """The windows of these people, each inside one labelled activity, through the live windowing code.

    Args:
        hop: samples between windows; the recipe's input hop by default.
        track: wraps the recordings as they are read, to draw a progress bar.
    Raises:
        InputMismatch: the dataset lacks a channel the network needs.
        DataDamaged: a class of the recipe has no window.
    """
    names = recipe.data.labels
    xs: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.int64]] = []
    left_out: Counter[str] = Counter()
    repairs: Counter[str] = Counter()
    for recording in track(dataset.select(subjects)):
        found = training_windows(recipe.input, _chunks(recording), hop=hop)
        code_of = np.array([names.index(n) if n in names else -1 for n in found.label_names] or [-1])
        codes = code_of[found.labels]
        left_out.update(found.label_names[code] for code in found.labels[codes < 0])
        repairs.update(recording.repairs)
        xs.append(found.x[codes >= 0])
        labels.append(codes[codes >= 0])
    windows = Windows(np.concatenate(xs), np.concatenate(labels), dict(left_out), dict(repairs))
    counts = np.bincount(windows.labels, minlength=len(names))
    if not counts.all():
        raise DataDamaged(
            f"class '{names[int(np.argmin(counts))]}' has no window of {recipe.input.length} samples among "
            f"subjects {', '.join(subjects)} of {dataset.name}; choose other subjects or labels"
        )
    return windows


def _chunks(recording: Recording) -> Iterator[SampleChunk]:
    """Each continuous segment of a recording as one chunk and one session."""
    for number, (start, stop) in enumerate(recording.segments):
        part = slice(start, stop)
        yield SampleChunk(
            stream=recording.name,
            session=f"{recording.name}/{number}",
            t=recording.t[part],
            x=recording.x[part],
            channels=recording.channels,
            fs_hz=recording.fs_hz,
            seq=0,
            received_s=float(recording.t[stop - 1]),
            labels=None if recording.labels is None else recording.labels[part],
            label_names=recording.label_names,
        )
