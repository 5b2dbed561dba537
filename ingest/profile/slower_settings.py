"""Settings that make a device sample less: those nearest to a request that still deliver at least what it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING

from kinestream.core.errors import ConfigError
from kinestream.core.signals import GYRO

if TYPE_CHECKING:
    from kinestream.core.signals import Sensing

    from .decoder import Group
    from .profile import Profile, Settings


@lru_cache(maxsize=64)  # a link asks repeatedly while a request stands
def slower_settings(profile: Profile, settings: Settings, sensing: Sensing) -> Settings | None:
    """The settings with which a device of this kind comes nearest to ``sensing``.

    Args:
        settings: its original settings; their ranges and magnetometer stay.
        sensing: the requested rate and gyroscope use.
    Returns:
        None if the device cannot be reconfigured, or already sends no more than requested.

    >>> from kinestream.core.signals import Sensing
    >>> from kinestream.ingest.devices import find_profile
    >>> from kinestream.ingest.profile import Settings
    >>> slower_settings(find_profile("polar"), Settings(rate_hz=104), Sensing(40.0)).rate_hz
    50.0
    """
    if not profile.configurable:
        return None
    slower, rate_hz = settings, min(group.fs_hz for group in _groups(profile, settings))
    for slower_hz in _from(sensing.fs_hz, rate_hz):
        if _possible(profile, candidate := replace(settings, rate_hz=slower_hz)):
            slower = candidate
            break
    without_gyro = replace(slower, gyro=False)
    if (
        not sensing.gyro
        and _has_gyro(profile, slower)
        and _possible(profile, without_gyro)
        and not _has_gyro(profile, without_gyro)
    ):
        slower = without_gyro
    return None if slower == settings else slower


def _from(least_hz: float, below_hz: float) -> Iterator[float]:
    """Rates to try, the requested one first, all below the device's present rate."""
    if least_hz < below_hz:
        yield least_hz
        yield from (float(hz) for hz in range(ceil(least_hz), ceil(below_hz)))


def _groups(profile: Profile, settings: Settings) -> tuple[Group, ...]:
    return profile.plan(settings).decoder().groups


def _possible(profile: Profile, settings: Settings) -> bool:
    try:
        profile.plan(settings)
    except ConfigError:
        return False
    return True


def _has_gyro(profile: Profile, settings: Settings) -> bool:
    return any(name in GYRO for group in _groups(profile, settings) for name in group.channels)
