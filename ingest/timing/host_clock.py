"""When samples were taken: from what a device tells of time, and the moment its packets arrive, to the host's clock.

``host_clock(fs_hz, clock)`` gives the right one of three ways:

- ``StampedTime``: the device stamps its packets (``device_time``);
- ``CountedTime``: it numbers them (``device_time``);
- ``ArrivalTime``: it does neither, and the arrivals must tell (``arrival_time``).

All are pure: the same packets give the same times. A reconnect needs a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arrival_time import ArrivalTime
from .device_time import CountedTime, StampedTime

if TYPE_CHECKING:
    from ..profile.decoder import Clock
    from .timed import HostClock


def host_clock(fs_hz: float, clock: Clock, on_change: bool = False) -> HostClock:
    """The way to time a device's samples.

    Args:
        fs_hz: the nominal rate.
        clock: what the packets carry.
        on_change: samples come only when a value has changed: a missing one is not lost.
    """
    if clock.tick_s is not None:
        return StampedTime(fs_hz, clock)
    if clock.counter_modulus is not None:
        return CountedTime(fs_hz, clock)
    return ArrivalTime(fs_hz, on_change)
