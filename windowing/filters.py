"""Causal low-pass filters whose output does not depend on how the signal was cut into blocks.

A recursive filter run sample by sample is slow in Python; run block by block through a matrix it is fast,
but a matrix product of another shape may round differently. So the blocks here are always the same: they
are counted from the first sample, and an unfinished block is computed with zeros in place of what has not
come yet. Those zeros meet only zeros of the lower-triangular matrix, so the rows already known come out
the same, to the last bit, when the block is computed again complete.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 32
"""Samples per block: one matrix product of this size costs about a microsecond."""


class Section(NamedTuple):
    """A digital filter of first or second order: coefficients of z^0, z^-1, ..., the denominator's first is 1."""

    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64]


def butterworth(order: int, cutoff_hz: float, fs_hz: float) -> list[Section]:
    """A digital Butterworth low-pass as sections one after another, each of unit gain at 0 Hz.

    Multiplied out to one section of sixth order it would be useless above 1 kHz: with the cut-off a
    hundredth of the rate, what distinguishes the coefficients is smaller than their rounding.

    Source: Butterworth 1930; bilinear transform with the cut-off pre-warped (Oppenheim & Schafer, ch. 7).
    """
    c = math.tan(math.pi * cutoff_hz / fs_hz)
    sections: list[Section] = []
    for k in range(order // 2):
        damping = 2 * math.sin(math.pi * (2 * k + 1) / (2 * order))
        norm = 1 + damping * c + c * c
        numerator = np.array([1.0, 2.0, 1.0]) * (c * c / norm)
        sections.append(Section(numerator, np.array([norm, 2 * (c * c - 1), 1 - damping * c + c * c]) / norm))
    if order % 2:
        sections.append(Section(np.array([1.0, 1.0]) * (c / (1 + c)), np.array([1.0, (c - 1) / (c + 1)])))
    return sections


@lru_cache(maxsize=32)
def _matrices(order: int, cutoff_hz: float, fs_hz: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The block matrix and the state of a constant input of one.

    Returns:
        step: (BLOCK + order, BLOCK + order): [samples; state before] -> [filtered; state after].
        rest: (order,) the state that a constant 1 has settled to.
    """
    sections = butterworth(order, cutoff_hz, fs_hz)
    known = np.eye(BLOCK + order)  # each sample and each state as a linear function of [samples; state before]
    step, state = np.empty((BLOCK + order, BLOCK + order)), known[BLOCK:].copy()
    for i in range(BLOCK):
        signal, at = known[i], 0
        for b, a in sections:  # transposed direct form II: y = s[0] + b0 x, s' = s shifted + b x - a y
            end = at + len(a) - 1
            filtered = state[at] + b[0] * signal
            state[at : end - 1], state[end - 1] = state[at + 1 : end], 0.0
            state[at:end] += np.outer(b[1:], signal) - np.outer(a[1:], filtered)
            signal, at = filtered, end
        step[i] = signal
    step[BLOCK:] = state
    return step, np.concatenate([np.cumsum((b - a)[:0:-1])[::-1] for b, a in sections])


class LowPass:
    """A causal Butterworth low-pass over several columns, fed in pieces of any size.

    Args:
        columns: how many signals run side by side.
    """

    def __init__(self, order: int, cutoff_hz: float, fs_hz: float, columns: int) -> None:
        self._step, self._rest = _matrices(order, cutoff_hz, fs_hz)
        self._block = np.zeros((BLOCK + order, columns))
        self._filled = -1  # -1: no sample yet

    def start(self) -> None:
        """Forget everything; the next sample is taken as what the signal has always been."""
        self._filled = -1

    def push(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """The filtered samples, (n, columns), for the next n samples."""
        n = len(x)
        out = np.empty((n, self._block.shape[1]))
        if n and self._filled < 0:
            self._block[:BLOCK] = 0.0
            np.multiply(self._rest[:, None], x[0], out=self._block[BLOCK:])
            self._filled = 0
        done = 0
        while done < n:
            start = self._filled
            take = min(BLOCK - start, n - done)
            self._block[start : start + take] = x[done : done + take]
            result = self._step @ self._block
            out[done : done + take] = result[start : start + take]
            done += take
            self._filled = start + take
            if self._filled == BLOCK:
                self._block[:BLOCK] = 0.0
                self._block[BLOCK:] = result[BLOCK:]
                self._filled = 0
        return out

    def state(self) -> dict[str, Any]:
        return {"block": self._block.copy(), "filled": self._filled}

    def restore(self, state: dict[str, Any]) -> None:
        self._block[:] = state["block"]
        self._filled = state["filled"]
