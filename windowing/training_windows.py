"""Windows to learn from, out of the same code that runs live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import UNLABELLED

from .conditioner import Conditioner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec
    from kinestream.core.signals import SampleChunk


@dataclass(frozen=True, slots=True)
class TrainingWindows:
    """Windows of one recording, each wholly inside one labelled activity."""

    x: NDArray[np.float32]
    """(n, length, columns)"""
    labels: NDArray[np.int16]
    """(n,) codes of the source's ``label_names``."""
    label_names: tuple[str, ...]
    t_start_s: NDArray[np.float64]
    """(n,)"""


def training_windows(spec: InputSpec, chunks: Iterable[SampleChunk], *, hop: int | None = None) -> TrainingWindows:
    """Cut a recording the way its publishers do: inside each labelled activity, from its first sample on.

    The filters run through the whole recording as they do live, so a window knows what came before it.
    Windows with interpolated samples are kept, as they are live; unlabelled samples give none.

    Args:
        spec: the model's input.
        chunks: one recording, in order; a change of session begins anew.
        hop: samples between windows; the specification's by default.
    Raises:
        InputMismatch: the recording lacks a channel the model needs, or is too slow for it.
    """
    stride = hop or spec.hop
    found: list[NDArray[np.float32]] = []
    codes: list[int] = []
    starts: list[float] = []
    names: tuple[str, ...] = ()
    for session in _sessions(chunks):
        first = session[0]
        names = names or first.label_names
        conditioner = Conditioner(spec, first.channels, first.fs_hz)
        spec.check_rate(first.fs_hz)
        columns = [first.channels.index(name) for name in conditioner.needed]
        t = np.concatenate([chunk.t for chunk in session])
        x = np.concatenate([chunk.x[:, columns] for chunk in session])
        labels = np.concatenate([_labels_of(chunk) for chunk in session])
        for stretch in conditioner.push(t, x, labels):
            assert stretch.labels is not None
            edges = np.flatnonzero(np.diff(stretch.labels)) + 1
            for start, stop in zip([0, *edges], [*edges, len(stretch.labels)], strict=True):
                if stretch.labels[start] == UNLABELLED:
                    continue
                for at in range(start, stop - spec.length + 1, stride):
                    found.append(stretch.x[at : at + spec.length])
                    codes.append(int(stretch.labels[start]))
                    starts.append(stretch.t0 + at / spec.fs_hz)
    x_all = np.stack(found) if found else np.empty((0, spec.length, len(spec.channels)), np.float32)
    return TrainingWindows(x_all, np.array(codes, np.int16), names, np.array(starts))


def _sessions(chunks: Iterable[SampleChunk]) -> Iterable[list[SampleChunk]]:
    together: list[SampleChunk] = []
    for chunk in chunks:
        if together and chunk.session != together[-1].session:
            yield together
            together = []
        together.append(chunk)
    if together:
        yield together


def _labels_of(chunk: SampleChunk) -> NDArray[np.int16]:
    return np.full(len(chunk), UNLABELLED, np.int16) if chunk.labels is None else chunk.labels
