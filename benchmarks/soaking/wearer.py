"""A synthetic wearer whose sensor misbehaves, in a seeded order: its packets, and what happens to each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kinestream.core.signals import ACC, GYRO, SampleChunk
from kinestream.replay_data import simulate

if TYPE_CHECKING:
    from kinestream.core.input_spec import InputSpec

from .ledger import Ledger

POOL_S = 1800.0
"""Length of the motion that is synthesised once; bouts of it are drawn again and again."""
DRAWN_SAMPLES = 6000
FLOOD_S = 900.0
"""How much signal a flood sends as fast as it can."""
QUIET_S = 180.0
"""No harm is done this long before the end, so that every loss but the last ones can be proven."""

PER_HOUR = {
    "left_out": 12.0,
    "repeated": 6.0,
    "repeated_block": 2.0,
    "new_epoch": 1.0,
    "same_epoch_name": 0.5,
    "lost_head": 0.5,
    "clock_forward": 0.5,
    "clock_back": 0.5,
    "clock_slightly_back": 1.0,
    "held_back": 4.0,
    "silence": 2.0,
    "long_silence": 0.1,
    "not_finite": 3.0,
    "new_rate": 0.5,
    "new_channels": 0.3,
}
"""How often each harm is done to a wearer in an hour."""
FLOODER = {"left_out": 12.0, "flood": 2.0, "held_back": 4.0, "silence": 2.0, "not_finite": 3.0}
"""The same for the sender that never waits for its receiver."""
CLOSER = {**PER_HOUR, "clean_end": 0.5}
"""The same for the sender that also stops and starts again."""

RATES_HZ = ((50.0, 50.0), (50.0, 48.5), (100.0, 97.0), (50.0, 51.9), (25.0, 25.3), (50.0, 49.9), (50.0, 50.0))
"""Announced and true rates of the wearers."""
PACKET_SAMPLES = (10, 5, 8, 10, 6, 5, 10)


class Step(NamedTuple):
    """What the sender does next."""

    kind: str
    """``chunk``: send it; ``again``: send a copy; ``flood``: hurry for ``until_s``; ``end``: stop and start again."""
    now_s: float
    """Seconds since the wearer put the sensor on."""
    chunk: SampleChunk | None = None
    until_s: float = 0.0


@dataclass
class _Clock:
    """The sensor's clock: the time of a sample from its number since the last jump."""

    start_s: float
    rate_hz: float
    samples: int = 0

    @property
    def next_s(self) -> float:
        return self.start_s + self.samples / self.rate_hz


