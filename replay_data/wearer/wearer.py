"""``wearer://``: people who never lived, moving without end, with the truth in the labels. Nothing is downloaded."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from operator import itemgetter
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError
from kinestream.core.signals import ACC, GYRO, SampleChunk

from ..pacing import PlayedSource
from ..recording import Recording
from .body import ACTIVITIES, FITTED_HZ, Person
from .day_plan import Life, Plan
from .device_effects import PACKET, Device, DeviceEffects

CHANNELS = (*ACC, *GYRO)
RATES_HZ = (5.0, 1000.0)
MOST_PEOPLE = 1000
_EFFECTS = ("loss", "jitter_ms", "drift_ppm", "gaps_per_hour")
_KEYS = ("seed", "people", "rate", "speed", "duration", "live", *_EFFECTS)


class Wearer(PlayedSource):
    """Made-up people, each a stream of its own: acceleration (m/s^2, with gravity) and angular rate (rad/s).

    The same seed gives the same samples however fast they are played and wherever one seeks. Labels are the truth:
    codes into ``ACTIVITIES``, ``UNLABELLED`` while one activity passes into another.

    Args:
        seed: the first person; the others follow on: ``seed + 1``, ...
        people: how many.
        rate_hz: nominal sampling rate.
        speed: multiple of real time.
        effects: what the device and the radio do to the samples.
        duration_s: the stream ends then; infinity: never.
        script: (activity, seconds) pairs to do over and over; default: a day of their own choosing.
        live: stamp the samples with the host's clock and never wait for a late pipeline, as a real device does.
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
        if seed < 0 or not 1 <= people <= MOST_PEOPLE:
            raise ConfigError(f"seed {seed}, {people} people: expected a seed from 0 on and 1 to {MOST_PEOPLE} people")
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
        self._rate_hz = rate_hz
        self._duration_s = duration_s
        self._clock = clock
        self._bodies = [_Body(seed + i, rate_hz, effects or DeviceEffects(), script) for i in range(people)]

    @classmethod
    def from_uri(cls, uri: str, speed: float | None = None) -> Wearer:
        """``wearer://?seed=3&people=2&rate=50&loss=0.01&jitter_ms=5&drift_ppm=40&gaps_per_hour=6&speed=max``.

        Args:
            speed: goes before the address's own.
        Raises:
            ConfigError: an unknown key or a value that does not fit; names it.
        """
        parts = urlsplit(uri)
        if parts.scheme != "wearer" or parts.netloc or parts.path not in ("", "/"):
            raise ConfigError(f"'{uri}': expected wearer://?key=value&..., keys {', '.join(_KEYS)}")
        given: dict[str, float] = {}
        for key, text in parse_qsl(parts.query, keep_blank_values=True):
            if key not in _KEYS:
                raise ConfigError(f"{uri}: {unknown('key', key, _KEYS, 0.6)}")
            given[key] = _number(key, text)
        return cls(
            seed=int(given.get("seed", 0)),
            people=int(given.get("people", 1)),
            rate_hz=given.get("rate", FITTED_HZ),
            speed=speed if speed is not None else given.get("speed", 1.0),
            effects=DeviceEffects(**{key: given[key] for key in _EFFECTS if key in given}),
            duration_s=given.get("duration", math.inf),
            live=bool(given.get("live", 0)),
            name=uri,
        )

    @property
    def duration_s(self) -> float:
        return self._duration_s

    def counts(self) -> Mapping[str, int]:
        """``not_sent``: samples the radio swallowed; ``radio_pauses``: how often it fell silent.

        Named apart from what the receiving side counts: it sees the same losses as jumps of the sequence number.
        """
        return {
            "not_sent": sum(body.not_sent for body in self._bodies),
            "radio_pauses": sum(body.radio_pauses for body in self._bodies),
        }

    def next_activity(self) -> None:
        """Go to where the first person next does something else."""
        life = self._bodies[0].life
        here = life.plan.at(int(self.position_s * self._rate_hz))
        self.seek(life.plan[here].stop / self._rate_hz)

    def packets(self, position_s: float = 0.0, mark: str = "") -> Iterator[tuple[float, SampleChunk]]:
        """All people's packets in the order in which they arrive, with the second of each one's last sample.

        The plain, synchronous way in, for tests and training; ``chunks`` paces the same packets.
        """
        streams = [body.packets(position_s, self._duration_s, mark) for body in self._bodies]
        return heapq.merge(*streams, key=itemgetter(0))

    async def _from(self, position_s: float, mark: str) -> AsyncGenerator[tuple[float, SampleChunk]]:
        origin_s = self._clock() - position_s if self.live else 0.0
        for due_s, packet in self.packets(position_s, mark):
            if self.live:
                yield due_s, replace(packet, t=packet.t + origin_s, received_s=packet.received_s + origin_s)
            else:
                yield due_s, packet


class _Body:
    """One person and the device they wear."""

    def __init__(
        self, seed: int, rate_hz: float, effects: DeviceEffects, script: Sequence[tuple[str, float]] | None
    ) -> None:
        self.stream = f"wearer-{seed}"
        self.rate_hz = rate_hz
        self.life = Life(Person(seed), Plan(seed, rate_hz, script), rate_hz)
        self.device = Device(effects, rate_hz, seed)
        self.not_sent = 0
        self.radio_pauses = 0

    def packets(self, position_s: float, until_s: float, mark: str) -> Iterator[tuple[float, SampleChunk]]:
        session = f"{self.stream}#0{mark}"
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
                SampleChunk(self.stream, session, t, x, CHANNELS, self.rate_hz, first, due_s, labels, ACTIVITIES),
            )

    def _cut(self, number: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Packets of samples from the given one on, across the bouts' borders."""
        first = number * PACKET
        index = self.life.plan.at(first)
        x, labels = self.life.bout(index)
        skip = first - self.life.plan[index].start
        x, labels = x[skip:], labels[skip:]
        for following in count(index + 1):
            whole = len(x) // PACKET * PACKET
            for at in range(0, whole, PACKET):
                yield first + at, x[at : at + PACKET], labels[at : at + PACKET]
            first += whole
            more_x, more_labels = self.life.bout(following)
            x, labels = np.concatenate([x[whole:], more_x]), np.concatenate([labels[whole:], more_labels])


def simulate(
    seed: int,
    duration_s: float = 600.0,
    *,
    script: Sequence[tuple[str, float]] | None = None,
    rate_hz: float = FITTED_HZ,
    effects: DeviceEffects | None = None,
) -> Recording:
    """One made-up person's recording: what ``Wearer`` streams, in one piece.

    Raises:
        ConfigError: a setting is out of its range.
    """
    if not math.isfinite(duration_s):
        raise ConfigError(f"duration {duration_s}: a recording has an end; expected seconds")
    wearer = Wearer(seed, rate_hz=rate_hz, effects=effects, duration_s=duration_s, script=script)
    packets = [packet for _, packet in wearer.packets()]
    if not packets:
        raise ConfigError(f"duration {duration_s}: not one packet of {PACKET / rate_hz:g} s arrived; make it longer")
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
