"""The sampling rate of a device, from arrival times only: whatever was announced, and also where packets get lost."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

BUCKET_S = 0.2
"""Span in which only the earliest arrival counts: the one that waited least for its connection event."""
WINDOW_S = 30.0
DELAY_S = 0.1
"""Maximum difference of the delays of two arrivals while the nominal rate is believed: arrivals over a second show
the rate to a tenth, over five seconds to a fiftieth."""
BACKLOG_S = 0.1
"""Packets that arrive this soon after the first may have been held back, so the rate is measured after them."""
EARLY_S = 2.0
"""Span in which the first and the newest arrival alone show the rate."""
FIRST_S = 6.0
"""Span that must be seen before the first search for the exact rate."""
EVERY_S, LATER_EVERY_S = 2.0, 10.0
"""Time between searches: one costs as much as a thousand arrivals, and a crystal drifts over minutes."""
NEAR = 0.02
"""Distance of the exact rate from the nominal one, or from the rate at which samples arrive."""
LOSSES = 0.08
"""Share of lost packets that may explain why samples arrive more slowly than the sensor takes them."""
HOLE_S, HOLE_STEPS = 1.0, 3
"""Time without an arrival, also in usual times between two, that shows nothing of the rate."""
STEADY = 0.06
"""Maximum distance of the median slope from the slope over all: a single step changes only the latter."""
CHANGES = ((2.0, 0.25), (5.0, 0.1))
"""Spans in seconds, and how far the rate in both of their halves must lie off: the sensor runs at another rate."""
CHANGE_POINTS = 6
"""Minimum number of arrivals that show another rate."""
STEP_COST = 4.5
"""Evidence against a rate, in nats, for each loss that it needs."""
BACK_COST = 3.0
"""Cost of a step back, in losses: it would mean more samples than the rate allows."""
ALIKE = 0.95
"""Phase agreement above which no more evidence is gained."""
SURE = 12.0
"""Evidence against all other rates, in nats, that makes the best rate of a search the sensor's own."""
LEAST, KEPT = -0.55, -1.2
"""Evidence for each arrival, in nats, that a rate needs to be taken, and to be kept."""
FAILURES = 3
"""Searches that may fail before a rate that was found is given up."""


class Arrival(NamedTuple):
    """The earliest arrival of a bucket."""

    k: int
    """Samples received up to its end."""
    at_s: float


