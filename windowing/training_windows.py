"""Cut training windows with the same code that runs live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import ACC, UNLABELLED

from .conditioner import Conditioner, Stretch
from .views import Views
from .walking_up import WalkingUp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec
    from kinestream.core.signals import SampleChunk, Vector


@dataclass(frozen=True, slots=True)
class TrainingWindows:
    """Windows of one recording, each entirely inside one labelled activity."""

    x: NDArray[np.float32]
    """(n, length, columns) in SI units."""
    labels: NDArray[np.int16]
    """(n,) indices into ``label_names``."""
    label_names: tuple[str, ...]
    t_start_s: NDArray[np.float64]
    """(n,) time of each window's first sample."""


def training_windows(
    spec: InputSpec, chunks: Iterable[SampleChunk], *, hop: int | None = None, whole_up: bool = False
) -> TrainingWindows:
    """Cut a recording as the authors of datasets do: inside each labelled activity, from its first sample on.

    The filters run through the whole recording as in a live run, so a window depends on earlier samples. Windows with
    interpolated samples are included, as in a live run; unlabelled samples give no windows.

    Args:
        spec: the model's input.
        chunks: one recording, in order; filters restart when the session changes.
        hop: samples between windows; default: the specification's.
        whole_up: let every window know the direction of up that the whole recording shows, instead of the one known
            live at its time. To learn from: most recordings show postures before the first steps, and a network that
            never sees a posture together with its direction cannot use it.
    Raises:
        InputMismatch: the recording lacks a channel that the model needs, or is too slow for it.

    >>> from kinestream.core.input_spec import InputSpec
    >>> from kinestream.core.signals import ACC, SampleChunk
    >>> t, x, labels = np.arange(200) / 50.0, np.zeros((200, 3), np.float32), np.zeros(200, np.int16)
    >>> walk = SampleChunk("s", "a", t, x, ACC, 50.0, 0, 4.0, labels, ("walking",))
    >>> training_windows(InputSpec(ACC, 50.0, length=128, hop=64), [walk]).x.shape
    (2, 128, 3)
    """
    stride = hop or spec.hop
    windows: list[NDArray[np.float32]] = []
    codes: list[int] = []
    starts: list[float] = []
    names, stretches = _stretches(spec, chunks)
    views = Views(spec) if spec.has_views else None
    acc = [spec.stream_channels.index(name) for name in ACC] if views else []
    up = WalkingUp(spec.fs_hz, steady=whole_up)
    if views and whole_up:
        for stretch in stretches:
            up.begin(stretch.t0)
            up.push(stretch.x[:, acc])
    for stretch in stretches:
        assert stretch.labels is not None
        if views and not whole_up:
            up.begin(stretch.t0)
            up.push(stretch.x[:, acc])
        edges = np.flatnonzero(np.diff(stretch.labels)) + 1
        for start, stop in zip([0, *edges], [*edges, len(stretch.labels)], strict=True):
            if stretch.labels[start] == UNLABELLED:
                continue
            for at in range(start, stop - spec.length + 1, stride):
                x = stretch.x[at : at + spec.length]
                if views:
                    x = views.columns(x, up.newest if whole_up else up.at(at + spec.length))
                windows.append(x)
                codes.append(int(stretch.labels[start]))
                starts.append(stretch.t0 + at / spec.fs_hz)
    x_all = np.stack(windows) if windows else np.empty((0, spec.length, len(spec.channels)), np.float32)
    return TrainingWindows(x_all, np.array(codes, np.int16), names, np.array(starts))


def up_course(spec: InputSpec, chunks: Iterable[SampleChunk]) -> list[Vector | None]:
    """The direction of up after each block of movement of a recording, as a live run would have found it.

    Args:
        spec: an input with ``acc_*`` among its ``stream_channels``.
        chunks: one recording, in order.
    Raises:
        InputMismatch: as ``training_windows``.

    >>> from kinestream.core.input_spec import InputSpec
    >>> from kinestream.core.signals import ACC, SampleChunk
    >>> t, x = np.arange(700) / 50.0, np.tile(np.float32([[0, 6, 0], [0, 13.6, 0]]), (350, 1))
    >>> walk = SampleChunk("s", "a", t, x, ACC, 50.0, 0, 14.0)
    >>> up_course(InputSpec(ACC, 50.0, length=128, hop=64, lowpass_hz=None), [walk])
    [None, None, None, None, None, (0.0, 1.0, 0.0), (0.0, 1.0, 0.0)]
    """
    acc = [spec.stream_channels.index(name) for name in ACC]
    live = WalkingUp(spec.fs_hz)
    course: list[Vector | None] = []
    for stretch in _stretches(spec, chunks)[1]:
        live.begin(stretch.t0)
        for block in range(0, len(stretch.x), live.block):
            live.push(stretch.x[block : block + live.block, acc])
            moved = live.moved
            live.at(block + live.block)
            if live.moved != moved:
                course.append(live.newest)
    return course


def _stretches(spec: InputSpec, chunks: Iterable[SampleChunk]) -> tuple[tuple[str, ...], list[Stretch]]:
    """The names of the labels, and the recording on the model's grid."""
    names: tuple[str, ...] = ()
    stretches: list[Stretch] = []
    for epoch in _epochs(chunks):
        first = epoch[0]
        names = names or first.label_names
        conditioner = Conditioner(spec, first.channels, first.fs_hz)
        spec.check_rate(first.fs_hz)
        columns = [first.channels.index(name) for name in conditioner.needed]
        t = np.concatenate([chunk.t for chunk in epoch])
        x = np.concatenate([chunk.x[:, columns] for chunk in epoch])
        labels = np.concatenate([_labels_of(chunk) for chunk in epoch])
        stretches += conditioner.push(t, x, labels)
    return names, stretches


def _epochs(chunks: Iterable[SampleChunk]) -> Iterable[list[SampleChunk]]:
    epoch: list[SampleChunk] = []
    for chunk in chunks:
        if epoch and chunk.session != epoch[-1].session:
            yield epoch
            epoch = []
        epoch.append(chunk)
    if epoch:
        yield epoch


def _labels_of(chunk: SampleChunk) -> NDArray[np.int16]:
    return np.full(len(chunk), UNLABELLED, np.int16) if chunk.labels is None else chunk.labels
