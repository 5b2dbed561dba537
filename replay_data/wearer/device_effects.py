"""What stands between a body and the host: a clock that is off, stamps that tremble, packets that are lost."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PACKET = 10
"""Samples in a packet; they arrive or get lost together, as over Bluetooth."""
_BLOCK = 1024
"""Packets whose fate is drawn at once, so that any of them is known without those before."""
_MOST_JITTER = 0.45
"""In sample periods: a stamp never passes its neighbour's."""
MEAN_PAUSE_S = 8.0


@dataclass(frozen=True, slots=True)
class DeviceEffects:
    """All off by default.

    Raises:
        ConfigError: a setting is out of its range.
    """

    loss: float = 0.0
    """Share of packets that never arrive, 0 to 1."""
    jitter_ms: float = 0.0
    """Standard deviation of a sample's stamp; cut off at 0.45 sample periods."""
    drift_ppm: float = 0.0
    """How much too fast the device samples, in millionths."""
    gaps_per_hour: float = 0.0
    """How often the radio falls silent, for 1 s and longer, 9 s on average."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or (value < 0 and field.name != "drift_ppm"):
                raise ConfigError(f"{field.name} {value}: expected a number from 0 on")
        if self.loss >= 1:
            raise ConfigError(f"loss {self.loss}: expected a share below 1")
        if abs(self.drift_ppm) > 100_000:
            raise ConfigError(f"drift_ppm {self.drift_ppm}: expected at most 100000 (10 %) either way")


class Device:
    """One person's sensor: when each packet's samples were taken and whether it arrives.

    Args:
        rate_hz: the nominal rate.
        seed: same seed, same fate.
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
        """The rate at which the device really samples."""
        return self._rate_hz * (1 + self._effects.drift_ppm * 1e-6)

    def times_s(self, packet: int) -> NDArray[np.float64]:
        """(PACKET,) stamps of the samples, the first packet's first sample at 0 but for jitter."""
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
        """Whether the packet is the first of a pause of the radio."""
        self._draw(packet)
        at = packet % _BLOCK
        return bool(self._silent[at] and not (at and self._silent[at - 1]))

    def _draw(self, packet: int) -> None:
        block = packet // _BLOCK
        if block == self._drawn:
            return
        rng = np.random.default_rng([self._seed, 4, block])
        self._lost = rng.random(_BLOCK) < self._effects.loss
        most_s = _MOST_JITTER / self._rate_hz
        jitter_s = rng.standard_normal((_BLOCK, PACKET)) * self._effects.jitter_ms / 1000
        self._jitter_s = np.clip(jitter_s, -most_s, most_s)
        packet_s = PACKET / self._rate_hz
        self._silent = np.zeros(_BLOCK, np.bool_)
        for _ in range(rng.poisson(self._effects.gaps_per_hour * _BLOCK * packet_s / 3600)):
            start = rng.integers(_BLOCK)
            length_s = 1 + rng.exponential(MEAN_PAUSE_S)
            self._silent[start : start + math.ceil(length_s / packet_s)] = True
        self._drawn = block
