"""Results of timing: the times of a packet's samples and the state of a stream's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.source import LinkStatus


class Timed(NamedTuple):
    """The times of one packet's samples, as plain numbers: packets often have one sample, which needs no array.

    >>> Timed(n=3, first_s=1.0, step_s=0.5).t.tolist()
    [1.0, 1.5, 2.0]
    """

    n: int
    first_s: float
    """Time of the first sample on the host's clock; strictly ascending, also across packets until ``restarted``."""
    step_s: float
    """Time between two samples."""
    lost: int = 0
    """Samples between the previous packet and this one that never arrived, as a clock or a counter proves."""
    restarted: bool = False
    """The device's time restarted: this packet starts a new epoch, and times may step back."""
    device_s: float | None = None
    """Time of the last sample on the device's own clock, unwrapped; None for devices without a clock."""
    device_step_s: float = 0.0
    """Time between two samples on that clock."""

    @property
    def t(self) -> NDArray[np.float64]:
        """(n,) seconds on the host's clock."""
        return np.arange(self.n, dtype=np.float64) * self.step_s + self.first_s

    @property
    def t_device(self) -> NDArray[np.float64] | None:
        """(n,) seconds on the device's own clock; None without one."""
        if self.device_s is None:
            return None
        return self.device_s - self.device_step_s * np.arange(self.n - 1, -1, -1, dtype=np.float64)


def host_times(run: Sequence[Timed]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """``t`` and ``t_device`` of consecutive packets, (samples,) each; the latter only if every packet has it."""
    if all(timed.n == 1 for timed in run):
        t = np.array([timed.first_s for timed in run])
        t_device = [timed.device_s for timed in run if timed.device_s is not None]
        return t, np.array(t_device) if len(t_device) == len(run) else None
    device = [times for timed in run if (times := timed.t_device) is not None]
    return np.concatenate([timed.t for timed in run]), np.concatenate(device) if len(device) == len(run) else None


@dataclass(frozen=True, slots=True)
class TimeStatus:
    """The state of a stream's clock, for display."""

    kind: Literal["device clock", "packet counter", "arrivals"]
    state: Literal["waiting", "settling", "fitted"]
    """``fitted``: the line rests on enough packets to be reliable."""
    rate_hz: float
    """The measured rate, or the nominal one until it is known; of arrivals, that at which samples arrive."""
    slope_ppm: float
    """Slowness of the device's clock against the host's; without a clock, excess of its sampling period."""
    jitter_ms: float
    """Mean latency above the fastest packets: the varying part of the latency."""
    age_ms: float
    """Age of the newest sample on arrival, without the constant part of the latency."""
    lost: int
    """Samples that a clock or a counter proves missing; 0 if only the arrivals are known, which prove nothing."""
    gaps: int
    """Number of separate losses; of arrivals, number of gaps in time."""
    outliers: int
    """Packets with an implausible stamp or number; their samples were timed by their position."""
    jumps: int
    """Number of restarts of the device's time."""


def timed_link(link: LinkStatus, time: TimeStatus) -> LinkStatus:
    """The status of a link, completed by the status of its stream's clock."""
    return replace(
        link,
        clock=f"{time.kind}, {time.state}",
        slope_ppm=None if time.kind == "arrivals" else time.slope_ppm,
        jitter_ms=time.jitter_ms,
        age_ms=time.age_ms,
    )


class HostClock(Protocol):
    """Times the samples of one stream within one epoch."""

    def push(self, n: int, received_s: float, device_time: int | None = None, counter: int | None = None) -> Timed:
        """The times of the next packet's samples.

        Args:
            n: number of samples, at least 1.
            received_s: arrival time on the host's monotonic clock, not before that of the previous packet.
            device_time, counter: raw values from the packet.
        """
        ...

    def status(self) -> TimeStatus:
        """The current state of the clock."""
        ...
