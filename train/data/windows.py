"""Labelled windows for training and evaluation, from one dataset or several."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.core.memory import require_memory
from kinestream.core.signals import UNLABELLED, SampleChunk
from kinestream.replay_data import Dataset, Entry, Recording, open_dataset
from kinestream.windowing import training_windows

from ..recipe.data_settings import OWN_RECORDINGS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec

    from ..recipe.data_settings import Data
    from ..recipe.schema import Recipe

Track = Callable[[Sequence[Recording]], Iterable[Recording]]
"""Wraps recordings as they are read, to draw a progress bar."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Labelled windows of some people, cut and filtered like those of the live pipeline.

    >>> windows = Windows(np.zeros((3, 128, 9), np.float32), np.array([0, 1, 1]))
    >>> len(windows), windows.take(np.array([2])).labels.tolist()
    (3, [1])
    """

    x: NDArray[np.float32]
    """(n, length, columns) SI units."""
    labels: NDArray[np.int64]
    """(n,) indices into the recipe's labels."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Number of windows of each activity that the recipe does not name."""
    repairs: Mapping[str, int] = field(default_factory=dict)
    """Number of each kind of skip or repair while reading the recordings."""
    subjects: tuple[str, ...] = ()
    """(n,) person of each window; empty if not needed."""
    recordings: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """(n,) number of the recording each window was cut from; empty if not needed."""
    t_start_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """(n,) start of each window on its recording's clock; empty if not needed."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: NDArray[np.intp]) -> Windows:
        """The windows at ``indices``; ``left_out`` and ``repairs`` still count all."""
        subjects = tuple(self.subjects[i] for i in indices) if self.subjects else ()
        timed = {name: values[indices] for name in ("recordings", "t_start_s") if len(values := getattr(self, name))}
        return replace(self, x=self.x[indices], labels=self.labels[indices], subjects=subjects, **timed)


def open_data(data: Data, data_dir: Path | None = None) -> Dataset:
    """The recipe's dataset, or several joined into one, with activities renamed to their classes.

    Joining several datasets prefixes their people and recordings (``hapt/1``), so that people with the same number
    stay apart.

    Raises:
        KinestreamError: as ``open_dataset``.
        ConfigError: the label map names an activity that a dataset does not have, or the recipe is for a user's own
            recordings.
    """
    if data.dataset == OWN_RECORDINGS:
        raise ConfigError(
            "this model was trained on a user's own recordings, which it does not store; to test it, replay labelled "
            "recordings: kinestream replay FILE --speed max --model M"
        )
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
            load = partial(_renamed, entry, prefix, partial(data.class_of, name))
            entries.append(Entry(prefix + entry.name, prefix + entry.subject, load))
    names = (data.class_of(name, label) for name, part in opened for label in part.label_names)
    return Dataset(" + ".join(part.name for _, part in opened), tuple(dict.fromkeys(names)), entries)


def _renamed(entry: Entry, prefix: str, class_of: Callable[[str], str]) -> Recording:
    """The recording with its labels renamed to classes; two codes can then share a name."""
    recording = entry.load()
    return replace(
        recording,
        name=prefix + recording.name,
        subject=prefix + recording.subject,
        label_names=tuple(class_of(name) for name in recording.label_names),
    )


def load_windows(
    dataset: Dataset,
    recipe: Recipe,
    subjects: Sequence[str],
    *,
    hop: int | None = None,
    every_class: bool = True,
    whole_up: bool = False,
    track: Track = iter,
) -> Windows:
    """The windows of these people, each within one labelled activity, cut by the live windowing code.

    Args:
        hop: samples between windows; the recipe's input hop by default.
        every_class: whether a class without windows is an error; a few test people can lack a rare class.
        whole_up: as for ``training_windows``, to learn from.
        track: wraps the recordings as they are read, to draw a progress bar.
    Raises:
        InputMismatch: the dataset lacks a channel the network needs, or is too slow for it.
        NotEnoughMemory: the windows would not fit.
        DataDamaged: a class of the recipe has no window, or there are no windows.
    """
    windows = windows_of(dataset, recipe.input, recipe.data.labels, subjects, hop=hop, whole_up=whole_up, track=track)
    if every_class or not len(windows):
        check_every_class(windows, recipe, f"subjects {', '.join(subjects)} of {dataset.name}")
    return windows


def windows_of(
    dataset: Dataset,
    spec: InputSpec,
    names: Sequence[str],
    subjects: Sequence[str],
    *,
    hop: int | None = None,
    whole_up: bool = False,
    aliases: Mapping[str, str] | None = None,
    track: Track = iter,
) -> Windows:
    """``load_windows`` for any input and classes; the result can be empty.

    Args:
        names: the classes.
        aliases: other names of activities, and the class of each.
    """
    class_of = {**(aliases or {}), **{name: name for name in names}}
    window_bytes = spec.length * len(spec.channels) * np.dtype(np.float32).itemsize
    xs: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.int64]] = []
    left_out: Counter[str] = Counter()
    repairs: Counter[str] = Counter()
    people: list[str] = []
    numbers: list[NDArray[np.int64]] = []
    starts: list[NDArray[np.float64]] = []
    stride, loaded = hop or spec.hop, 0
    for number, recording in enumerate(track(dataset.select(subjects))):
        more = sum(most_windows(recording, spec, stride).values())
        # The loaded windows occupy memory already; joining the recordings needs a second copy of all.
        require_memory(
            (loaded + 2 * more) * window_bytes,
            f"{loaded + more} windows or more of {dataset.name}",
            "raise train_hop in [data], or name fewer subjects",
        )
        cut = training_windows(spec, chunks_of(recording), hop=hop, whole_up=whole_up)
        code_of = np.array([names.index(class_of[n]) if n in class_of else -1 for n in cut.label_names] or [-1])
        codes = code_of[cut.labels]
        left_out.update(cut.label_names[code] for code in cut.labels[codes < 0])
        repairs.update(recording.repairs)
        xs.append(cut.x[codes >= 0])
        labels.append(codes[codes >= 0])
        people += [recording.subject] * len(labels[-1])
        numbers.append(np.full(len(labels[-1]), number))
        starts.append(cut.t_start_s[codes >= 0])
        loaded += len(labels[-1])
    return Windows(
        np.concatenate(xs),
        np.concatenate(labels),
        dict(left_out),
        dict(repairs),
        tuple(people),
        np.concatenate(numbers),
        np.concatenate(starts),
    )


def missing_classes(windows: Windows, labels: Sequence[str]) -> list[str]:
    """The labels that no window carries.

    >>> windows = Windows(np.zeros((2, 128, 9), np.float32), np.array([0, 2]))
    >>> missing_classes(windows, ("walking", "lying", "sitting"))
    ['lying']
    """
    present = set(windows.labels.tolist())
    return [label for code, label in enumerate(labels) if code not in present]


def check_every_class(windows: Windows, recipe: Recipe, where: str) -> None:
    """Check that every class of the recipe has a window.

    Args:
        where: the origin of the windows, for the message.
    Raises:
        DataDamaged: a class has none.
    """
    if missing := missing_classes(windows, recipe.data.labels):
        raise DataDamaged(
            f"class '{missing[0]}' has no window of {recipe.input.length} samples "
            f"among {where}; choose other subjects or labels"
        )


def most_windows(recording: Recording, spec: InputSpec, hop: int) -> Counter[str]:
    """Largest possible number of windows of each activity in a recording; missing samples reduce it."""
    counts: Counter[str] = Counter()
    if recording.labels is None:
        return counts
    per_sample = spec.fs_hz / recording.fs_hz
    for start, stop in recording.segments:
        labels = recording.labels[start:stop]
        edges = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
        for begin, end in pairwise(edges):
            # On the model's grid, a label can extend half a sample further at both ends.
            spare = math.ceil((end - begin) * per_sample) + 1 - spec.length
            if end > begin and labels[begin] != UNLABELLED and spare >= 0:
                counts[recording.label_names[labels[begin]]] += spare // hop + 1
    return counts


def chunks_of(recording: Recording) -> Iterator[SampleChunk]:
    """Each continuous segment of a recording as one chunk with its own epoch."""
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
