"""A sensor told to run slower, or without its gyroscope: what it would bring then, while it still brings everything.

A device that carries the wish out itself brings less by itself, and passes.
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
"""A sensor filters before it samples: cut-off as a share of its rate (0.5 would be its Nyquist frequency)."""


class Sensed:
    """One stream as its sensor was asked to bring it, the same however it was cut.

    Every k-th sample after a causal low-pass; a gyroscope that is off reads nothing, so its columns rest at zero.
    """

    def __init__(self) -> None:
        self.asked: Sensing | None = None
        """What was asked for last; None: as the sensor runs by itself."""
        self.slowest_hz = math.inf
        """The lowest rate that was ever asked for."""
        self.thinned = 0
        """Samples left out because of it."""
        self._now: Sensing | None = None
        self._coming: deque[tuple[float, Sensing | None]] = deque()
        self._session: str | None = None
        self._channels: tuple[str, ...] = ()
        self._left_out = 0  # of this session
        self._phase = 0  # samples since thinning began
        self._filter: LowPass | None = None
        self._filtered = (1, 0.0, 0)  # what the filter is made for: every how many, the rate, the columns

    def ask(self, sensing: Sensing | None, from_s: float) -> None:
        """Run the sensor so for the samples taken from then on."""
        self.asked = sensing
        if sensing:
            self.slowest_hz = min(self.slowest_hz, sensing.fs_hz)
        self._coming.append((from_s, sensing))

    def push(self, chunk: SampleChunk) -> list[SampleChunk]:
        """What is left of a chunk, in order: as many chunks as the sensor ran in different ways meanwhile."""
        if chunk.session != self._session:
            self._session, self._left_out, self._filter = chunk.session, 0, None
            self._now = self.asked  # whoever connects anew is set up as last asked
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
        """The chunk with the columns of a gyroscope that the device has put to sleep."""
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
        kept = self._filter.push(x)[taken].astype(np.float32)
        seq = chunk.seq - self._left_out
        self._phase += len(chunk)
        self._left_out += len(chunk) - len(kept)
        self.thinned += len(chunk) - len(kept)
        return replace(
            chunk,
            t=chunk.t[taken],
            x=kept,
            fs_hz=chunk.fs_hz / step,
            seq=seq,
            labels=None if chunk.labels is None else chunk.labels[taken],
            t_device=None if chunk.t_device is None else chunk.t_device[taken],
        )

    def _low_pass(self, step: int, fs_hz: float, columns: int) -> LowPass:
        self._filtered = step, fs_hz, columns
        return LowPass(FILTER_ORDER, FILTER_SHARE * fs_hz / step, fs_hz, columns)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on elsewhere: plain values and arrays."""
        return {
            "asked": _plain(self.asked),
            "slowest_hz": self.slowest_hz,
            "thinned": self.thinned,
            "now": _plain(self._now),
            "coming": [(from_s, _plain(sensing)) for from_s, sensing in self._coming],
            "session": self._session,
            "channels": self._channels,
            "left_out": self._left_out,
            "phase": self._phase,
            "filtered": self._filtered,
            "filter": self._filter.state() if self._filter else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken."""
        self.asked, self._now = _sensing(state["asked"]), _sensing(state["now"])
        self.slowest_hz, self.thinned = state["slowest_hz"], state["thinned"]
        self._coming = deque((from_s, _sensing(kept)) for from_s, kept in state["coming"])
        self._session, self._channels = state["session"], tuple(state["channels"])
        self._left_out, self._phase = state["left_out"], state["phase"]
        self._filter = None
        if state["filter"]:
            self._filter = self._low_pass(*state["filtered"])
            self._filter.restore(state["filter"])


def _plain(sensing: Sensing | None) -> tuple[float, bool] | None:
    return None if sensing is None else (sensing.fs_hz, sensing.gyro)


def _sensing(kept: tuple[float, bool] | None) -> Sensing | None:
    return None if kept is None else Sensing(*kept)
