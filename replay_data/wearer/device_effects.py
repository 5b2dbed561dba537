"""Simulated effects of the device and the radio: clock drift, timestamp jitter and lost packets."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PACKET = 10
"""Samples in a packet, which arrive or are lost together, as over Bluetooth."""
_BLOCK = 1024
"""Packets drawn at once, so that the fate of any packet is known without the earlier ones."""
_MAX_JITTER = 0.45
"""Largest jitter in sample periods: a timestamp never passes its neighbour's."""
MEAN_PAUSE_S = 8.0
"""Mean length of a radio pause beyond its first second."""


@dataclass(frozen=True, slots=True)
class DeviceEffects:
    """Simulated faults of the device and the radio, all off by default.

    >>> DeviceEffects(loss=0.05, jitter_ms=3)
    DeviceEffects(loss=0.05, jitter_ms=3, drift_ppm=0.0, gaps_per_hour=0.0)

    Raises:
        ConfigError: a setting is out of its range.
    """

    loss: float = 0.0
    """Share of packets that never arrive, 0 to 1."""
    jitter_ms: float = 0.0
    """Standard deviation of the timestamps, clipped at 0.45 sample periods."""
    drift_ppm: float = 0.0
    """Deviation of the device's sampling rate in parts per million; positive is too fast."""
    gaps_per_hour: float = 0.0
    """Number of radio pauses per hour, each at least 1 s and 9 s on average."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or (value < 0 and field.name != "drift_ppm"):
                raise ConfigError(f"{field.name} {value}: expected a number of 0 or more")
        if self.loss >= 1:
            raise ConfigError(f"loss {self.loss}: expected a share below 1")
        if abs(self.drift_ppm) > 100_000:
            raise ConfigError(f"drift_ppm {self.drift_ppm}: expected -100000 to 100000 (10 %)")


class Device:
    """One person's sensor: when each packet's samples were taken and whether it arrives.

    Args:
        rate_hz: the nominal rate.
        seed: the same seed loses the same packets.
    """

    def __init__(self, effects: DeviceEffects, rate_hz: float, seed: int) -> None:
        self._effects = effects
        self._rate_hz = rate_hz
        self._seed = seed
        self._drawn = -1
        self._silent = self._lost = np.empty(0, np.bool_)
        self._jitter_s = np.empty((0, PACKET))

    @property
    def true_rate_hz(self) -> float:
        """The device's actual sampling rate, with drift."""
        return self._rate_hz * (1 + self._effects.drift_ppm * 1e-6)

    def times_s(self, packet: int) -> NDArray[np.float64]:
        """(PACKET,) timestamps of the samples; without jitter, the first packet starts at 0."""
        t = (packet * PACKET + np.arange(PACKET)) / self.true_rate_hz
        if self._effects.jitter_ms:
            self._draw(packet)
            t = t + self._jitter_s[packet % _BLOCK]
        return t

    def arrives(self, packet: int) -> bool:
        """Whether the packet reaches the host."""
        self._draw(packet)
        return not (self._lost[packet % _BLOCK] or self._silent[packet % _BLOCK])

    def falls_silent(self, packet: int) -> bool:
        """Whether the packet is the first of a radio pause."""
        self._draw(packet)
        at = packet % _BLOCK
        return bool(self._silent[at] and not (at and self._silent[at - 1]))

    def _draw(self, packet: int) -> None:
        block = packet // _BLOCK
        if block == self._drawn:
            return
        rng = np.random.default_rng([self._seed, 4, block])
        self._lost = rng.random(_BLOCK) < self._effects.loss
        limit_s = _MAX_JITTER / self._rate_hz
        jitter_s = rng.standard_normal((_BLOCK, PACKET)) * self._effects.jitter_ms / 1000
        self._jitter_s = np.clip(jitter_s, -limit_s, limit_s)
        packet_s = PACKET / self._rate_hz
        self._silent = np.zeros(_BLOCK, np.bool_)
        for _ in range(rng.poisson(self._effects.gaps_per_hour * _BLOCK * packet_s / 3600)):
            start = rng.integers(_BLOCK)
            length_s = 1 + rng.exponential(MEAN_PAUSE_S)
            self._silent[start : start + math.ceil(length_s / packet_s)] = True
        self._drawn = block
