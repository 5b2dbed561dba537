"""What a sensor sent during one step of ``kinestream wear``, in one piece, and how it is cut out of a stream."""

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
    """Some seconds of one sensor."""

    t: Floats
    """(n,) seconds."""
    x: Floats
    """(n, channels) as the source gave them: SI units if all is well."""
    channels: tuple[str, ...]
    fs_hz: float
    """As announced."""
    session: NDArray[np.intp]
    """(n,) the number of the session each sample belongs to."""
    lost: int
    """Samples that the sequence numbers say are missing."""
    age_s: Floats
    """(chunks,) how old each chunk's newest sample was when it came."""
    t_device: Floats | None = None
    """(n,) seconds on the device's own clock, where the source tells."""

    @classmethod
    def of(cls, chunks: Sequence[SampleChunk]) -> Stretch:
        """Consecutive chunks of one stream, at least one."""
        session: list[NDArray[np.intp]] = []
        lost = number = 0
        before: SampleChunk | None = None
        for chunk in chunks:
            if before is not None:
                if chunk.session != before.session:
                    number += 1
                else:
                    lost += max(0, chunk.seq - before.seq - len(before))
            session.append(np.full(len(chunk), number))
            before = chunk
        stamps = [chunk.t_device for chunk in chunks if chunk.t_device is not None]
        return cls(
            t=np.concatenate([chunk.t for chunk in chunks]),
            x=np.concatenate([chunk.x for chunk in chunks]).astype(np.float64),
            channels=chunks[0].channels,
            fs_hz=chunks[0].fs_hz,
            session=np.concatenate(session),
            lost=lost,
            age_s=np.array([chunk.received_s - chunk.t[-1] for chunk in chunks]),
            t_device=np.concatenate(stamps) if len(stamps) == len(chunks) else None,
        )

    def __len__(self) -> int:
        return len(self.t)

    @property
    def steps_s(self) -> Floats:
        """The times between neighbouring samples of one session."""
        return np.diff(self.t)[np.diff(self.session) == 0]

    def columns(self, names: Sequence[str]) -> Floats | None:
        """(n, len(names)); None where the sensor lacks one of them."""
        if any(name not in self.channels for name in names):
            return None
        return self.x[:, [self.channels.index(name) for name in names]]

    def edge(self, seconds: float) -> NDArray[np.bool_]:
        """Which samples lie within the first ``seconds``, or if negative within the last."""
        return self.t <= self.t[0] + seconds if seconds > 0 else self.t >= self.t[-1] + seconds


@dataclass(frozen=True, slots=True)
class Stretches:
    """All that was recorded of one sensor, by what the wearer did."""

    table: Stretch
    """It lay still."""
    moved: Stretch
    """They bent forward; or for a model without a place of its sensor, turned it over onto an edge."""
    worn: Stretch | None = None
    """They stood with it on."""
    turned: Stretch | None = None
    """They turned left on the spot."""

    def all(self) -> list[Stretch]:
        return [one for one in (self.table, self.worn, self.moved, self.turned) if one is not None]


def part_as_sent(chunk: SampleChunk, start: int, stop: int) -> SampleChunk:
    """Return samples start to stop, as late on arrival as the whole chunk: a chunk's age is its newest sample's."""
    part = chunk.part(start, stop)
    return replace(part, received_s=chunk.received_s - (chunk.t[-1] - part.t[-1]))
