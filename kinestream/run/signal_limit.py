"""Ends a run after some seconds of signal, to the sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kinestream.core.chunk_form import signal_s
from kinestream.core.recent import Recent

if TYPE_CHECKING:
    from kinestream.core.signals import SampleChunk


class SignalLimit:
    """Cuts the chunk in which the longest stream reaches the limit.

    Args:
        limit_s: seconds of signal at the announced rate; None: no limit.

    >>> SignalLimit(None).cut("any chunk")
    ('any chunk', False)
    """

    def __init__(self, limit_s: float | None) -> None:
        self._limit_s = limit_s
        self._read_s = Recent[str, float]()

    def cut(self, chunk: SampleChunk) -> tuple[SampleChunk, bool]:
        """Return the chunk, cut at the limit, and whether the limit is reached."""
        if self._limit_s is None:
            return chunk, False
        read_s = self._read_s.get(chunk.stream, 0.0)
        if not signal_s(chunk):
            return chunk, False
        room = (self._limit_s - read_s) * chunk.fs_hz - 1e-6  # a sum of floats may fall short of the limit
        if len(chunk) > room:
            return chunk.part(0, max(1, math.ceil(room))), True
        self._read_s[chunk.stream] = read_s + signal_s(chunk)
        return chunk, False
