"""Whether a chunk is what it says: its shape and its numbers. Sources check their packets; this is the net below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from .signals import SEQ_END

if TYPE_CHECKING:
    from .signals import SampleChunk

MAX_RATE_HZ = 1e6
"""No motion sensor is faster; memory reserved by a made-up rate is memory lost."""


class Flaw(NamedTuple):
    """Why a chunk cannot be used by anyone."""

    kind: Literal["layout", "numbers"]
    reason: str
    """What was found, what was expected, and what to do."""


def flaw_of(chunk: SampleChunk) -> Flaw | None:
    """Return what is wrong with a chunk's form; None for every chunk that a sound source makes.

    >>> import numpy as np
    >>> from kinestream.core.signals import ACC, SampleChunk
    >>> chunk = SampleChunk("wrist", "a", np.arange(3) / 50, np.zeros((3, 2), np.float32), ACC, 50.0, 0, 0.05)
    >>> flaw_of(chunk).reason
    '3x2 values for 3 times and 3 channels; expected a row per time and a column per channel'
    """
    n, shape = len(chunk.t), chunk.x.shape
    if shape != (n, len(chunk.channels)):
        values, names = "x".join(map(str, shape)), len(chunk.channels)
        expected = "expected a row per time and a column per channel"
        return Flaw("layout", f"{values} values for {n} times and {names} channels; {expected}")
    if chunk.labels is not None and len(chunk.labels) != n:
        return Flaw("layout", f"{len(chunk.labels)} labels for {n} samples; expected one per sample, or none")
    if not 0 <= chunk.seq <= SEQ_END - n:
        return Flaw("numbers", f"sequence number {chunk.seq}; expected 0 to 2^62: number its samples from 0")
    if not 0 < chunk.fs_hz <= MAX_RATE_HZ:
        return Flaw("numbers", f"a rate of {chunk.fs_hz:g} Hz; expected more than 0, at most {MAX_RATE_HZ:g}: set it")
    return None


def signal_s(chunk: SampleChunk) -> float:
    """Return how long a chunk's samples took at its announced rate; 0 if no sensor has such a rate."""
    return len(chunk.t) / chunk.fs_hz if 0 < chunk.fs_hz <= MAX_RATE_HZ else 0.0
