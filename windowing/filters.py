"""Causal low-pass filters whose output does not depend on how the signal was cut into blocks.

A recursive filter run sample by sample is slow in Python; run block by block through a matrix it is fast,
but a matrix product of another shape may round differently. So the blocks here are always the same: they
are counted from the first sample, and an unfinished block is computed with zeros in place of what has not
come yet. Those zeros meet only zeros of the lower-triangular matrix, so the rows already known come out
the same, to the last bit, when the block is computed again complete.
"""

from __future__ import annotations

import cmath
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 32
"""Samples per block: one matrix product of this size costs about a microsecond."""


def butterworth(order: int, cutoff_hz: float, fs_hz: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numerator and denominator of a digital Butterworth low-pass, (order + 1,) each, unit gain at 0 Hz.

    Source: Butterworth 1930; bilinear transform with the cut-off pre-warped (Oppenheim & Schafer, ch. 7).
    """
    warped = 2 * fs_hz * math.tan(math.pi * cutoff_hz / fs_hz)
    poles = [
        (1 + p / (2 * fs_hz)) / (1 - p / (2 * fs_hz))
        for k in range(order)
        for p in [warped * cmath.exp(1j * math.pi * (0.5 + (2 * k + 1) / (2 * order)))]
    ]
    denominator = np.asarray(np.poly(poles).real, np.float64)
    numerator = np.asarray(np.poly(-np.ones(order)), np.float64)
    return numerator * denominator.sum() / numerator.sum(), denominator


@lru_cache(maxsize=32)
def _matrices(order: int, cutoff_hz: float, fs_hz: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The block matrix and the state of a constant input of one.

    Returns:
        step: (BLOCK + order, BLOCK + order): [samples; state before] -> [filtered; state after].
        rest: (order,) the state that a constant 1 has settled to.
    """
    numerator, denominator = butterworth(order, cutoff_hz, fs_hz)
    a = np.zeros((order, order))  # transposed direct form II: s' = A s + B x, y = s[0] + b0 x
    a[:, 0] = -denominator[1:]
    a[np.arange(order - 1), np.arange(1, order)] = 1.0
    b = numerator[1:] - denominator[1:] * numerator[0]
    step = np.zeros((BLOCK + order, BLOCK + order))
    state_of = np.zeros((order, BLOCK + order))  # the state as a linear function of [samples; state before]
    state_of[:, BLOCK:] = np.eye(order)
    for i in range(BLOCK):
        step[i] = state_of[0]
        step[i, i] += numerator[0]
        state_of = a @ state_of
        state_of[:, i] += b
    step[BLOCK:] = state_of
    return step, np.linalg.solve(np.eye(order) - a, b)


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
