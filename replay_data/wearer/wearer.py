"""``wearer://``: simulated people who move endlessly, with the true activities as labels. Needs no download."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from operator import itemgetter
from urllib.parse import parse_qsl

import numpy as np

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError
from kinestream.core.signals import ACC, GYRO, SampleChunk
from kinestream.core.source import Offer
from kinestream.core.uri import split_uri

from ..pacing import PlayedSource
from ..recording import Recording
from .body import ACTIVITIES, FITTED_HZ, Person
from .day_plan import DayMotion, DayPlan
from .device_effects import PACKET, Device, DeviceEffects

CHANNELS = (*ACC, *GYRO)
RATES_HZ = (5.0, 1000.0)
MAX_PEOPLE = 1000
_EFFECTS = ("loss", "jitter_ms", "drift_ppm", "gaps_per_hour")
_KEYS = ("seed", "people", "rate", "speed", "duration", "live", *_EFFECTS)


class Wearer(PlayedSource):
    """Simulated people, each a separate stream of acceleration (m/s^2, with gravity) and angular rate (rad/s).

    The same seed gives the same samples at any speed and after any seek. Labels are the true activities: codes into
    ``ACTIVITIES``, ``UNLABELLED`` between two activities.

    >>> due_s, packet = next(Wearer(seed=3).packets())
    >>> packet.stream, len(packet), packet.channels[:3], due_s
    ('wearer-3', 10, ('acc_x', 'acc_y', 'acc_z'), 0.2)

    Args:
        seed: the first person's seed; the other people get ``seed + 1``, ...
        people: number of people.
        rate_hz: nominal sampling rate.
        speed: multiple of real time.
        effects: simulated faults of the device and the radio.
        duration_s: length of the stream; infinity for an endless one.
        script: (activity, seconds) pairs to repeat; default: a random day.
        live: timestamp the samples with the host's clock and never wait for a late pipeline, as a real device does.
        clock, sleep: replace the machine's clock, for tests.
    Raises:
        ConfigError: a setting is out of its range.
    """

    def __init__(
        self,
        seed: int = 0,
        people: int = 1,
        *,
        rate_hz: float = FITTED_HZ,
        speed: float = 1.0,
        effects: DeviceEffects | None = None,
        duration_s: float = math.inf,
        script: Sequence[tuple[str, float]] | None = None,
        live: bool = False,
        name: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(name or f"wearer://?seed={seed}", speed, clock, sleep)
        if seed < 0 or not 1 <= people <= MAX_PEOPLE:
            raise ConfigError(
                f"seed {seed}, {people} people: expected a seed of 0 or more and 1 to {MAX_PEOPLE} people"
            )
        if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
            raise ConfigError(f"rate {rate_hz}: expected {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz")
        if not duration_s > 0:
            raise ConfigError(f"duration {duration_s}: expected a positive number of seconds")
        if live and speed != 1:
            raise ConfigError(f"speed {speed:g} with live: a live wearer moves in real time; drop one of the two")
        for activity, dwell_s in script or ():
            if activity not in ACTIVITIES or not 0 < dwell_s < math.inf:
                raise ConfigError(f"script: {activity} for {dwell_s} s; expected seconds of {', '.join(ACTIVITIES)}")
        self.live = live
        self.dataset = "wearer"
        self._rate_hz = rate_hz
        self._duration_s = duration_s
        self._clock = clock
        self._people = [_SensorWearer(seed + i, rate_hz, effects or DeviceEffects(), script) for i in range(people)]

    @classmethod
    def from_uri(cls, uri: str, speed: float | None = None) -> Wearer:
        """The wearer of an address.

        ``wearer://?seed=3&people=2&rate=50&loss=0.01&jitter_ms=5&drift_ppm=40&gaps_per_hour=6&speed=max``

        >>> Wearer.from_uri("wearer://?seed=3&speed=2").speed
        2.0

        Args:
            speed: overrides the address's own.
        Raises:
            ConfigError: a key is unknown or a value is out of range; the message names it.
        """
        parts = split_uri(uri)
        if parts.scheme != "wearer" or parts.netloc or parts.path not in ("", "/"):
            raise ConfigError(f"'{uri}': expected wearer://?key=value&..., keys {', '.join(_KEYS)}")
        settings: dict[str, float] = {}
        for key, text in parse_qsl(parts.query, keep_blank_values=True):
            if key not in _KEYS:
                raise ConfigError(f"{uri}: {unknown('key', key, _KEYS, 0.6)}")
            settings[key] = _number(key, text)
        return cls(
            seed=int(settings.get("seed", 0)),
            people=int(settings.get("people", 1)),
            rate_hz=settings.get("rate", FITTED_HZ),
            speed=speed if speed is not None else settings.get("speed", 1.0),
            effects=DeviceEffects(**{key: settings[key] for key in _EFFECTS if key in settings}),
            duration_s=settings.get("duration", math.inf),
            live=bool(settings.get("live", 0)),
            name=uri,
        )

    @property
    def duration_s(self) -> float:
        return self._duration_s

    def offer(self) -> Offer:
        """The channels and the nominal rate."""
        return Offer(CHANNELS, self._rate_hz)

    def counts(self) -> Mapping[str, int]:
        """``not_sent``: samples lost by the radio; ``radio_pauses``: number of radio pauses.

        The names differ from the receiver's counts: it sees the same losses as jumps of the sequence number.
        """
        return {
            "not_sent": sum(person.not_sent for person in self._people),
            "radio_pauses": sum(person.radio_pauses for person in self._people),
        }

    def next_activity(self) -> None:
        """Jump to the first person's next activity."""
        plan = self._people[0].motion.plan
        current = plan.at(int(self.position_s * self._rate_hz))
        self.seek(plan[current].stop / self._rate_hz)

    def packets(self, position_s: float = 0.0, mark: str = "") -> Iterator[tuple[float, SampleChunk]]:
        """All people's packets in order of arrival, each with the end of its last sample in seconds.

        A synchronous alternative for tests and training; ``chunks`` paces the same packets.
        """
        streams = [person.packets(position_s, self._duration_s, mark) for person in self._people]
        return heapq.merge(*streams, key=itemgetter(0))

    async def _due_chunks(self, position_s: float, mark: str) -> AsyncGenerator[tuple[float, SampleChunk]]:
        origin_s = self._clock() - position_s if self.live else 0.0
        for due_s, packet in self.packets(position_s, mark):
            if self.live:
                yield due_s, replace(packet, t=packet.t + origin_s, received_s=packet.received_s + origin_s)
            else:
                yield due_s, packet


