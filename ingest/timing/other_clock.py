"""Stamps that a sender took on another clock than the one of their arrivals, mapped to the latter.

Unix time, another machine's monotonic clock, or seconds since the start of an experiment: no sample can arrive before
it was taken, and none waits for minutes at the start of a stream, so an age outside these limits shows another clock.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .envelope import Envelope
from .steady_line import RESTART_S, SteadyTime

if TYPE_CHECKING:
    from numpy.typing import NDArray

AHEAD_S = 0.1
"""Stamps further in the future than this are on another clock; clocks of one network agree to some milliseconds."""
BEHIND_S = 30.0
"""Maximum age of the first samples, and of those after ``STEADY_S`` without a younger one."""
STEADY_S = 5.0
"""Time for which all arrivals must be late to show a step of the clock: a stall is followed by a catch-up."""
AGREE = 3
"""Consecutive arrivals that contradict the clock, but not each other, and so show a step of it."""
DRIFT_BOUND = 500e-6
"""Maximum difference of rate between the clocks: time servers slew by up to 500 ppm."""
LONGEST_GAP_S = 1.0
"""Longest silence that counts towards ``STEADY_S``."""


class OtherClock:
    """Passes times on as they are while they fit their arrivals, and maps them to the host's clock where they do not.

    The map is a line under the fastest arrivals (``Envelope``), so the constant part of the latency is not part of a
    mapped age. Pure: the same stamps and arrivals give the same times.

    >>> clock = OtherClock()
    >>> clock.push(np.array([10.00, 10.02]), 10.03)[0].tolist(), clock.remark
    ([10.0, 10.02], '')
    >>> clock = OtherClock()
    >>> t, restarted = clock.push(np.array([1.7e9, 1.7e9 + 0.5]), 10.0)
    >>> t.round(3).tolist(), restarted, clock.remark[:49]
    ([9.5, 10.0], False, 'the stamps are Unix time, not this clock: mapped ')
    """

    def __init__(self, its_clock: str = "this clock") -> None:
        self._its_clock = its_clock
        self._steady = SteadyTime(Envelope(DRIFT_BOUND))
        self._is_other = False
        self._passed = False
        self._contradictions = 0
        self._late_s = 0.0
        self._received_s = math.nan
        self._u = -math.inf  # the newest stamp
        self._mapped_s = 0.0  # and its time
        self.remark = ""
        """What was recognised and done, for people; empty while the times are passed on as they are."""
        self.steps = 0
        """Number of steps of the clock so far."""

    def push(self, t: NDArray[np.float64], received_s: float) -> tuple[NDArray[np.float64], bool]:
        """Return the times of the next samples on the clock of their arrival, and whether time restarted.

        Args:
            t: (n,) stamps, n >= 1.
            received_s: arrival of the last sample.
        """
        newest_s = t.item(-1)
        if not math.isfinite(newest_s):
            return t, False
        silent_s = received_s - self._received_s
        self._received_s = received_s
        if self._is_other:
            return self._map(t, received_s, silent_s)
        age_s = received_s - newest_s
        was_passed, self._passed = self._passed, True
        went_back = newest_s < self._u
        if is_plausible_age(age_s):
            self._contradictions, self._late_s, self._u = 0, 0.0, newest_s
            return t, False
        self._contradictions += 1
        self._late_s += min(silent_s, LONGEST_GAP_S) if was_passed else 0.0
        # Stamps that are only late may be a backlog; those that also went back are of a clock that restarted.
        is_backlog = age_s > 0 and not went_back and self._late_s < STEADY_S
        if was_passed and (self._contradictions < AGREE or is_backlog):
            return t, False
        self._is_other = True
        self.remark = (
            f"the stamps are {_name(newest_s, age_s)}, not {self._its_clock}: mapped to it by the fastest arrivals, so "
            "ages lack the constant part of the delay"
        )
        return self._restart(t, received_s, was_passed)

    def _restart(self, t: NDArray[np.float64], received_s: float, is_step: bool) -> tuple[NDArray[np.float64], bool]:
        self.steps += is_step
        self._steady.start()
        self._contradictions, self._late_s = 0, 0.0
        self._steady.push(t.item(-1), received_s)
        return self._emit(t, received_s)[0], is_step

    def _map(self, t: NDArray[np.float64], received_s: float, silent_s: float) -> tuple[NDArray[np.float64], bool]:
        u = t.item(-1)
        above_s = received_s - self._steady.line.host(u)
        if u <= self._u or above_s < -RESTART_S:  # back, or ahead of its arrival: an outlier, or a step of the clock
            self._contradictions += 1
            if self._contradictions >= AGREE:
                return self._restart(t, received_s, True)
            return t - u + (received_s if u > self._u else self._mapped_s - (self._u - u)), False
        self._contradictions = 0
        self._late_s = self._late_s + min(silent_s, LONGEST_GAP_S) if above_s > RESTART_S else 0.0
        if self._late_s >= STEADY_S:
            return self._restart(t, received_s, True)
        if above_s <= RESTART_S:  # a backlog shows nothing of the clock
            self._steady.push(u, received_s)
        return self._emit(t, received_s)

    def _emit(self, t: NDArray[np.float64], received_s: float) -> tuple[NDArray[np.float64], bool]:
        n, first, last = len(t), t.item(0), t.item(-1)
        step = (last - first) / (n - 1) if n > 1 else 0.0
        if not step > 0:  # one sample, or all with one stamp
            first_s, _, restarted = self._steady.emit(last, 0.0, 1, received_s)
            mapped = first_s + (t - last)
        else:
            first_s, step_s, restarted = self._steady.emit(first, step, n, received_s)
            mapped = first_s + (t - first) * (step_s / step)
        self._u, self._mapped_s = last, mapped.item(-1)
        return mapped, restarted


def is_plausible_age(age_s: float) -> bool:
    """Whether samples of this age on arrival can have been stamped by the clock of their arrival.

    >>> is_plausible_age(0.2), is_plausible_age(-1.8e9)
    (True, False)
    """
    return -AHEAD_S <= age_s <= BEHIND_S


def unit_of_stamps(t: NDArray[np.float64], fs_hz: float) -> float:
    """Return the seconds per unit of stamps: 1, or 1e-3, 1e-6, 1e-9 for stamps in milli-, micro- or nanoseconds.

    Args:
        t: (n,) the first stamps.
        fs_hz: the nominal rate; 0 if there is none.

    >>> unit_of_stamps(np.array([5000.0, 5020.0, 5040.0]), 50.0), unit_of_stamps(np.array([1.7e12]), 0.0)
    (0.001, 0.001)
    """
    if not np.isfinite(t).all() or not len(t):
        return 1.0
    units = (1e-3, 1e-6, 1e-9)
    steps = float(np.median(np.diff(t))) * fs_hz if len(t) > 2 else 0.0
    for unit in units:
        if 0.5 < steps * unit < 2.0:
            return unit
    for unit in units:
        if 1e9 < t.item(-1) * unit < 4e9:  # Unix time
            return unit
    return 1.0


def _name(newest_s: float, age_s: float) -> str:
    if 1e9 < newest_s < 4e9 and abs(age_s) > 1e8:
        return "Unix time"
    return f"on a clock that is {abs(age_s):.3g} s {'behind' if age_s > 0 else 'ahead'}"