class ArrivalRate:
    """The sampling period of a sensor: the nominal one as far as the arrivals allow it, else the one they show.

    At first, the rate follows from the number of samples that arrived. It is then made exact. A sensor that is 1 % slow
    and one that loses a packet in a hundred deliver alike in the long run, but the slow sensor falls behind steadily, a
    loss in one step of exactly a packet's duration. So the exact rate is the one at which the arrivals, folded to a
    packet's duration, lie closest together: a phase is blind to whole periods, hence to losses. If the connection
    interval is a multiple of the packet's duration, every arrival has the phase of the interval; then the rate that
    needs the fewest steps is better. Where no rate stands out, because packets are shorter than the jitter or too many
    get lost, the rate is that at which samples arrive.

    Args:
        nominal_s: nominal time between two samples.
        fixed: the device sends a sample only when a value has changed, so only rates near the nominal one count.

    >>> rate = ArrivalRate(0.02)
    >>> for k in range(1, 100):
    ...     _ = rate.push(k, k * 0.08, 1)
    >>> round(rate.period_s, 3)
    0.08
    """

    def __init__(self, nominal_s: float, fixed: bool = False) -> None:
        self._nominal_s = nominal_s
        self._fixed = fixed
        self._believed_s = nominal_s
        self.period_s = nominal_s
        """Estimated time between two samples."""
        self.known = False
        """Whether a search for the exact rate has taken place since the rate last changed."""
        self._exact_s = 0.0  # the period that stood out in a search; 0: none did
        self._failed = 0  # searches since
        self._arriving_s = nominal_s
        self.changes = 0
        """How often the sensor changed to another rate."""
        self._points: deque[Arrival] = deque()
        self._end_s = self._due_s = self._began_s = self._first_s = -math.inf

    @property
    def exact(self) -> bool:
        """Whether the rate is the sensor's own; else it is that at which samples arrive, less those lost."""
        return self._exact_s > 0

    @property
    def arriving_s(self) -> float:
        """Time between two samples on average, those included that may be missing."""
        if not self.known:
            return self.period_s
        off = abs(self.period_s / self._arriving_s - 1)
        return self.period_s if off < DELAY_S / max(self.span_s, FIRST_S) else self._arriving_s

    @property
    def span_s(self) -> float:
        """Time since the first arrival, or since the rate changed."""
        return self._points[-1].at_s - self._first_s if self._points else 0.0

    def push(self, k: int, at_s: float, per_packet: float) -> bool:
        """Add an arrival and return whether ``period_s`` changed.

        Args:
            k: number of samples received so far.
            at_s: arrival time of the newest.
            per_packet: mean number of samples in a packet.
        """
        point = Arrival(k, at_s)
        points = self._points
        if not points:
            self._began_s, self._first_s, self._due_s = at_s, at_s, at_s + FIRST_S
        elif at_s < self._end_s:
            if at_s - self._began_s < BACKLOG_S:
                points[0], self._first_s = point, at_s
                return False
            newest = points[-1]
            if len(points) > 1 and at_s - newest.at_s < self.period_s * (k - newest.k):
                points[-1] = point
            return not self._fixed and at_s - self._first_s < EARLY_S and self._follow((points[0], point))
        before_s = self.period_s
        if points:
            self._renew(at_s, per_packet)
        points.append(point)
        while points[0].at_s < at_s - max(WINDOW_S, 12 * per_packet * self.period_s):
            points.popleft()
        self._end_s = at_s + BUCKET_S
        return self.period_s != before_s

    def _renew(self, at_s: float, per_packet: float) -> None:
        """Estimate the rate from the finished buckets."""
        if self._fixed:
            if at_s >= self._due_s:
                self._search(per_packet, self._nominal_s)
        elif self._has_changed():
            self._first_s, self._due_s = self._points[0].at_s, self._points[0].at_s + FIRST_S
            self.known, self._exact_s = False, 0.0
            self.changes += 1
            self._believed_s = self.period_s = slope(self._points)
        elif self._is_falling():
            return
        elif at_s >= self._due_s:
            self._search(per_packet, slope(self._points))
        elif not self.known:
            self._follow(self._points)
        if at_s >= self._due_s:
            self.known = True
            self._due_s = at_s + (EVERY_S if self.span_s < 0.9 * WINDOW_S else LATER_EVERY_S)

    def _follow(self, points: Sequence[Arrival]) -> bool:
        """Keep the believed rate if the arrivals allow it, else take theirs; return whether the rate changed."""
        before_s, span_s = self.period_s, points[-1].at_s - points[0].at_s
        seen_s = slope(points) if points[-1].k > points[0].k else math.nan
        if seen_s > 0:
            believable = abs(self._believed_s / seen_s - 1) < DELAY_S / span_s
            self.period_s = self._believed_s if believable else seen_s
        return self.period_s != before_s

    def _has_changed(self) -> bool:
        """Whether the newest arrivals show another rate; then forget those before them."""
        if not self.known and self.span_s < FIRST_S:
            return False
        newest = self._points[-1]
        for span_s, least in CHANGES:
            recent: list[Arrival] = []  # the newest first
            for point in reversed(self._points):
                recent.append(point)
                if point.at_s < newest.at_s - span_s and len(recent) >= CHANGE_POINTS:
                    break
            oldest = recent[-1]
            whole_off = (newest.at_s - oldest.at_s) / max(newest.k - oldest.k, 1) / self.period_s - 1
            if len(recent) == len(self._points) or abs(whole_off) < least / 2:
                continue
            recent.reverse()
            middle = len(recent) // 2
            halves = [slope(recent[: middle + 1]), slope(recent[middle:])]
            off = [half / self.period_s - 1 if half > 0 else 0.0 for half in halves]
            if halves[1] > self.period_s:
                least += LOSSES
            elif not self._early(recent):
                continue  # a backlog that the link works off
            alike = abs(halves[0] - halves[1]) < 0.5 * least * max(halves)
            if alike and min(map(abs, off)) > least and off[0] * off[1] > 0:
                self._points = deque(recent[len(recent) // 3 :])  # the oldest may be of the rate before
                return True
        return False

    def _early(self, recent: list[Arrival]) -> bool:
        """Whether the newest arrival came clearly earlier than all before the recent ones, by the rate so far."""
        newest = recent[-1]
        level_s = newest.at_s - self.period_s * newest.k + DELAY_S
        before = [point for point in self._points if point.at_s <= recent[0].at_s]
        return all(level_s < point.at_s - self.period_s * point.k for point in before)

    def _is_falling(self) -> bool:
        """Whether the link works off a backlog: the rate shows afterwards."""
        if not self.known or len(self._points) <= CHANGE_POINTS:
            return False
        before, newest = self._points[-CHANGE_POINTS], self._points[-1]
        return newest.at_s - before.at_s < self.period_s * (newest.k - before.k) - DELAY_S

    def _search(self, per_packet: float, arriving_s: float) -> None:
        """Fold the arrivals to a packet's duration at each possible rate; take the rate that explains them best."""
        if not arriving_s > 0:
            return
        points = np.array([(point.k, point.at_s) for point in self._points])
        k, at_s = points[:, 0] - points[0, 0], points[:, 1] - points[0, 1]
        resolution = per_packet * arriving_s / (8 * at_s[-1])
        self._arriving_s = arriving_s
        if self._exact_s:
            found = _fold(k, at_s, per_packet, self._exact_s * (1 + np.linspace(-8, 8, 33) * resolution / 2))
            if found.score > KEPT * len(k):
                self._failed = 0
                self.period_s = self._exact_s = found.period_s
                return
        low, high = (-NEAR, NEAR) if self._fixed else (-LOSSES, NEAR)
        tries = arriving_s * (1 + np.linspace(low, high, min(max(int((high - low) / resolution), 100), 1500)))
        earliest = _earliest(k, at_s - arriving_s * k)
        several = [
            _fold(k[some], at_s[some], per_packet, tries) for some in (slice(None), earliest) if len(k[some]) > 5
        ]
        sure = [found for found in several if found.margin > SURE and found.score > LEAST * len(k)]
        self._failed = 0 if sure else self._failed + 1
        if sure:
            self._exact_s = max(sure, key=lambda found: found.margin).period_s
        elif self._failed > FAILURES or not 1 - NEAR < arriving_s / (self._exact_s or 1.0) < 1 + LOSSES:
            self._exact_s = 0.0
        self.period_s = self._exact_s or arriving_s


class Found(NamedTuple):
    """The rate that a search found."""

    period_s: float
    score: float
    """Evidence in nats, against any phase being as likely and nothing being lost."""
    margin: float
    """Evidence against every other rate."""


def _earliest(k: np.ndarray, late_s: np.ndarray) -> np.ndarray:
    """The places of the earliest of each three arrivals."""
    whole = len(k) // 3 * 3
    return late_s[:whole].reshape(-1, 3).argmin(axis=1) + np.arange(0, whole, 3)


def _fold(k: np.ndarray, at_s: np.ndarray, per_packet: float, periods_s: np.ndarray) -> Found:
    """The period that explains the arrivals best, and the evidence for it in nats."""
    turns = (at_s - periods_s[:, None] * k) / (per_packet * periods_s[:, None])  # (periods, buckets)
    agreement = np.hypot(np.cos(2 * np.pi * turns).mean(axis=1), np.sin(2 * np.pi * turns).mean(axis=1))
    capped = np.minimum(agreement, ALIKE)
    width = capped * (2 - capped**2) / (1 - capped**2)  # of a von Mises distribution
    score = len(k) * (width * capped - np.log(np.i0(width)) + agreement - capped) - STEP_COST * _steps(turns)
    best = int(score.argmax())
    period_s = float(periods_s[best])
    far = np.abs(periods_s / period_s - 1) > 3 * per_packet * period_s / at_s[-1]
    margin = score[best] - (score[far].max() if far.any() else 0.0)
    if 0 < best < len(periods_s) - 1:  # the top of the parabola through the best and its neighbours
        left, top, right = agreement[best - 1 : best + 2]
        if left < top > right:
            period_s += float((left - right) / (left - 2 * top + right)) / 2 * float(periods_s[1] - periods_s[0])
    return Found(period_s, float(score[best]), float(margin))


def slope(points: Sequence[Arrival]) -> float:
    """Seconds per sample of arrivals, in spite of single delays, losses and holes; NaN if no two count.

    >>> slope([Arrival(10 * i, 0.2 * i + (i == 3)) for i in range(9)])
    0.02
    """
    parts = _parts(points)
    lag = max(1, len(points) // 5)
    pairs = sorted(
        (b.at_s - a.at_s) / (b.k - a.k)
        for part in parts
        for a, b in zip(part, part[min(lag, len(part) // 2) :], strict=False)
        if b.k > a.k
    )
    if not pairs:
        return math.nan
    steady = pairs[(len(pairs) - 1) // 2]  # the lower median: a loss only lengthens
    span_s, samples = 0.0, 0
    for part in parts:
        some = max(1, min(len(part) // 3, 10))  # arrivals that were not late by themselves
        first = min(part[:some], key=lambda point: point.at_s - steady * point.k)
        last = min(part[-some:], key=lambda point: point.at_s - steady * point.k)
        span_s += last.at_s - first.at_s
        samples += last.k - first.k
    whole = span_s / samples if samples else math.nan
    return whole if abs(whole - steady) < STEADY * steady else steady


def _parts(points: Sequence[Arrival]) -> list[list[Arrival]]:
    """The arrivals, divided where none came for long."""
    steps_s = [b.at_s - a.at_s for a, b in pairwise(points)]
    if not steps_s:
        return [list(points)]
    longest_s = max(HOLE_S, HOLE_STEPS * sorted(steps_s)[len(steps_s) // 2])
    parts = [[points[0]]]
    for point, step_s in zip(list(points)[1:], steps_s, strict=True):
        if step_s > longest_s:
            parts.append([])
        parts[-1].append(point)
    return parts


def _steps(turns: np.ndarray) -> np.ndarray:
    """How often each row leaves a band one turn high: 1 for a step up, ``BACK_COST`` for a step down."""
    turns = np.minimum(turns[:, :-1], turns[:, 1:])  # a single late arrival is no step
    lowest, highest = turns[:, 0].copy(), turns[:, 0].copy()
    cost = np.zeros(len(turns))
    for now in turns.T:
        up, down = now - lowest > 0.95, highest - now > 0.95
        cost += up + BACK_COST * down
        left = up | down
        lowest = np.where(left, now, np.minimum(lowest, now))
        highest = np.where(left, now, np.maximum(highest, now))
    return cost
