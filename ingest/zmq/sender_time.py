"""Times of the messages of any sender: checked against the time when the sender had each message, and repaired."""

from __future__ import annotations

from dataclasses import replace

from kinestream.core.recent import Recent
from kinestream.core.signals import SampleChunk

from ..timing.sender_stamps import SenderStamps


class SenderTime:
    """Repairs the times of chunks whose stamps are on another clock than ``received_s``, or come in bursts.

    Sound times are passed on bit for bit.

    >>> import numpy as np
    >>> values = np.zeros((2, 3), np.float32)
    >>> chunk = SampleChunk("wrist", "a", np.array([0.0, 0.02]), values, ("x", "y", "z"), 50.0, 0, 0.03)
    >>> time = SenderTime()
    >>> time.repaired(chunk) is chunk, time.remarks("wrist")
    (True, ())
    """

    def __init__(self) -> None:
        self._epochs = Recent[str, _Epoch]()  # the newest of each stream
        self._remarks = Recent[str, _Epoch]()

    def repaired(self, chunk: SampleChunk) -> SampleChunk:
        """Return the chunk with repaired times, under a new epoch name from where its time restarts."""
        epoch = self._epochs.get(chunk.stream)
        if epoch is None or epoch.session != chunk.session:
            epoch = self._epochs[chunk.stream] = _Epoch(chunk)
        t, restarted = epoch.stamps.push(chunk.t, chunk.received_s)
        epoch.restarts += restarted
        if t is chunk.t and not epoch.restarts:
            return chunk
        self._remarks[chunk.stream] = epoch
        session = f"{chunk.session}~{epoch.restarts + 1}" if epoch.restarts else chunk.session
        return replace(chunk, t=t, session=session, received_s=chunk.received_s * epoch.stamps.arrival_unit_s)

    def remarks(self, stream: str) -> tuple[str, ...]:
        """Return what was repaired of a stream, one line each."""
        epoch = self._remarks.get(stream)
        return epoch.stamps.remarks() if epoch else ()


class _Epoch:
    def __init__(self, chunk: SampleChunk) -> None:
        self.session = chunk.session
        self.stamps = SenderStamps(chunk.fs_hz, its_clock="the clock on which its messages were sent")
        self.restarts = 0
