"""The measured rate of a stream, beside the announced one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kinestream.core.signals import SampleChunk

RATE_TOLERANCE = 0.1
"""A stream this far from its nominal rate is reported."""


class MeasuredRate:
    """Samples per second over the unbroken parts of one stream."""

    def __init__(self) -> None:
        self.signal_s = 0.0
        """Duration of all samples at the nominal rate."""
        self.nominal_hz = 1.0
        self._steps = 0
        self._span_s = 0.0
        self._last: SampleChunk | None = None

    def add(self, chunk: SampleChunk) -> None:
        """Take the stream's next chunk."""
        n = len(chunk)
        self.signal_s += n / chunk.fs_hz
        self.nominal_hz = chunk.fs_hz
        if not n:
            return
        last = self._last
        if last is not None and last.session == chunk.session and chunk.seq == last.seq + len(last):
            span_s = float(chunk.t[-1] - last.t[-1])
            if 0 < span_s < 2 * n / chunk.fs_hz + 1:  # no gap in between
                self._steps += n
                self._span_s += span_s
        self._last = chunk

    @property
    def measured_hz(self) -> float:
        """The measured rate; the nominal one before two chunks followed each other."""
        return self._steps / self._span_s if self._span_s > 0 else self.nominal_hz

    @property
    def is_off(self) -> bool:
        """Whether the rate differs from the nominal one by more than ``RATE_TOLERANCE``."""
        return self._steps > 100 and abs(self.measured_hz / self.nominal_hz - 1) > RATE_TOLERANCE