class MisbehavingWearer:
    """One wearer's sensor.

    Args:
        index, wearers: which of how many; the last one floods, the one before it stops and starts again.
        hours: simulated hours.
        seed: decides every harm.
        spec: the receiving model's input, for the ledger.
        stops: whether a sender of this kind can stop and start again.

    >>> from kinestream.core.input_spec import InputSpec
    >>> wearer = MisbehavingWearer(0, 8, 0.1, seed=1, spec=InputSpec(ACC, fs_hz=50.0, length=128, hop=64))
    >>> next(wearer.steps()).chunk
    <SampleChunk 'wearer-0' session 'epoch-1': 10 samples from 0, 6 channels at 50 Hz>
    """

    def __init__(
        self, index: int, wearers: int, hours: float, seed: int, spec: InputSpec, *, stops: bool = True
    ) -> None:
        self.name = f"wearer-{index}"
        self.floods = index == wearers - 1
        self.ledger = Ledger(spec)
        harms = FLOODER if self.floods else CLOSER if stops and index == wearers - 2 else PER_HOUR
        self._rng = np.random.default_rng([seed, index])
        self._pool = simulate(seed + index, POOL_S)
        self._end_s = 3600.0 * hours
        self._due = self._schedule(harms, hours)
        self._announced_hz, true_hz = RATES_HZ[index % len(RATES_HZ)]
        self._factor = true_hz / self._announced_hz
        self._size = PACKET_SAMPLES[index % len(PACKET_SAMPLES)]
        self._labelled = index % 2 == 0
        self._channels = (*ACC, *GYRO)
        self._now_s = 0.0
        self._clock = _Clock(1000.0 * index, true_hz)
        self._at, self._left = 0, 0
        self._seq, self._epoch, self._epochs = 0, "", 0
        self._sent: deque[SampleChunk] = deque(maxlen=6)
        self._packets_left_out = 0
        self._broken, self._heard, self._needs_head = False, False, False

    def steps(self) -> Iterator[Step]:
        """Yield what the sender does, and write it into the ledger."""
        self._begin()
        while self._now_s < self._end_s:
            while self._due and self._due[0][0] <= self._now_s:
                _, kind = self._due.popleft()
                self.ledger.harms[kind] += 1
                yield from getattr(self, f"_{kind}")()
            yield from self._send(self._packet())
        self.ledger.ended()

    def _schedule(self, harms: dict[str, float], hours: float) -> deque[tuple[float, str]]:
        """Every kind at least once, at any time but the last minutes."""
        latest_s = max(0.7 * self._end_s, self._end_s - QUIET_S)
        due = [
            (float(at_s), kind)
            for kind, per_hour in harms.items()
            for at_s in self._rng.uniform(10.0, latest_s, max(1, round(per_hour * hours)))
        ]
        return deque(sorted(due))

    def _packet(self) -> SampleChunk:
        n = self._size
        if self._left < n:
            self._at = int(self._rng.integers(0, len(self._pool.t) - DRAWN_SAMPLES))
            self._left = DRAWN_SAMPLES
        part = slice(self._at, self._at + n)
        self._at, self._left = self._at + n, self._left - n
        clock, fs_hz = self._clock, self._announced_hz
        t = clock.next_s + np.arange(n) / clock.rate_hz
        clock.samples += n
        x = self._pool.x[part, : len(self._channels)]
        if self._broken:
            self._broken = False
            x = x.copy()
            x[self._rng.integers(0, n), 0] = self._rng.choice([np.nan, np.inf, -np.inf, 1e9])
        labels = self._pool.labels[part] if self._labelled and self._pool.labels is not None else None
        names = self._pool.label_names if labels is not None else ()
        seq, self._seq = self._seq, self._seq + n
        self._now_s += n / clock.rate_hz
        received_s = float(t[-1]) + 0.01
        return SampleChunk(self.name, self._epoch, t, x, self._channels, fs_hz, seq, received_s, labels, names)

    def _send(self, chunk: SampleChunk) -> Iterator[Step]:
        if self._packets_left_out:
            self._packets_left_out -= 1
            self.ledger.left_out(len(chunk))
            return
        self.ledger.sent(chunk)
        self._heard, self._needs_head = True, False
        self._sent.append(chunk)
        yield Step("chunk", self._now_s, chunk)

    def _again(self, chunk: SampleChunk) -> Step:
        self.ledger.repeated()
        return Step("again", self._now_s, chunk)

    def _begin(self, name: str = "") -> None:
        self._epochs += 1
        self._epoch = name or f"epoch-{self._epochs}"
        self._seq, self._heard, self._needs_head = 0, False, bool(name)
        self.ledger.begin(self._epoch)

    def _pause(self, seconds: float) -> None:
        self._now_s += seconds
        self._jump(seconds)

    def _jump(self, seconds: float) -> None:
        self._clock = _Clock(self._clock.next_s + seconds, self._clock.rate_hz)

    # The harms, by their names in the tables above.

    def _left_out(self) -> Iterable[Step]:
        if not self._needs_head:
            self._packets_left_out = int(self._rng.integers(1, 9))
        return ()

    def _repeated(self) -> Iterable[Step]:
        return (self._again(self._sent[-1]),) if self._sent else ()

    def _repeated_block(self) -> Iterable[Step]:
        """A first message among older ones would be a restart: a receiver cannot tell it from one."""
        return [self._again(chunk) for chunk in self._sent if chunk.seq or chunk is self._sent[-1]]

    def _new_epoch(self) -> Iterable[Step]:
        self._pause(float(self._rng.uniform(0.1, 20.0)))
        self._begin()
        return ()

    def _same_epoch_name(self) -> Iterable[Step]:
        """Only the first message shows the restart, so it is not left out."""
        if self._heard:
            self._pause(float(self._rng.uniform(0.1, 20.0)))
            self._packets_left_out = 0
            self._begin(self._epoch)
        return ()

    def _lost_head(self) -> Iterable[Step]:
        self._new_epoch()
        return self._left_out()

    def _clock_forward(self) -> Iterable[Step]:
        self._jump(float(self._rng.uniform(0.5, 3600.0)))
        return ()

    def _clock_back(self) -> Iterable[Step]:
        self._jump(-float(self._rng.uniform(0.5, 3600.0)))
        return ()

    def _clock_slightly_back(self) -> Iterable[Step]:
        self._jump(-float(self._rng.uniform(0.02, 0.2)))
        return ()

    def _held_back(self) -> Iterable[Step]:
        """Packets of some seconds arrive together."""
        held = [self._packet() for _ in range(int(self._rng.integers(10, 50)))]
        return [step for chunk in held for step in self._send(replace(chunk, received_s=held[-1].received_s))]

    def _silence(self) -> Iterable[Step]:
        self._pause(float(self._rng.uniform(1.0, 60.0)))
        return ()

    def _long_silence(self) -> Iterable[Step]:
        self._pause(float(self._rng.uniform(300.0, 900.0)) if self._end_s > 7200 else 61.0)
        return ()

    def _not_finite(self) -> Iterable[Step]:
        self._broken = True
        return ()

    def _new_rate(self) -> Iterable[Step]:
        others = [rate_hz for rate_hz in (25.0, 50.0, 100.0) if rate_hz != self._announced_hz]
        self._announced_hz = float(self._rng.choice(others))
        self._clock = _Clock(self._clock.next_s, self._announced_hz * self._factor)
        return ()

    def _new_channels(self) -> Iterable[Step]:
        """The gyroscope goes, or comes."""
        self._channels = ACC if len(self._channels) > len(ACC) else (*ACC, *GYRO)
        return ()

    def _flood(self) -> Iterable[Step]:
        return (Step("flood", self._now_s, until_s=self._now_s + FLOOD_S),)

    def _clean_end(self) -> Iterable[Step]:
        self.ledger.ended()
        self._sent.clear()
        self._new_epoch()
        return (Step("end", self._now_s),)
