"""Windows whose samples came evenly, but more slowly than the model bears: nothing was interpolated over a hole."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.input_spec import CLOCK_TOLERANCE, MIN_RATE_SHARE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec
    from kinestream.core.signals import SampleChunk, Window

LATER_S = 1.0
"""A window is cut at most this long after its last sample, holes apart."""
MOST_PACE = 64.0
"""More samples than at this multiple of the model's rate are forgotten: the stream's clock stands still."""


@dataclass(slots=True)
class _Stream:
    epoch: str
    times: deque[NDArray[np.float64]] = field(default_factory=deque)
    held: int = 0  # samples


class PaceWatch:
    """Counts the samples within each window: the same however the stream was cut.

    Args:
        spec: the model's input.

    >>> from kinestream.core.input_spec import InputSpec
    >>> from kinestream.core.signals import ACC, SampleChunk, Window
    >>> watch, x = PaceWatch(InputSpec(ACC, 50.0, 128, 64)), np.zeros((128, 3), np.float32)
    >>> watch.push(SampleChunk("wrist", "a", np.arange(128) / 35, x, ACC, 50.0, 0, 3.7))
    >>> watch.is_slow(Window("wrist", "a", 0, 0.0, 2.54, x, ACC, 50.0, 1.0, 3.7))
    True
    """

    def __init__(self, spec: InputSpec) -> None:
        self._fs_hz, self._kept_s = spec.fs_hz, spec.window_s + spec.max_gap_s + LATER_S
        self._most = math.ceil(MOST_PACE * spec.fs_hz * self._kept_s)
        self._streams: dict[str, _Stream] = {}

    def push(self, chunk: SampleChunk) -> None:
        """Take the samples of a stream, before the windows that they complete."""
        stream = self._streams.get(chunk.stream)
        if stream is None or stream.epoch != chunk.session:
            stream = self._streams[chunk.stream] = _Stream(chunk.session)
        times = stream.times
        if not len(chunk):
            return
        times.append(chunk.t)
        stream.held += len(chunk)
        oldest_s = chunk.t.item(0) - self._kept_s
        while len(times) > 1 and (times[0].item(-1) < oldest_s or stream.held > self._most):
            stream.held -= len(times.popleft())

    def is_slow(self, window: Window, sensor_hz: float = np.inf) -> bool:
        """Whether fewer samples came than the model needs, beside those that its holes lack.

        Args:
            sensor_hz: the rate at which the policy lets the sensor run.
        """
        stream = self._streams.get(window.stream)
        if stream is None or stream.epoch != window.session:
            return False
        t = np.concatenate(stream.times) if stream.times else np.empty(0)
        count = int(np.count_nonzero((t >= window.t_start_s) & (t <= window.t_end_s)))
        bears_hz = MIN_RATE_SHARE * (1 - CLOCK_TOLERANCE) * min(self._fs_hz, sensor_hz)
        return count + 1 < bears_hz * window.coverage * (window.t_end_s - window.t_start_s)

    def state(self) -> dict[str, Any]:
        """Return everything needed to continue elsewhere, as plain values and arrays."""
        return {name: (stream.epoch, [t.copy() for t in stream.times]) for name, stream in self._streams.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state`` was taken."""
        self._streams = {
            name: _Stream(epoch, deque(times), sum(map(len, times))) for name, (epoch, times) in state.items()
        }

    def forget(self, stream: str) -> None:
        """Forget a stream that left."""
        self._streams.pop(stream, None)
