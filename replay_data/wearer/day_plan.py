"""The endless sequence of a simulated person's bouts, and the samples they produce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import UNLABELLED

from .body import ACTIVITIES, FITTED_HZ, BoutParameters, Person
from .motion import as_read, motion, noise, turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEXT = {
    "walking": {"walking_upstairs": 0.3, "walking_downstairs": 0.3, "standing": 0.4},
    "walking_upstairs": {"walking": 0.5, "walking_downstairs": 0.3, "standing": 0.2},
    "walking_downstairs": {"walking": 0.5, "walking_upstairs": 0.3, "standing": 0.2},
    "sitting": {"standing": 0.6, "lying": 0.4},
    "standing": {"walking": 0.4, "sitting": 0.4, "lying": 0.2},
    "lying": {"sitting": 0.5, "standing": 0.5},
}
"""Probabilities of the next activity; people do not walk straight from lying. Chosen, not fitted, so that a short
demonstration shows every activity."""
DWELL_S = (15.0, 40.0)
"""Shortest and longest bout; lengths are uniformly distributed."""
POSTURE_CHANGE_S = (3.5, 0.7)
"""Mean and standard deviation of the time to sit down, lie down or get up, as in HAPT's labelled transitions."""
QUICK_CHANGE_S = (1.4, 0.3)
"""The same for starting to walk, stopping, and stepping onto stairs."""


@dataclass(frozen=True, slots=True)
class PlannedBout:
    """One activity over a range of samples; the transition into it takes the first ``change`` samples."""

    activity: int
    start: int
    stop: int
    change: int


class DayPlan:
    """The bouts of a person's day; ``plan[i]`` depends only on the arguments.

    >>> plan = DayPlan(0, 50.0, [("sitting", 20), ("walking", 10)])
    >>> plan[1].start, plan[1].stop, plan.at(1200)
    (1000, 1500, 1)

    Args:
        seed: selects the day.
        rate_hz: samples per second.
        script: (activity, seconds) pairs to repeat instead of a random day.
    """

    def __init__(self, seed: int, rate_hz: float, script: Sequence[tuple[str, float]] | None = None) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self._rate_hz = rate_hz
        self._script = tuple(script or ())
        self._bouts: list[PlannedBout] = []
        self._end_s = 0.0

    def __getitem__(self, index: int) -> PlannedBout:
        while len(self._bouts) <= index:
            self._bouts.append(self._next())
        return self._bouts[index]

    def at(self, sample: int) -> int:
        """The index of the bout that contains a sample."""
        index = 0
        while self[index].stop <= sample:
            index += 1
        return index

    def _next(self) -> PlannedBout:
        before = self._bouts[-1] if self._bouts else None
        if self._script:
            name, dwell_s = self._script[len(self._bouts) % len(self._script)]
        else:
            choices = NEXT[ACTIVITIES[before.activity]] if before else dict.fromkeys(ACTIVITIES, 1 / len(ACTIVITIES))
            name = str(self._rng.choice(list(choices), p=list(choices.values())))
            dwell_s = float(self._rng.uniform(*DWELL_S))
        start = before.stop if before else 0
        self._end_s += dwell_s
        stop = max(start + 1, round(self._end_s * self._rate_hz))
        activity = ACTIVITIES.index(name)
        change_s = self._rng.normal(
            *(POSTURE_CHANGE_S if before and _slow(before.activity, activity) else QUICK_CHANGE_S)
        )
        change = min(max(2, round(change_s * self._rate_hz)), (stop - start) // 2) if before else 0
        return PlannedBout(activity, start, stop, change)


@dataclass(frozen=True, slots=True)
class _RenderedBout:
    """A bout's motion, continued past its end for the transition into the next bout."""

    parameters: BoutParameters
    body: NDArray[np.float64]


class DayMotion:
    """The samples of one person following one plan, bout by bout.

    Every bout has its own random generator, so any bout can be drawn without the earlier ones.
    """

    def __init__(self, person: Person, plan: DayPlan, rate_hz: float = FITTED_HZ) -> None:
        self.person = person
        self.plan = plan
        self.rate_hz = rate_hz
        self._rendered: dict[int, _RenderedBout] = {}

    def bout(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
        """(n, 6) sensor samples of one bout, and (n,) codes into ``ACTIVITIES``.

        The transition between two activities is unlabelled.
        """
        planned = self.plan[index]
        own = self._render(index)
        n, change = planned.stop - planned.start, planned.change
        body = own.body[:n].copy()
        up = np.broadcast_to(own.parameters.direction, (n, 3)).copy()
        labels = np.full(n, planned.activity, np.int16)
        if change:
            previous = self._render(index - 1)
            share = (np.arange(change) + 0.5)[:, None] / change * np.pi / 2
            body[:change] = np.sin(share) * body[:change] + np.cos(share) * previous.body[-change:]
            up[:change], rate = turn(previous.parameters.direction, own.parameters.direction, change, self.rate_hz)
            body[:change, 3:] += rate
            if _slow(self.plan[index - 1].activity, planned.activity):
                body[:change] += self._effort(index, change)
            if self.plan[index - 1].activity != planned.activity:
                labels[:change] = UNLABELLED
        return as_read(self.person.model, up, body), labels

    def _render(self, index: int) -> _RenderedBout:
        if index not in self._rendered:
            planned = self.plan[index]
            rng = np.random.default_rng([self.person.seed, 2, index])
            parameters = self.person.bout(planned.activity, rng)
            n = planned.stop - planned.start + self.plan[index + 1].change
            rendered = _RenderedBout(parameters, motion(self.person.model, parameters, n, self.rate_hz, rng))
            # The next bout needs the end of this one; only the previous and this bout stay in memory.
            self._rendered = {i: bout for i, bout in self._rendered.items() if i == index - 1} | {index: rendered}
        return self._rendered[index]

    def _effort(self, index: int, n: int) -> NDArray[np.float64]:
        """(n, 6) the shaking of a body that gets up or lies down, strongest halfway."""
        rng = np.random.default_rng([self.person.seed, 3, index])
        amplitude = self.person.model.transition_amplitude
        independent = np.broadcast_to(np.eye(6), (len(amplitude), 6, 6)).astype(np.complex128)
        return noise(amplitude, independent, n, self.rate_hz, rng) * np.hanning(n)[:, None]


def _slow(before: int, after: int) -> bool:
    """Whether the transition involves sitting down, lying down or getting up."""
    low = {ACTIVITIES.index("sitting"), ACTIVITIES.index("lying")}
    return before != after and bool(low & {before, after})
