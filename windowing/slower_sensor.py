"""Reduce a stream to what its sensor would send at a lower rate, or without its gyroscope.

A device that follows the request itself already sends less; its samples pass unchanged.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.signals import GYRO, SampleChunk, Sensing

from .filters import LowPass

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILTER_ORDER = 2
FILTER_SHARE = 0.4
"""Cut-off of the filter before sampling as a share of the sensor's rate; 0.5 is the Nyquist frequency."""


class Sensed:
    """One stream as its sensor was asked to send it, independent of how the stream is divided into chunks.

    Takes every k-th sample after a causal low-pass; the columns of a gyroscope that is off are zero.

    >>> from kinestream.core.signals import ACC
    >>> sensed = Sensed()
    >>> sensed.ask(Sensing(25.0), from_s=0.0)
    >>> t, x = np.arange(100) / 50.0, np.zeros((100, 3), np.float32)
    >>> sensed.push(SampleChunk("wrist", "a", t, x, ACC, 50.0, 0, 2.0))
    [<SampleChunk 'wrist' session 'a': 50 samples from 0, 3 channels at 25 Hz>]
    """

    def __init__(self) -> None:
        self.asked: Sensing | None = None
        """The last request; None for the sensor's own settings."""
        self.slowest_hz = math.inf
        """The lowest rate requested so far."""
        self.thinned = 0
        """Samples left out so far."""
        self._now: Sensing | None = None
        self._coming: deque[tuple[float, Sensing | None]] = deque()
        self._epoch: str | None = None
        self._channels: tuple[str, ...] = ()
        self._left_out = 0  # samples of this epoch
        self._phase = 0  # samples since thinning began
        self._filter: LowPass | None = None
        self._filtered = (1, 0.0, 0)  # the filter's step, rate and columns

    def ask(self, sensing: Sensing | None, from_s: float) -> None:
        """Request this sensing for the samples from ``from_s`` on."""
        self.asked = sensing
        if sensing:
            self.slowest_hz = min(self.slowest_hz, sensing.fs_hz)
        self._coming.append((from_s, sensing))

    def push(self, chunk: SampleChunk) -> list[SampleChunk]:
        """Return the reduced chunk, as one chunk for each way in which the sensor ran meanwhile."""
        if chunk.session != self._epoch:
            self._epoch, self._left_out, self._filter = chunk.session, 0, None
            self._now = self.asked  # after a reconnect, the device is set up as last requested
            self._coming.clear()
        if self._now is None and not self._coming and math.isinf(self.slowest_hz):
            self._channels = chunk.channels
            return [chunk]
        chunk = self._with_gyro(chunk)
        parts: list[SampleChunk] = []
        start = 0
        while self._coming:
            from_s, sensing = self._coming[0]
            later = np.flatnonzero(chunk.t[start:] >= from_s)
            if not len(later):
                break
            stop = start + int(later[0])
            if stop > start:
                parts.append(self._run(chunk.part(start, stop)))
            self._coming.popleft()
            self._now, self._filter, start = sensing, None, stop
        return [*parts, self._run(chunk.part(start, len(chunk)) if start else chunk)]

    def _with_gyro(self, chunk: SampleChunk) -> SampleChunk:
        """The chunk with the columns of a gyroscope that the device switched off."""
        missing = [name for name in self._channels if name not in chunk.channels]
        if not missing or any(name not in GYRO for name in missing):
            self._channels = chunk.channels
            return chunk
        x = np.zeros((len(chunk), len(self._channels)), np.float32)
        x[:, [self._channels.index(name) for name in chunk.channels]] = chunk.x
        return replace(chunk, x=x, channels=self._channels)

    def _run(self, chunk: SampleChunk) -> SampleChunk:
        x, sensing = chunk.x, self._now
        if sensing and not sensing.gyro:
            x = x.copy()
            x[:, [column for column, name in enumerate(chunk.channels) if name in GYRO]] = 0.0
        step = max(1, math.floor(chunk.fs_hz / sensing.fs_hz + 0.05)) if sensing else 1
        if step == 1:
            self._filter = None
            return replace(chunk, x=x, seq=chunk.seq - self._left_out)
        return self._slower(chunk, x, step)

    def _slower(self, chunk: SampleChunk, x: NDArray[np.float32], step: int) -> SampleChunk:
        wanted = (step, chunk.fs_hz, x.shape[1])
        if self._filter is None or wanted != self._filtered:
            self._phase = 0
            self._filter = self._low_pass(*wanted)
        taken = slice(-self._phase % step, None, step)
        slower = self._filter.push(x)[taken].astype(np.float32)
        seq = chunk.seq - self._left_out
        self._phase += len(chunk)
        self._left_out += len(chunk) - len(slower)
        self.thinned += len(chunk) - len(slower)
        return replace(
            chunk,
            t=chunk.t[taken],
            x=slower,
            fs_hz=chunk.fs_hz / step,
            seq=seq,
            labels=None if chunk.labels is None else chunk.labels[taken],
            t_device=None if chunk.t_device is None else chunk.t_device[taken],
        )

    def _low_pass(self, step: int, fs_hz: float, columns: int) -> LowPass:
        self._filtered = step, fs_hz, columns
        return LowPass(FILTER_ORDER, FILTER_SHARE * fs_hz / step, fs_hz, columns)

    def state(self) -> dict[str, Any]:
        """Return everything needed to continue elsewhere: plain values and arrays."""
        return {
            "asked": _plain(self.asked),
            "slowest_hz": self.slowest_hz,
            "thinned": self.thinned,
            "now": _plain(self._now),
            "coming": [(from_s, _plain(sensing)) for from_s, sensing in self._coming],
            "session": self._epoch,
            "channels": self._channels,
            "left_out": self._left_out,
            "phase": self._phase,
            "filtered": self._filtered,
            "filter": self._filter.state() if self._filter else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where ``state`` was taken."""
        self.asked, self._now = _sensing(state["asked"]), _sensing(state["now"])
        self.slowest_hz, self.thinned = state["slowest_hz"], state["thinned"]
        self._coming = deque((from_s, _sensing(plain)) for from_s, plain in state["coming"])
        self._epoch, self._channels = state["session"], tuple(state["channels"])
        self._left_out, self._phase = state["left_out"], state["phase"]
        self._filter = None
        if state["filter"]:
            self._filter = self._low_pass(*state["filtered"])
            self._filter.restore(state["filter"])


def _plain(sensing: Sensing | None) -> tuple[float, bool] | None:
    return None if sensing is None else (sensing.fs_hz, sensing.gyro)


def _sensing(plain: tuple[float, bool] | None) -> Sensing | None:
    return None if plain is None else Sensing(*plain)
