"""One recording session of a phone: readings in, chunks out. No network here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import GRAVITY, SampleChunk

from ..join import HOLE_S, Joined, Joiner
from ..profile import Group
from ..timing.timed import TimeStatus
from .axis_convention import Recipe
from .readings import Batch, Readings
from .timeline import BACK_S, Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

SETTLE_S = 2.5
"""So much is collected before it is decided which sensors there are, in which units, how fast, and how late: no model's
first window is shorter."""
MAX_COLLECTED = 50_000
"""Readings; who sends more in two seconds is no phone."""
LONG_S = 60.0
"""After so long a silence what was collected before it tells nothing of what comes."""
FEW = 5
"""A sensor with fewer steps has no rate."""
RATES_HZ = (1.0, 1000.0)
"""Nominal rates beyond these are no sensor's."""

Choose = Callable[[Mapping[str, Readings]], "Recipe | None"]


class PhoneStream:
    """Times, joins and scales the readings of one session.

    The nominal rate is measured in the first ``SETTLE_S`` and stays. Where the phone's clock is set, a new session
    begins.

    Args:
        name: of the stream.
        session: of this recording.
        choose: makes the recipe from the first readings.
        prompt: see ``Timeline``.
    """

    def __init__(self, name: str, session: str, choose: Choose, *, prompt: bool = False) -> None:
        self.name = name
        self.recipe: Recipe | None = None
        self.fs_hz = 0.0
        self.sensors_seen: tuple[str, ...] = ()
        """What came instead, while no acceleration did."""
        self.lost = 0
        """Samples that were taken and never came, by their times."""
        self._session, self._part = session, 0
        self._choose = choose
        self._timeline = Timeline(prompt)
        self._t0_ns = 0
        self._newest_ns: dict[str, int] = {}
        self._broken: set[str] = set()  # sensors that may have a hole before what comes next
        self._collected: list[tuple[Batch, frozenset[str]]] = []
        self._rates: dict[str, _Rate] = {}
        self._joiner: Joiner | None = None
        self._groups: tuple[Group, ...] = ()
        self._leader = ""
        self._next_seq = 0
        self._last_ns: int | None = None  # the leader's newest
        self._counts: Counter[str] = Counter()

    def push(
        self, batch: Batch, received_s: float, *, whole: bool = True, now_s: float | None = None
    ) -> list[SampleChunk]:
        """The chunks that a message completed.

        Args:
            batch: what came; in order of sending from call to call.
            received_s: when it came, on the host's monotonic clock.
            whole: nothing is missing between this message and the one before.
            now_s: when it was its turn; None: when it came.
        """
        now_s = received_s if now_s is None else now_s
        before_ns = max(self._newest_ns.values(), default=None)
        batch = self._ascending(batch)
        if not batch:
            return []
        newest_ns = max(int(readings.t_ns[-1]) for readings in batch.values())
        if before_ns is None:
            self._t0_ns = before_ns = newest_ns
        fresh = self._timeline.push((newest_ns - self._t0_ns) / 1e9, received_s)
        if not -BACK_S <= (newest_ns - before_ns) / 1e9 <= LONG_S:  # the clock was set, or hours have passed
            self._forget_collected()
        if fresh and self.recipe is not None:
            self._begin(self.recipe)
            self._part += 1
        if not whole:
            self._broken.update(self._newest_ns)
        broken = frozenset(self._broken)
        self._broken -= set(batch)
        for sensor, readings in batch.items():
            self._rates.setdefault(sensor, _Rate()).add(readings.t_ns, self._newest_ns.get(sensor), sensor in broken)
            self._newest_ns[sensor] = int(readings.t_ns[-1])
        if self.recipe is not None:
            return self._join(batch, broken, now_s)
        self._collected.append((batch, broken))
        return self._settle(now_s)

    def _ascending(self, batch: Batch) -> dict[str, Readings]:
        """Each sensor's readings in order of time; what is there already is left out and counted."""
        newest_ns = max((int(readings.t_ns.max()) for readings in batch.values()), default=0)
        if newest_ns < max(self._newest_ns.values(), default=0) - BACK_S * 1e9:
            self._newest_ns.clear()  # the phone's clock was set back
        found: dict[str, Readings] = {}
        for sensor, (t_ns, x) in batch.items():
            n = len(t_ns)
            if not (np.diff(t_ns) > 0).all():
                t_ns, first = np.unique(t_ns, return_index=True)
                x = x[first]
            new = int(np.searchsorted(t_ns, self._newest_ns.get(sensor, -1), side="right"))
            self._counts["repeated_samples"] += n - len(t_ns) + new
            if new < len(t_ns):
                found[sensor] = Readings(t_ns[new:], x[new:])
        return found

    def _settle(self, now_s: float) -> list[SampleChunk]:
        """Decide on the recipe when enough is there, and hand out what was collected."""
        seen: dict[str, Readings] = {}
        for sensor in {sensor for batch, _ in self._collected for sensor in batch}:
            parts = [batch[sensor] for batch, _ in self._collected if sensor in batch]
            seen[sensor] = Readings(np.concatenate([p.t_ns for p in parts]), np.concatenate([p.x for p in parts]))
        first_ns = min(int(readings.t_ns[0]) for readings in seen.values())
        last_ns = max(int(readings.t_ns[-1]) for readings in seen.values())
        if last_ns - first_ns < SETTLE_S * 1e9 and sum(len(one.t_ns) for one in seen.values()) < MAX_COLLECTED:
            return []
        steady = {sensor: readings for sensor, readings in seen.items() if self._rates[sensor].hz is not None}
        recipe = self._choose(steady)
        if recipe is None:
            self.sensors_seen = tuple(sorted(seen))
            self._forget_collected()
            return []
        self._timeline.rebase()
        self._begin(recipe)
        collected, self._collected = self._collected, []
        chunks: list[SampleChunk] = []
        for batch, broken in collected:
            chunks += self._join(batch, broken, now_s)
        return chunks

    def _begin(self, recipe: Recipe) -> None:
        """A new session, or part of one: no sample is joined with one before."""
        if self._joiner is not None:
            self._joiner.close()
            self._counts += self._joiner.counts
        if self.recipe is None:
            self.recipe = recipe
            self._groups = tuple(
                Group(sensor, columns, self._nominal_hz(sensor)) for sensor, columns in recipe.sensors.items()
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
        for sensor in reversed([group.name for group in self._groups]):  # the leader last, so that it need not wait
            readings = batch.get(sensor)
            if readings is None:
                continue
            seq = 0
            if sensor == self._leader:
                seq = self._number(readings.t_ns, sensor in broken)
            joined += self._joiner.push(sensor, (readings.t_ns - self._t0_ns) / 1e9, readings.x, seq)
        return [self._chunk(one, now_s) for one in joined]

    def _number(self, t_ns: NDArray[np.int64], broken: bool) -> int:
        """The number of the leader's next sample; what a missing message had is told by the time that passed."""
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
        assert self.recipe is not None
        x = joined.x
        acc, rest = x[:, :3], x[:, 3:]
        if GRAVITY in self.recipe.sensors.values():
            acc, rest = acc + x[:, 3:6], x[:, 6:]
        x = np.concatenate([acc * np.float32(self.recipe.factor), rest], axis=1)
        return SampleChunk(
            self.name,
            f"{self._session}.{self._part}" if self._part else self._session,
            self._timeline.host(joined.t),
            x,
            self.recipe.channels,
            self.fs_hz,
            joined.seq,
            now_s,
            t_device=joined.t + self._t0_ns / 1e9,
        )

    def _forget_collected(self) -> None:
        self._counts["unused_readings"] += sum(
            len(readings.t_ns) for batch, _ in self._collected for readings in batch.values()
        )
        self._collected.clear()
        if self.recipe is None:
            self._rates.clear()

    def close(self) -> None:
        """Nothing more will come: count what waited."""
        self._forget_collected()
        if self._joiner is not None:
            self._joiner.close()

    def counts(self) -> Counter[str]:
        """``repeated_samples`` that were there already; ``unpaired`` and ``interpolated`` ones (``Joiner``);
        ``unused_readings`` of a session that was too short or had no acceleration; ``clock_jumps``."""
        counts = self._counts + (self._joiner.counts if self._joiner else Counter())
        counts["clock_jumps"] += self.time().jumps
        return +counts

    def time(self) -> TimeStatus:
        """How the phone's clock stands."""
        return self._timeline.status(self.rate_hz)

    @property
    def rate_hz(self) -> float:
        """The leader's measured rate; 0 before it is known."""
        return (self._rates[self._leader].hz or 0.0) if self._leader else 0.0


class _Rate:
    """How fast a sensor really is: its steps over the time they took, holes left out."""

    def __init__(self) -> None:
        self._steps = 0
        self._span_ns = 0

    def add(self, t_ns: NDArray[np.int64], before_ns: int | None, broken: bool) -> None:
        if before_ns is not None and not broken:
            t_ns = np.concatenate([[before_ns], t_ns])
        steps_ns = np.diff(t_ns)
        steps_ns = steps_ns[(steps_ns > 0) & (steps_ns < HOLE_S * 1e9)]
        self._steps += len(steps_ns)
        self._span_ns += int(steps_ns.sum())

    @property
    def hz(self) -> float | None:
        return self._steps / self._span_ns * 1e9 if self._steps >= FEW else None
