"""Samples whose stamps come in bursts, laid evenly.

A sender that stamps when a packet comes gives all its samples nearly one time, and then pauses: the samples were taken
evenly, but their stamps are arrivals of packets. ``ArrivalTime`` times such packets by the number of their samples.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..profile.decoder import Clock
from .host_clock import host_clock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .timed import HostClock, Timed

SHORT, PAUSE = 0.5, 1.5
"""Shares of the mean interval: shorter intervals are within a burst, longer ones between two."""
RUNS = 3
"""Number of bursts, each after a pause, that show that the stamps come in bursts; one alone is a stall."""
MIN_SHORT = 6
SHORT_SHARE, IRREGULAR_SHARE = 0.02, 0.3
"""Share of short intervals that shows bursts; stamps of a stream without a nominal rate mean what they say."""
WATCHED = 512
"""Number of newest stamps that are judged."""
CALM_S = 10.0
"""Time without a short interval after which the watch ends."""
RATE_OFF = 0.3
"""Share by which the nominal rate may be off before the measured rate is used instead."""
SURE = 8
"""Number of bursts from which the measured rate is used."""
EVEN = 0.05
"""Share by which intervals inside a burst differ where its sender spread one stamp evenly: only the borders jump."""


class Bursts:
    """Passes even stamps on as they are, and lays the samples of bursts evenly from when it recognises them.

    Samples are never invented, merged or reordered. A hole longer than a second stays where it is; a shorter one is
    recognised within about half a second and appears late by that.

    Args:
        fs_hz: the nominal rate.
        irregular: the sender announces no rate, so uneven stamps are to be expected.

    >>> bursts = Bursts(50.0)
    >>> for packet in range(1, 100):
    ...     t, _ = bursts.push(0.24 * packet + 1e-5 * np.arange(12))
    >>> np.diff(t).round(4).tolist() == [0.02] * 11, bursts.samples
    (True, 12)
    """

    def __init__(self, fs_hz: float, *, irregular: bool = False) -> None:
        self._fs_hz = fs_hz
        self._short_share = IRREGULAR_SHARE if irregular else SHORT_SHARE
        self._newest = np.nan
        self._watched: deque[float] = deque(maxlen=WATCHED)
        self._short_at = -np.inf
        self._clock: HostClock | None = None
        self._given = -np.inf  # the newest time handed out
        self._arrived = -np.inf  # the stamp of the newest burst
        self._period_s = 1 / fs_hz
        self._even_inside = False
        self.samples = 1
        """Number of samples that usually share one instant; 1 for even stamps."""

    @property
    def remark(self) -> str:
        """What was recognised and done, for people; empty while the stamps are passed on as they are."""
        if self._clock is None:
            return ""
        if self.samples == 1:
            return "stamps are uneven: samples laid evenly at the measured rate; stamp each sample when it is taken"
        what = (
            f"stamps jump between packets of {self.samples} samples"
            if self._even_inside
            else (f"samples come in bursts of {self.samples} with nearly one stamp")
        )
        return (
            f"{what}: laid evenly at the measured rate; times "
            "are exact if the sender stamps each sample when it is taken"
        )

    def push(self, t: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
        """Return the times of the next samples, and whether time restarted.

        Args:
            t: (n,) stamps, n >= 1.
        """
        if not math.isfinite(t.sum()):  # windowing judges such stamps
            return t, False
        before, self._newest = self._newest, t.item(-1)
        if self._clock is None and not self._recognise(t, before):
            self._given = self._newest
            return t, False
        return self._lay(t)

    def _recognise(self, t: NDArray[np.float64], before: float) -> bool:
        """Watch the stamps from the first short interval on; return whether they come in bursts."""
        newest = t.item(-1)
        shortest_s = t.item(0) - before
        if len(t) > 1:
            shortest_s = min(shortest_s, float((t[1:] - t[:-1]).min())) if before == before else float(np.diff(t).min())
        is_short = shortest_s < SHORT * self._period_s
        if is_short:
            self._short_at = newest
        elif not self._watched:
            return False
        elif newest - self._short_at > CALM_S:
            self._watched.clear()
            return False
        if not self._watched and before == before:  # not NaN
            self._watched.append(before)
        self._watched.extend(t.tolist())
        stamps = np.array(self._watched)
        if not is_short or not np.isfinite(stamps).all():
            return False
        if not _in_bursts(stamps, self._short_share):
            return False
        ends = self._ends(stamps)
        # From the end of the first burst to the end of the last but one: whole bursts only.
        whole = max(len(ends) - 2, 1)
        samples, span_s = int(ends[whole] - ends[0]), float(stamps[ends[whole]] - stamps[ends[0]])
        measured_hz = samples / span_s if span_s > 0 else 0.0
        if abs(measured_hz / self._fs_hz - 1) > RATE_OFF:
            if len(ends) < SURE or not measured_hz:
                return False  # the nominal rate cannot be right, and the measured one is not yet sure
            self._period_s = 1 / measured_hz
            ends = self._ends(stamps)
        self._start(stamps[: len(stamps) - len(t)], ends)
        return True

    def _ends(self, stamps: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the position of the last sample of each burst; set how bursts are separated."""
        steps = np.diff(stamps) / self._period_s
        self._even_inside = bool((np.abs(steps - 1) < EVEN).mean() > 0.5)
        return np.concatenate([np.flatnonzero(self._is_border(steps)), [len(stamps) - 1]])

    def _is_border(self, steps: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.abs(steps - 1) > EVEN if self._even_inside else steps > SHORT

    def _start(self, history: NDArray[np.float64], ends: NDArray[np.int64]) -> None:
        """Begin to lay samples; the stamps handed out before show the line."""
        sizes = np.diff(ends)
        self.samples = int(np.median(sizes[:-1] if len(sizes) > 1 else sizes))  # the last may be incomplete
        self._clock = host_clock(1 / self._period_s, Clock())
        for start, stop in pairwise((ends + 1).tolist()):  # without the first, which may be a part of a burst
            if len(part := history[start:stop]):
                self._timed(part)
        self._watched.clear()

    def _lay(self, t: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
        cuts = np.flatnonzero(self._is_border(np.diff(t) / self._period_s)) + 1
        laid, restarted = [], False
        for part in np.split(t, cuts):
            timed = self._timed(part)
            laid.append(timed.t)
            restarted |= timed.restarted
        times = laid[0] if len(laid) == 1 else np.concatenate(laid)
        if times.item(0) <= self._given < times.item(-1) and not restarted:  # the first laid ones overlap given ones
            times = np.linspace(self._given, times.item(-1), len(times) + 1)[1:]
        restarted |= times.item(0) <= self._given
        self._given = times.item(-1)
        return times, restarted

    def _timed(self, burst: NDArray[np.float64]) -> Timed:
        assert self._clock is not None
        self._arrived = max(self._arrived, float(burst.max()))
        return self._clock.push(len(burst), self._arrived)


def _in_bursts(stamps: NDArray[np.float64], short_share: float) -> bool:
    """Return whether (n,) stamps come in bursts: short intervals, again and again, with pauses between."""
    intervals = np.diff(stamps)
    if len(intervals) < MIN_SHORT:
        return False
    mean_s = float(stamps[-1] - stamps[0]) / len(intervals)
    is_short = intervals < SHORT * mean_s
    if is_short.sum() < max(MIN_SHORT, short_share * len(intervals)):
        return False
    runs = np.concatenate([[0], np.flatnonzero(intervals > PAUSE * mean_s)])
    return int((np.add.reduceat(is_short, runs) > 0).sum()) >= RUNS