class _SensorWearer:
    """One person with their device."""

    def __init__(
        self, seed: int, rate_hz: float, effects: DeviceEffects, script: Sequence[tuple[str, float]] | None
    ) -> None:
        self.stream = f"wearer-{seed}"
        self.rate_hz = rate_hz
        self.motion = DayMotion(Person(seed), DayPlan(seed, rate_hz, script), rate_hz)
        self.device = Device(effects, rate_hz, seed)
        self.not_sent = 0
        self.radio_pauses = 0

    def packets(self, position_s: float, until_s: float, mark: str) -> Iterator[tuple[float, SampleChunk]]:
        epoch = f"{self.stream}#0{mark}"
        number = math.ceil(position_s * self.device.true_rate_hz / PACKET)
        for first, x, labels in self._cut(number):
            due_s = (first + PACKET) / self.device.true_rate_hz
            if due_s > until_s:
                return
            number = first // PACKET
            self.radio_pauses += self.device.falls_silent(number)
            if not self.device.arrives(number):
                self.not_sent += PACKET
                continue
            t = self.device.times_s(number)
            yield (
                due_s,
                SampleChunk(self.stream, epoch, t, x, CHANNELS, self.rate_hz, first, due_s, labels, ACTIVITIES),
            )

    def _cut(self, number: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """The packets from packet ``number`` on, across the borders of bouts."""
        first = number * PACKET
        index = self.motion.plan.at(first)
        x, labels = self.motion.bout(index)
        skip = first - self.motion.plan[index].start
        x, labels = x[skip:], labels[skip:]
        for next_index in count(index + 1):
            complete = len(x) // PACKET * PACKET
            for at in range(0, complete, PACKET):
                yield first + at, x[at : at + PACKET], labels[at : at + PACKET]
            first += complete
            more_x, more_labels = self.motion.bout(next_index)
            x, labels = np.concatenate([x[complete:], more_x]), np.concatenate([labels[complete:], more_labels])


def simulate(
    seed: int,
    duration_s: float = 600.0,
    *,
    script: Sequence[tuple[str, float]] | None = None,
    rate_hz: float = FITTED_HZ,
    effects: DeviceEffects | None = None,
) -> Recording:
    """A recording of one simulated person: the stream of ``Wearer`` in one piece.

    >>> recording = simulate(seed=3, duration_s=10)
    >>> len(recording), recording.fs_hz, recording.subject
    (500, 50.0, '3')

    Raises:
        ConfigError: a setting is out of its range.
    """
    if not math.isfinite(duration_s):
        raise ConfigError(f"duration {duration_s}: a recording is finite; expected a number of seconds")
    wearer = Wearer(seed, rate_hz=rate_hz, effects=effects, duration_s=duration_s, script=script)
    packets = [packet for _, packet in wearer.packets()]
    if not packets:
        raise ConfigError(f"duration {duration_s}: no packet of {PACKET / rate_hz:g} s arrived; make it longer")
    labels = np.concatenate([packet.labels for packet in packets if packet.labels is not None])
    return Recording(
        dataset="wearer",
        name=packets[0].stream,
        subject=str(seed),
        fs_hz=rate_hz,
        channels=CHANNELS,
        t=np.concatenate([packet.t for packet in packets]),
        x=np.concatenate([packet.x for packet in packets]),
        labels=labels,
        label_names=ACTIVITIES,
        repairs={kind: number for kind, number in wearer.counts().items() if number},
    )


def _number(key: str, text: str) -> float:
    if text == "max" and key == "speed":
        return math.inf
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value) or (key in ("seed", "people", "live") and not value.is_integer()):
        raise ConfigError(f"wearer://: {key}={text}; expected a {'whole ' if key in ('seed', 'people') else ''}number")
    return value
