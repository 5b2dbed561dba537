"""What timing says of a packet's samples and of a stream's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.source import LinkStatus


class Timed(NamedTuple):
    """The times of one packet's samples, as plain numbers: many a packet has one sample, which needs no array."""

    n: int
    first_s: float
    """When the first was taken, on the host's clock; strictly ascending, also over packets until a ``fresh`` one."""
    step_s: float
    """Between two of the samples."""
    lost: int = 0
    """Samples that were taken between the packet before and this one, or shortly before, and never came."""
    fresh: bool = False
    """The device's time began anew: what follows belongs to a new session, and its times may step back."""
    device_s: float | None = None
    """When the last sample was taken on the device's own clock, unwrapped; None for devices that tell no time."""
    device_step_s: float = 0.0
    """Between two of the samples on that clock."""

    @property
    def t(self) -> NDArray[np.float64]:
        """(n,) seconds on the host's clock."""
        return np.arange(self.n, dtype=np.float64) * self.step_s + self.first_s

    @property
    def t_device(self) -> NDArray[np.float64] | None:
        """(n,) seconds on the device's own clock, where it has one."""
        if self.device_s is None:
            return None
        return self.device_s - self.device_step_s * np.arange(self.n - 1, -1, -1, dtype=np.float64)


def host_times(run: Sequence[Timed]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """``t`` and ``t_device`` of packets that follow one another: (samples,) each; the latter if each packet has it."""
    if all(timed.n == 1 for timed in run):
        t = np.array([timed.first_s for timed in run])
        t_device = [timed.device_s for timed in run if timed.device_s is not None]
        return t, np.array(t_device) if len(t_device) == len(run) else None
    device = [each for timed in run if (each := timed.t_device) is not None]
    return np.concatenate([timed.t for timed in run]), np.concatenate(device) if len(device) == len(run) else None


@dataclass(frozen=True, slots=True)
class TimeStatus:
    """What is known of a stream's time, for a person."""

    kind: Literal["device clock", "packet counter", "arrivals"]
    state: Literal["waiting", "settling", "fitted"]
    """``fitted``: the line rests on enough packets to be trusted."""
    rate_hz: float
    """The true rate as far as known; the nominal one before."""
    slope_ppm: float
    """By how much the device's clock is slow against the host's; without one, its sampling period is long."""
    jitter_ms: float
    """How far above the fastest a packet is on average: the latency that varies."""
    age_ms: float
    """How old the newest sample was on arrival, but for the part of the latency that is always there."""
    lost: int
    """Samples found missing."""
    gaps: int
    """Places at which samples were missing."""
    outliers: int
    """Packets whose stamp or number made no sense and was set aside; their samples were timed by their place."""
    jumps: int
    """How often the device's time began anew."""


def timed_link(link: LinkStatus, time: TimeStatus) -> LinkStatus:
    """What is known of a link, with what is known of its stream's time."""
    return replace(
        link,
        clock=f"{time.kind}, {time.state}",
        slope_ppm=time.slope_ppm,
        jitter_ms=time.jitter_ms,
        age_ms=time.age_ms,
    )


class HostClock(Protocol):
    """Times one stream's samples over one connection."""

    def push(self, n: int, received_s: float, device_time: int | None = None, counter: int | None = None) -> Timed:
        """The times of the next packet's samples.

        Args:
            n: how many samples it has, at least 1.
            received_s: when it arrived, on the host's monotonic clock; not before the packet before it.
            device_time, counter: raw, as the packet carries them.
        """
        ...

    def status(self) -> TimeStatus: ...
