"""Recorded motion cut into windows, once for all policies and subnetworks that will be tried on it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.errors import DataMissing
from kinestream.summary import judged_as
from kinestream.windowing import Segmenter

from .sensing import any_rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from kinestream.inference import Model
    from kinestream.signals import SampleChunk, Window
    from kinestream.source import Source

NOBODY_KNOWS = -1
"""The truth of a window that cannot be judged: without a label, or of an activity the model was never taught."""


@dataclass(frozen=True, slots=True)
class Material:
    """n windows in the order in which they came, as the live pipeline would have cut them."""

    x: NDArray[np.float32]
    """(n, length, columns) SI units."""
    session: NDArray[np.int64]
    """(n,) the number of the unbroken stretch each belongs to."""
    truth: NDArray[np.int64]
    """(n,) index into the model's labels, or ``NOBODY_KNOWS``."""
    pure: NDArray[np.bool_]
    """(n,) whether all samples carry that label."""
    hop_s: float
    window_s: float

    def __len__(self) -> int:
        return len(self.x)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the windows, in hex."""
        return hashlib.sha256(np.ascontiguousarray(self.x).data).hexdigest()


def collect(source: Source, model: Model, change: Callable[[SampleChunk], SampleChunk] | None = None) -> Material:
    """All windows of a source that ends; a live one would never.

    Args:
        change: done to every chunk before it is cut, as a sensor run another way would bring it.
    Raises:
        InputMismatch: the source lacks a channel of this model.
        DataMissing: there is not one window in it.
    """
    windows = asyncio.run(_windows(source, model, change))
    if not windows:
        raise DataMissing(f"{source.name} holds no window of {model.input.window_s:g} s; choose a longer recording")
    kinds = [_judged(window, model.labels) for window in windows]
    known = {label: code for code, label in enumerate(model.labels)}
    truth = [
        known[window.truth] if kind and window.truth is not None else NOBODY_KNOWS
        for window, kind in zip(windows, kinds, strict=True)
    ]
    names = [f"{window.stream}/{window.session}" for window in windows]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return Material(
        np.stack([window.x for window in windows]),
        np.array([numbers[name] for name in names]),
        np.array(truth),
        np.array([kind == "pure" for kind in kinds]),
        model.input.hop_s,
        model.input.window_s,
    )


async def _windows(source: Source, model: Model, change: Callable[[SampleChunk], SampleChunk] | None) -> list[Window]:
    segmenters: dict[str, Segmenter] = {}
    found: list[Window] = []
    try:
        async for chunk in source.chunks():
            segmenter = segmenters.setdefault(chunk.stream, Segmenter(any_rate(model.input)))
            found += segmenter.push(change(chunk) if change else chunk)
        for segmenter in segmenters.values():
            found += segmenter.flush()
    finally:
        await source.aclose()
    return found


def _judged(window: Window, labels: tuple[str, ...]) -> str:
    """``pure`` or ``mixed`` where the window can be judged, else nothing."""
    kind = judged_as(window, labels)
    return kind if kind in ("pure", "mixed") else ""
