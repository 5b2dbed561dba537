"""Causal low-pass filters whose output does not depend on how the signal is cut into chunks.

A recursive filter is slow in Python sample by sample, and fast block by block as a matrix product; but a product of
another shape can round differently. The blocks here are therefore always the same: they are counted from the first
sample, and an unfinished block is computed with zeros for the missing samples. Those zeros meet only zeros of the
lower-triangular matrix, so the known rows are equal to the last bit when the complete block is computed again.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 32
"""Samples per block; a matrix product of this size takes about a microsecond."""


class Section(NamedTuple):
    """A digital filter of first or second order: coefficients of z^0, z^-1, ...; the denominator begins with 1."""

    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64]


def butterworth(order: int, cutoff_hz: float, fs_hz: float) -> list[Section]:
    """Return a digital Butterworth low-pass as consecutive sections, each with unit gain at 0 Hz.

    A single section of sixth order would be useless above 1 kHz: with a cut-off at a hundredth of the rate, the
    coefficients differ by less than their rounding.

    Source: Butterworth 1930; bilinear transform with the cut-off pre-warped (Oppenheim & Schafer, ch. 7).

    >>> [len(section.denominator) for section in butterworth(3, cutoff_hz=20.0, fs_hz=50.0)]
    [3, 2]
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
    """Return the block matrix, and the state for a constant input of 1.

    Returns:
        step: (BLOCK + order, BLOCK + order): [samples; state before] -> [filtered; state after].
        rest: (order,) the settled state for a constant input of 1.
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
        columns: number of signals.

    >>> low_pass = LowPass(order=3, cutoff_hz=5.0, fs_hz=50.0, columns=1)
    >>> low_pass.push(np.full((2, 1), 9.81)).round(2).tolist()
    [[9.81], [9.81]]
    """

    def __init__(self, order: int, cutoff_hz: float, fs_hz: float, columns: int) -> None:
        self._step, self._rest = _matrices(order, cutoff_hz, fs_hz)
        self._block = np.zeros((BLOCK + order, columns))
        self._filled = -1  # samples in the block; -1 before the first sample

    def start(self) -> None:
        """Forget the past; the next sample counts as the constant past of the signal."""
        self._filled = -1

    def push(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return the next n samples filtered, (n, columns)."""
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
