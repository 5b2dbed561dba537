"""Stream of one recording of a phone: readings in, chunks out. No network here."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kinestream.core.evidence import Reception
from kinestream.core.signals import GRAVITY, GYRO, SampleChunk

from ..join import Joined, Joiner
from ..profile import Group
from ..timing.timed import TimeStatus
from .axis_convention import Conversion
from .readings import Batch, Readings
from .reference_points import ReferencePoints
from .remarks import stream_remarks
from .sensor_rate import SensorRate
from .timeline import BACK_S, Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOG = logging.getLogger(__name__)

SETTLE_S = 2.5
"""Duration of the readings collected to determine the sensors, their units, rate and delay; every model's first window
takes longer."""
MAX_COLLECTED = 50_000
"""Maximum number of collected readings, more than any phone sends in ``SETTLE_S``."""
LONG_S = 60.0
"""Silence after which the readings collected before it are discarded, because they no longer describe the stream."""
RATES_HZ = (1.0, 1000.0)
"""Limits of the nominal rate."""
_NEVER_NS = -(2**62)


class _Collected(NamedTuple):
    """A message of the first seconds."""

    batch: dict[str, Readings]
    broken: frozenset[str]
    """Sensors that may have a hole before it."""
    now_s: float
    """Its own arrival: samples that wait for the first seconds to pass are not old on arrival."""


ChooseConversion = Callable[[Mapping[str, Readings]], "Conversion | None"]


class PhoneStream:
    """Builder of chunks from the readings of a recording: assigns times, joins the sensors and converts units.

    The nominal rate is measured in the first ``SETTLE_S`` and then fixed. A new epoch starts where the phone's clock
    was set.

    Args:
        name: the stream's name.
        epoch: the name of the first epoch.
        choose: returns the conversion for the first readings.
        prompt: see ``Timeline``.
    """

    def __init__(self, name: str, epoch: str, choose: ChooseConversion, *, prompt: bool = False) -> None:
        self.name = name
        self.conversion: Conversion | None = None
        self.fs_hz = 0.0
        self.unusable_sensors: tuple[str, ...] = ()
        """The sensors of a phone that sends no acceleration."""
        self.lost = 0
        """Estimated number of samples that never arrived, from the times."""
        self._epoch, self._part = epoch, 0
        self._choose = choose
        self._timeline = Timeline(prompt)
        self._t0_ns = 0
        self._newest_ns: dict[str, int] = {}
        self._points = ReferencePoints()
        self._samples = 0
        self._broken: set[str] = set()  # sensors that may have a hole before their next reading
        self._collected: list[_Collected] = []
        self._rates: dict[str, SensorRate] = {}
        self._joiner: Joiner | None = None
        self._groups: tuple[Group, ...] = ()
        self._leader = ""
        self._next_seq = 0
        self._last_ns: int | None = None  # time of the leader's newest reading
        self._counts: Counter[str] = Counter()

    def push(
        self, batch: Batch, received_s: float, *, whole: bool = True, now_s: float | None = None
    ) -> list[SampleChunk]:
        """Return the chunks that a message completes.

        Args:
            batch: the message's readings; messages must be in the order of sending.
            received_s: the arrival time, on the host's monotonic clock.
            whole: no message is missing directly before this one.
            now_s: the time when the message was released in order; None: the arrival time.
        """
        now_s = received_s if now_s is None else now_s
        before_ns = self._newest_known_ns
        batch, moved_ns = self._points.align(batch)
        self._move(moved_ns)
        batch = self._ascending(batch)
        if not whole:
            self._broken.update(self._newest_ns)
        if not batch:
            return []
        newest_ns = self._newest(batch)
        if before_ns is None:
            self._t0_ns = before_ns = newest_ns
        fresh = self._timeline.push((newest_ns - self._t0_ns) / 1e9, received_s)
        if not -BACK_S <= (newest_ns - before_ns) / 1e9 <= LONG_S:  # the clock was set, or there was a long silence
            self._forget_collected()
        if self.conversion is not None and (fresh or moved_ns.keys() & self.conversion.sensors.keys()):
            self._start_epoch(self.conversion)
            self._part += 1
        broken = frozenset(self._broken)
        self._broken -= set(batch)
        for sensor, readings in batch.items():
            self._rates.setdefault(sensor, SensorRate()).add(
                readings.t_ns, self._newest_ns.get(sensor), sensor in broken
            )
            self._newest_ns[sensor] = int(readings.t_ns[-1])
        if self.conversion is not None:
            return self._join(batch, broken, now_s)
        self._collected.append(_Collected(batch, broken, now_s))
        return self._settle()

    def _newest(self, batch: Batch) -> int:
        """Return the newest time of a message: of its accelerometer, else of all its sensors."""
        lead = batch.get(self._points.leader)
        return max(int(readings.t_ns.max()) for readings in ([lead] if lead else batch.values()))

    @property
    def _newest_known_ns(self) -> int | None:
        newest_ns = self._newest_ns.get(self._points.leader)
        return max(self._newest_ns.values(), default=None) if newest_ns is None else newest_ns

    def _move(self, moved_ns: Mapping[str, int]) -> None:
        """Shift the times of earlier readings, whose sensors turned out to have another clock."""
        for sensor, change_ns in moved_ns.items():
            if sensor in self._newest_ns:
                self._newest_ns[sensor] -= change_ns
            for batch, _, _ in self._collected:
                if sensor in batch:
                    batch[sensor] = Readings(batch[sensor].t_ns - change_ns, batch[sensor].x)

    def _ascending(self, batch: Batch) -> dict[str, Readings]:
        """Return each sensor's readings in the order of time; count and drop repeated ones."""
        before_ns = self._newest_known_ns
        if batch and before_ns is not None and self._newest(batch) < before_ns - BACK_S * 1e9:
            self._newest_ns.clear()  # the phone's clock was set back
        ascending: dict[str, Readings] = {}
        for sensor, (t_ns, x) in batch.items():
            n = len(t_ns)
            if not (np.diff(t_ns) > 0).all():
                t_ns, first = np.unique(t_ns, return_index=True)
                x = x[first]
            new = int(np.searchsorted(t_ns, self._newest_ns.get(sensor, _NEVER_NS), side="right"))
            self._counts["repeated_samples"] += n - len(t_ns) + new
            if new < len(t_ns):
                ascending[sensor] = Readings(t_ns[new:], x[new:])
        return ascending

    def _settle(self) -> list[SampleChunk]:
        """Choose the conversion once enough is collected, and return the chunks of the collected readings."""
        collected: dict[str, Readings] = {}
        for sensor in {sensor for message in self._collected for sensor in message.batch}:
            parts = [message.batch[sensor] for message in self._collected if sensor in message.batch]
            collected[sensor] = Readings(np.concatenate([p.t_ns for p in parts]), np.concatenate([p.x for p in parts]))
        lead = collected.get(self._points.leader)
        spans = [lead] if lead else list(collected.values())
        first_ns = min(int(readings.t_ns[0]) for readings in spans)
        last_ns = max(int(readings.t_ns[-1]) for readings in spans)
        total = sum(len(readings.t_ns) for readings in collected.values())
        settled = last_ns - first_ns >= SETTLE_S * 1e9 and not self._points.undecided
        if not settled and total < MAX_COLLECTED:
            return []
        steady = {sensor: readings for sensor, readings in collected.items() if self._rates[sensor].hz is not None}
        conversion = self._choose(steady)
        if conversion is None:
            self.unusable_sensors = tuple(sorted(collected))
            self._forget_collected()
            return []
        self._timeline.rebase()
        self._start_epoch(conversion)
        if GYRO not in conversion.sensors.values():
            # At once: a model that needs the gyroscope ends the run with the first samples.
            for remark in self.remarks():
                _LOG.warning("%s: %s", self.name, remark)
        messages, self._collected = self._collected, []
        chunks: list[SampleChunk] = []
        for message in messages:
            chunks += self._join(*message)
        return chunks

    def _start_epoch(self, conversion: Conversion) -> None:
        """Start an epoch: later samples are not joined with earlier ones."""
        if self._joiner is not None:
            self._joiner.close()
            self._counts += self._joiner.counts
        if self.conversion is None:
            self.conversion = conversion
            self._groups = tuple(
                Group(sensor, columns, self._nominal_hz(sensor)) for sensor, columns in conversion.sensors.items()
            )
        self._joiner = Joiner(self._groups)
        self._leader, self.fs_hz = self._joiner.leader.name, self._joiner.leader.fs_hz
        self._next_seq, self._last_ns = 0, None

    def _nominal_hz(self, sensor: str) -> float:
        hz = self._rates[sensor].hz
        assert hz is not None
        return float(min(max(round(hz), RATES_HZ[0]), RATES_HZ[1]))

    def _join(self, batch: Batch, broken: frozenset[str], now_s: float) -> list[SampleChunk]:
        assert self._joiner is not None
        joined: list[Joined] = []
        for sensor in reversed(
            [group.name for group in self._groups]
        ):  # the leader last, so that its samples need not wait for the others
            readings = batch.get(sensor)
            if readings is None:
                continue
            seq = 0
            if sensor == self._leader:
                seq = self._number(readings.t_ns, sensor in broken)
            joined += self._joiner.push(sensor, (readings.t_ns - self._t0_ns) / 1e9, readings.x, seq)
        return [self._chunk(samples, now_s) for samples in joined]

    def _number(self, t_ns: NDArray[np.int64], broken: bool) -> int:
        """Return the number of the leader's next sample; the elapsed time gives the samples of a missing message."""
        if broken and self._last_ns is not None:
            hz = self._rates[self._leader].hz or self.fs_hz
            missing = max(0, round((int(t_ns[0]) - self._last_ns) / 1e9 * hz) - 1)
            self.lost += missing
            self._next_seq += missing
        seq = self._next_seq
        self._next_seq += len(t_ns)
        self._last_ns = int(t_ns[-1])
        return seq

    def _chunk(self, joined: Joined, now_s: float) -> SampleChunk:
        assert self.conversion is not None
        x = joined.x
        acc, rest = x[:, :3], x[:, 3:]
        if GRAVITY in self.conversion.sensors.values():
            acc, rest = acc + x[:, 3:6], x[:, 6:]
        x = np.concatenate([acc * np.float32(self.conversion.factor), rest], axis=1)
        self._samples += len(x)
        return SampleChunk(
            self.name,
            f"{self._epoch}.{self._part}" if self._part else self._epoch,
            self._timeline.host(joined.t),
            x,
            self.conversion.channels,
            self.fs_hz,
            joined.seq,
            now_s,
            t_device=joined.t + self._t0_ns / 1e9,
        )

    def _forget_collected(self) -> None:
        self._counts["unused_readings"] += sum(
            len(readings.t_ns) for message in self._collected for readings in message.batch.values()
        )
        self._collected.clear()
        if self.conversion is None:
            self._rates.clear()

    def close(self) -> None:
        """End the stream, and count the readings that were still waiting."""
        self._forget_collected()
        if self._joiner is not None:
            self._joiner.close()

    def counts(self) -> Counter[str]:
        """Return ``repeated_samples``; ``unpaired`` and ``interpolated`` samples (see ``Joiner``); ``unused_readings``
        of a recording that was too short or had no acceleration; ``clock_jumps``."""
        counts = self._counts + (self._joiner.counts if self._joiner else Counter())
        counts["clock_jumps"] += self.time().jumps
        return +counts

    @property
    def is_settling(self) -> bool:
        """Whether its first seconds are being collected."""
        return self.conversion is None and bool(self._collected) and not self.unusable_sensors

    def time(self) -> TimeStatus:
        """Return the state of the phone's clock."""
        return self._timeline.status(self.rate_hz)

    @property
    def rate_hz(self) -> float:
        """The leader's measured rate over the last seconds; 0 before it is measured."""
        return (self._rates[self._leader].hz or 0.0) if self._leader else 0.0

    def reception(self) -> Reception:
        """Return the stream's part of a phone's reception; the messages are counted elsewhere."""
        newest_s = self._joiner.newest_s() if self._joiner else {}
        return Reception(
            self.name,
            samples=self._samples,
            newest_s=newest_s,
            sensor_hz={sensor: hz for sensor in newest_s if (hz := self._rates[sensor].hz) is not None},
            unpaired=self.counts()["unpaired"],
            unwanted=dict.fromkeys(self.unusable_sensors, 0),
            remarks=self.remarks(),
        )

    def remarks(self) -> tuple[str, ...]:
        """Return what was assumed or repaired, and what the phone does not send as it should, one line each."""
        rates = {sensor: rate for sensor, rate in self._rates.items() if sensor in self._newest_ns}
        return stream_remarks(self.conversion, self.unusable_sensors, self._points, rates)
