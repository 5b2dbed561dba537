"""Windows to learn from and to be judged by: no person is in two of the three parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from kinestream.errors import ConfigError, DataDamaged
from kinestream.replay_data import Dataset, Entry, Recording, open_dataset
from kinestream.signals import SampleChunk
from kinestream.windowing import training_windows

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

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
    subjects: tuple[str, ...] = ()
    """(n,) whose each window is; empty where nobody asks."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, chosen: NDArray[np.intp]) -> Windows:
        """Some of the windows; what was left out and repaired is told of all."""
        subjects = tuple(self.subjects[i] for i in chosen) if self.subjects else ()
        return replace(self, x=self.x[chosen], labels=self.labels[chosen], subjects=subjects)


@dataclass(frozen=True, slots=True)
class Split:
    """Who belongs to which part, in the dataset's order."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def open_data(data: Data, data_dir: Path | None = None) -> Dataset:
    """The recipe's dataset, or several as one, each activity called by the class it belongs to.

    The people and recordings of several datasets are called by their dataset too (``hapt/1``), so that nobody is
    taken for somebody else who bears the same number.

    Raises:
        KinestreamError: as ``open_dataset``.
        ConfigError: the label map names an activity that a dataset does not have.
    """
    opened = [(name, open_dataset(name, data_dir)) for name in data.datasets]
    several = len(opened) > 1
    entries: list[Entry] = []
    for name, dataset in opened:
        classes = data.label_map.get(name, {})
        if unknown := [label for label in classes if label not in dataset.label_names]:
            raise ConfigError(
                f"label_map.{name} names '{unknown[0]}'; the dataset has {', '.join(dataset.label_names)}"
            )
        prefix = f"{name}/" if several else ""
        for entry in dataset.entries:
            load = partial(_renamed, entry, prefix, classes)
            entries.append(Entry(prefix + entry.name, prefix + entry.subject, load))
    names = (data.label_map.get(name, {}).get(label, label) for name, part in opened for label in part.label_names)
    return Dataset(" + ".join(part.name for _, part in opened), tuple(dict.fromkeys(names)), entries)


def _renamed(entry: Entry, prefix: str, classes: Mapping[str, str]) -> Recording:
    """The recording with its labels' names replaced; two codes may then bear one name."""
    recording = entry.load()
    return replace(
        recording,
        name=prefix + recording.name,
        subject=prefix + recording.subject,
        label_names=tuple(classes.get(name, name) for name in recording.label_names),
    )


def split_subjects(subjects: Sequence[str], data: Data) -> Split:
    """Part the people of each dataset: test first (named or drawn), then validation out of those left.

    Raises:
        ConfigError: a test subject is not in the dataset, or too few people are left to train on.
    """
    rng = np.random.default_rng(data.split_seed)
    if unknown := [subject for subject in data.test_subjects if subject not in subjects]:
        raise ConfigError(f"test subject {unknown[0]} is not in {data.dataset}; it has {', '.join(subjects)}")
    test: set[str] = set()
    validation: set[str] = set()
    for name in data.datasets:
        own = [one for one in subjects if len(data.datasets) == 1 or one.startswith(f"{name}/")]
        drawn = {one for one in data.test_subjects if one in own}
        if not drawn:
            drawn = set(rng.permutation(own)[: max(1, round(data.test_share * len(own)))].tolist())
        rest = [one for one in own if one not in drawn]
        if len(rest) <= data.validation_subjects:
            raise ConfigError(
                f"{name} has {len(rest)} people beside the test subjects; "
                f"{data.validation_subjects} are wanted for validation and at least one for training"
            )
        test |= drawn
        validation |= set(rng.permutation(rest)[: data.validation_subjects].tolist())

    def ordered(part: set[str]) -> tuple[str, ...]:
        return tuple(subject for subject in subjects if subject in part)

    return Split(ordered(set(subjects) - test - validation), ordered(validation), ordered(test))


def load_windows(
    dataset: Dataset,
    recipe: Recipe,
    subjects: Sequence[str],
    *,
    hop: int | None = None,
    every_class: bool = True,
    track: Callable[[Sequence[Recording]], Iterable[Recording]] = iter,
) -> Windows:
    """The windows of these people, each inside one labelled activity, through the live windowing code.

    Args:
        hop: samples between windows; the recipe's input hop by default.
        every_class: whether a class without a window is an error; a few test people may well never show a rare one.
        track: wraps the recordings as they are read, to draw a progress bar.
    Raises:
        InputMismatch: the dataset lacks a channel the network needs.
        DataDamaged: a class of the recipe has no window, or there is no window at all.
    """
    names = recipe.data.labels
    xs: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.int64]] = []
    left_out: Counter[str] = Counter()
    repairs: Counter[str] = Counter()
    people: list[str] = []
    for recording in track(dataset.select(subjects)):
        found = training_windows(recipe.input, chunks_of(recording), hop=hop)
        code_of = np.array([names.index(n) if n in names else -1 for n in found.label_names] or [-1])
        codes = code_of[found.labels]
        left_out.update(found.label_names[code] for code in found.labels[codes < 0])
        repairs.update(recording.repairs)
        xs.append(found.x[codes >= 0])
        labels.append(codes[codes >= 0])
        people += [recording.subject] * len(labels[-1])
    windows = Windows(np.concatenate(xs), np.concatenate(labels), dict(left_out), dict(repairs), tuple(people))
    counts = np.bincount(windows.labels, minlength=len(names))
    if not counts.all() and (every_class or not counts.any()):
        raise DataDamaged(
            f"class '{names[int(np.argmin(counts))]}' has no window of {recipe.input.length} samples among "
            f"subjects {', '.join(subjects)} of {dataset.name}; choose other subjects or labels"
        )
    return windows


def chunks_of(recording: Recording) -> Iterator[SampleChunk]:
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
