"""Recorded motion cut into windows, once for all policies and subnetworks that will be tried on it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.activities import shown_as
from kinestream.core.errors import DataMissing
from kinestream.run.tally import judged_as
from kinestream.run.wear_watch import WearWatch
from kinestream.windowing import StreamWindows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.signals import Sensing, Window
    from kinestream.core.source import Source
    from kinestream.inference import Model

NO_TRUTH = -1
"""The truth of a window that cannot be judged: without a label, or of an activity the model was never taught."""


@dataclass(frozen=True, slots=True)
class Material:
    """n windows in the order in which they came, as the live pipeline would have cut them."""

    x: NDArray[np.float32]
    """(n, length, columns) SI units."""
    session: NDArray[np.int64]
    """(n,) the number of the unbroken stretch each belongs to."""
    truth: NDArray[np.int64]
    """(n,) index into the model's labels, or ``NO_TRUTH``."""
    pure: NDArray[np.bool_]
    """(n,) whether all samples carry that label."""
    hop_s: float
    window_s: float
    keys: tuple[tuple[str, str, int], ...] = ()
    """Stream, session and index of each window."""
    labels: tuple[str, ...] = ()
    """The model's names of the activities; empty if unknown."""
    notices: tuple[str, ...] = ()
    """How the sensor was worn, where the model cannot know the activity for that; policies are judged all the same."""

    def __len__(self) -> int:
        return len(self.x)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the windows, in hex."""
        return hashlib.sha256(np.ascontiguousarray(self.x).data).hexdigest()

    def like(self, other: Material) -> Material:
        """The other's windows in its order, as this material has them; where a slower sensor brought none, its own."""
        mine = {key: row for row, key in enumerate(self.keys)}
        rows = [mine.get(key) for key in other.keys]
        x = [other.x[at] if row is None else self.x[row] for at, row in enumerate(rows)]
        return replace(other, x=np.stack(x))


def collect(source: Source, model: Model, sensing: Sensing | None = None) -> Material:
    """All windows of a source that ends; a live one would never.

    Args:
        sensing: how the sensor is run, as the pipeline would have it; None: as it was.
    Raises:
        InputMismatch: the source lacks a channel of this model.
        DataMissing: there is not one window in it.

    >>> import math
    >>> from kinestream.inference import find_model, load_model
    >>> from kinestream.replay_data import Wearer
    >>> material = collect(Wearer(seed=1, duration_s=10, speed=math.inf), load_model(find_model("uci_kinet")))
    >>> len(material), material.hop_s
    (6, 1.28)
    """
    wear = WearWatch(model)
    windows = asyncio.run(_windows(source, model, sensing and model.input.bearable(sensing), wear))
    if not windows:
        raise DataMissing(f"{source.name} holds no window of {model.input.window_s:g} s; choose a longer recording")
    kinds = [_judged(window, model.labels) for window in windows]
    truth = [_code(window, model.labels) if kind else NO_TRUTH for window, kind in zip(windows, kinds, strict=True)]
    names = [f"{window.stream}/{window.session}" for window in windows]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return Material(
        np.stack([window.x for window in windows]),
        np.array([numbers[name] for name in names]),
        np.array(truth),
        np.array([kind == "pure" for kind in kinds]),
        model.input.hop_s,
        model.input.window_s,
        tuple((window.stream, window.session, window.index) for window in windows),
        model.labels,
        tuple(wear.notices()),
    )


async def _windows(source: Source, model: Model, sensing: Sensing | None, wear: WearWatch) -> list[Window]:
    streams: dict[str, StreamWindows] = {}
    windows: list[Window] = []
    try:
        async for chunk in source.chunks():
            if chunk.stream not in streams:
                streams[chunk.stream] = StreamWindows(model.input, sensing)
            for window in streams[chunk.stream].push(chunk):
                wear.see(window, streams[chunk.stream].segmenter.resets)
                windows.append(window)
        for stream in streams.values():
            for window in stream.flush():
                wear.see(window, stream.segmenter.resets)
                windows.append(window)
    finally:
        await source.aclose()
    return windows


def _judged(window: Window, labels: tuple[str, ...]) -> str:
    """``pure`` or ``mixed`` where the window can be judged, else nothing."""
    kind = judged_as(window, labels)
    return kind if kind in ("pure", "mixed") and _code(window, labels) != NO_TRUTH else ""


def _code(window: Window, labels: tuple[str, ...]) -> int:
    """The class of the window's activity; ``NO_TRUTH`` where several are right, because a day counts one."""
    right = shown_as(window.truth or "", labels)
    return labels.index(right[0]) if len(right) == 1 else NO_TRUTH
