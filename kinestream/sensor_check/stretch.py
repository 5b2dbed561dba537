"""The samples of one step of ``kinestream wear`` in one piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import SampleChunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A few seconds of one sensor."""

    t: Floats
    """(n,) seconds."""
    x: Floats
    """(n, channels) as the source sent them: in SI units if the sensor is set up correctly."""
    channels: tuple[str, ...]
    fs_hz: float
    """The announced rate."""
    epoch: NDArray[np.intp]
    """(n,) the number of the epoch that each sample belongs to."""
    lost: int
    """Samples missing by sequence number."""
    age_s: Floats
    """(chunks,) age of each chunk's newest sample on arrival."""
    t_device: Floats | None = None
    """(n,) seconds on the device's own clock; None: the source does not send it."""

    @classmethod
    def of(cls, chunks: Sequence[SampleChunk]) -> Stretch:
        """The stretch that consecutive chunks of one stream form; at least one chunk."""
        epochs: list[NDArray[np.intp]] = []
        lost = number = 0
        before: SampleChunk | None = None
        for chunk in chunks:
            if before is not None:
                if chunk.session != before.session:
                    number += 1
                else:
                    lost += max(0, chunk.seq - before.seq - len(before))
            epochs.append(np.full(len(chunk), number))
            before = chunk
        stamps = [chunk.t_device for chunk in chunks if chunk.t_device is not None]
        return cls(
            t=np.concatenate([chunk.t for chunk in chunks]),
            x=np.concatenate([chunk.x for chunk in chunks]).astype(np.float64),
            channels=chunks[0].channels,
            fs_hz=chunks[0].fs_hz,
            epoch=np.concatenate(epochs),
            lost=lost,
            age_s=np.array([chunk.received_s - chunk.t[-1] for chunk in chunks]),
            t_device=np.concatenate(stamps) if len(stamps) == len(chunks) else None,
        )

    def __len__(self) -> int:
        return len(self.t)

    @property
    def steps_s(self) -> Floats:
        """The time steps between neighbouring samples of one epoch."""
        return np.diff(self.t)[np.diff(self.epoch) == 0]

    def columns(self, names: Sequence[str]) -> Floats | None:
        """(n, len(names)) the named channels; None if the sensor lacks one of them."""
        if any(name not in self.channels for name in names):
            return None
        return self.x[:, [self.channels.index(name) for name in names]]

    def edge(self, seconds: float) -> NDArray[np.bool_]:
        """(n,) whether each sample lies within the first ``seconds``, or within the last if negative."""
        return self.t <= self.t[0] + seconds if seconds > 0 else self.t >= self.t[-1] + seconds


@dataclass(frozen=True, slots=True)
class Stretches:
    """The recorded stretches of one sensor, by what the wearer did."""

    table: Stretch
    """The sensor lay still."""
    moved: Stretch
    """The wearer bent forward; for a model without a known place, turned the sensor by hand onto an edge."""
    worn: Stretch | None = None
    """The wearer stood with the sensor on."""
    turned: Stretch | None = None
    """The wearer turned left on the spot."""

    def all(self) -> list[Stretch]:
        """The stretches that there are, in the order of recording."""
        return [stretch for stretch in (self.table, self.worn, self.moved, self.turned) if stretch is not None]


def part_as_sent(chunk: SampleChunk, start: int, stop: int) -> SampleChunk:
    """Samples start to stop with the age of the whole chunk, which is the age of its newest sample."""
    part = chunk.part(start, stop)
    return replace(part, received_s=chunk.received_s - (chunk.t[-1] - part.t[-1]))
