"""Sample times on the host's clock, from the times or counters in a device's packets and from their arrivals.

``host_clock(fs_hz, clock)`` chooses one of three methods:

- ``StampedTime`` (module ``device_time``): the device stamps its packets;
- ``CountedTime`` (module ``device_time``): the device numbers its packets;
- ``ArrivalTime`` (module ``arrival_time``): it does neither, so times and rate follow from the arrivals, and nothing is
  called lost.

All are pure: the same packets give the same times. Each epoch needs a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arrival_time import ArrivalTime
from .device_time import CountedTime, StampedTime

if TYPE_CHECKING:
    from ..profile.decoder import Clock
    from .timed import HostClock


def host_clock(fs_hz: float, clock: Clock, on_change: bool = False) -> HostClock:
    """A new host clock for a device's samples.

    Args:
        fs_hz: the nominal rate.
        clock: the time or counter that the packets carry.
        on_change: the device sends a sample only when a value has changed, so a missing sample is not a loss.

    >>> from kinestream.ingest.profile import Clock
    >>> clock = host_clock(50.0, Clock(tick_s=1e-3))
    >>> clock.push(2, received_s=10.0, device_time=0).t.tolist()
    [9.98, 10.0]
    """
    if clock.tick_s is not None:
        return StampedTime(fs_hz, clock)
    if clock.counter_modulus is not None:
        return CountedTime(fs_hz, clock)
    return ArrivalTime(fs_hz, on_change)
