"""A device told to sample less: the settings that come nearest to the wish without sending less than asked."""

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


@lru_cache(maxsize=64)  # a link asks again and again while a wish stands
def spared(profile: Profile, settings: Settings, sensing: Sensing) -> Settings | None:
    """The settings under which a device of this kind runs as wished, or nearly so.

    Args:
        settings: those it was set up with; what they say of ranges and magnetometer stays.
    Returns:
        None where the device cannot be told, or does not send more than is wished.
    """
    if not profile.obeys:
        return None
    wish, rate_hz = settings, min(group.fs_hz for group in _groups(profile, settings))
    for slower_hz in _from(sensing.fs_hz, rate_hz):
        if _possible(profile, slower := replace(settings, rate_hz=slower_hz)):
            wish = slower
            break
    still = replace(wish, gyro=False)
    if not sensing.gyro and _has_gyro(profile, wish) and _possible(profile, still) and not _has_gyro(profile, still):
        wish = still
    return None if wish == settings else wish


def _from(least_hz: float, below_hz: float) -> Iterator[float]:
    """Rates a device may have, the wished one first, none that it does not send less by."""
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
