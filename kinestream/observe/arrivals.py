"""Rate, bursts, spread and losses of the chunks that arrived during some seconds: plain functions of arrays."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_SPAN_S = 2.0
"""No rate is given for less."""
BREAK_S = 1.0
"""A longer interval between two samples is a break: no rate is measured across it."""
MOST_LOST, CREDIBLE = 100, 4.0
"""A sequence number that jumps further, and ahead of the time by this factor, is no measure of the rate."""
BURST = 0.25
"""Samples nearer to each other than this share of the mean interval belong to one burst."""
MOST_SAMPLES = 16384
"""Only this many of the newest samples are looked at."""

STAMPS_DIFFER = 0.01
"""Least relative difference of two rates, by arrivals and by stamps, at which the arrivals are heeded."""
SURE = 6.0
"""The difference must add up, over the span, to this many deviations of the arrivals from an even pace."""
PACE = (0.1, 1.8)
"""Rates by arrivals that are credible, as multiples of the rate by stamps: beyond, a replay or a backlog arrives."""
SLOT_S, CHANGED = 2.0, 0.25
"""The pace of the newest arrivals is compared slot by slot; one that differs by more than this share is another."""
SLOT_SAMPLES = 5
"""Samples that a slot must have to show a pace."""
SAME_S = 1e-4
"""Ages that vary by less are no measurements: the sender has no time of arrival."""


class Arrivals(NamedTuple):
    """Chunks of the last seconds, a column each."""

    at_s: tuple[float, ...]
    """The arrivals on the host's clock, or for a replay on its own."""
    received_s: tuple[float, ...]
    """The arrivals at the host that the sensor sent to, on that host's clock."""
    age_s: tuple[float, ...]
    taken: tuple[int, ...]
    """Samples of the epoch that the sensor has taken, the lost ones included."""
    lost: tuple[int, ...]
    """Samples lost since the start."""
    epoch: tuple[int, ...]
    """Number of the epoch."""
    t: tuple[NDArray[np.float64], ...]


NOTHING = Arrivals((), (), (), (), (), (), ())


def samples_of(
    arrivals: Arrivals, announced_hz: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """The samples' numbers, grouped into unbroken stretches, with their times; and the steps between neighbours.

    Returns:
        (n,) numbers and (n,) times, both relative to the mean of the sample's stretch; (m,) seconds between samples
        that follow each other without a break; (m,) whether no sample was lost between them.
    """
    if not arrivals.t:
        return np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.bool_)
    t = np.concatenate(arrivals.t)[-MOST_SAMPLES:]
    counts = np.array(list(map(len, arrivals.t)))
    first = np.array(arrivals.taken, np.float64) - counts
    starts = np.cumsum(counts) - counts
    number = (np.arange(counts.sum()) + np.repeat(first - starts, counts))[-MOST_SAMPLES:]
    epoch = np.repeat(arrivals.epoch, counts)[-MOST_SAMPLES:]
    steps_s, steps = np.diff(t), np.diff(number)
    is_joined = (steps_s >= 0) & (steps_s <= BREAK_S) & (np.diff(epoch) == 0)  # comparisons with NaN are false
    is_joined &= (steps >= 1) & (steps <= MOST_LOST + CREDIBLE * announced_hz * steps_s)
    stretch = np.concatenate(([0], np.cumsum(~is_joined)))
    size = np.bincount(stretch)
    with np.errstate(invalid="ignore"):
        t0 = t - t[np.concatenate(([0], np.flatnonzero(~is_joined) + 1))][stretch]  # small numbers keep their digits
    t0[~np.isfinite(t0)] = 0.0
    index = number - (np.bincount(stretch, number) / size)[stretch]
    within_s = t0 - (np.bincount(stretch, t0) / size)[stretch]
    return index, within_s, steps_s[is_joined], (steps == 1)[is_joined]


def since_change(arrivals: Arrivals) -> Arrivals:
    """The arrivals at the newest pace that lasted two slots: a sensor that changed its rate has no mean of both.

    Arrivals whose pace differs from slot to slot, as over a link that stalls, are returned as they are; so are those
    with a hole, and an epoch of less than three slots.
    """
    if not arrivals.t:
        return arrivals
    ends = [len(arrivals.t) - 1]  # of the slots, newest first
    first = arrivals.epoch.index(arrivals.epoch[-1])
    newest_s = [t.item(-1) for t in arrivals.t]
    for k in range(len(arrivals.t) - 2, first - 1, -1):
        if newest_s[ends[-1]] - newest_s[k] >= SLOT_S:
            ends.append(k)
    if ends[-1] > first:
        ends.append(first)  # what is left counts as a slot, too
    paces: list[float] = []
    for end, start in pairwise(ends):
        samples, span_s = arrivals.taken[end] - arrivals.taken[start], newest_s[end] - newest_s[start]
        if samples < SLOT_SAMPLES or not 0 < span_s <= SLOT_S + BREAK_S:
            break
        paces.append(samples / span_s)
    if len(paces) < 3:
        return arrivals
    same = [abs(newer / older - 1) <= CHANGED for newer, older in pairwise(paces)]
    if True not in same[:3]:
        return arrivals
    newest = same.index(True)  # before it, the change is still in progress
    older = next((k for k in range(newest, len(same)) if not same[k]), len(same))
    others = (*paces[:newest], *paces[older + 1 :])
    if any(abs(pace / paces[newest] - 1) <= CHANGED for pace in others):
        return arrivals  # a hole, not a change: the pace is what it was before
    if not others and first == 0 and len(paces) == len(ends) - 1:
        return arrivals
    kept = slice(ends[older + 1] + (older + 1 < len(paces)), ends[newest] + 1)
    a = arrivals
    return Arrivals(
        a.at_s[kept], a.received_s[kept], a.age_s[kept], a.taken[kept], a.lost[kept], a.epoch[kept], a.t[kept]
    )


def rate_of(index: NDArray[np.float64], t: NDArray[np.float64]) -> float | None:
    """The slope of the samples' numbers over their times; the numbers are exact, so the times are regressed on them.

    A line through all samples is right also for bursts and jitter, where the ends of the span are not.
    """
    time = float(index @ t)
    spread = float(index @ index)
    if time <= 0 or not spread:
        return None
    rate_hz = spread / time
    return rate_hz if len(t) >= MIN_SPAN_S * rate_hz and math.isfinite(rate_hz) else None


def rate_hz_of(arrivals: Arrivals, by_stamps_hz: float | None, *, live: bool) -> float | None:
    """The rate by the stamps, unless the samples arrive evenly at another.

    A sender on another host has noted when its samples arrived; where it has not, the arrivals here stand in. A
    backlog that arrives at once, or a sender that replays a file, says nothing about the sensor.

    Args:
        live: the arrivals on the host's clock show the pace of the sensor.
    """
    epoch = arrivals.epoch.index(arrivals.epoch[-1])  # where it starts
    ages_s = arrivals.age_s[epoch:]
    has_measured = max(ages_s) - min(ages_s) > SAME_S
    if not live and not has_measured:
        return by_stamps_hz
    at_s = arrivals.received_s if has_measured else arrivals.at_s
    pace_hz, is_sure = _pace(arrivals.taken[epoch:], at_s[epoch:], by_stamps_hz)
    return pace_hz if is_sure else by_stamps_hz


def _pace(
    taken: tuple[int, ...], arrived_s: tuple[float, ...], by_stamps_hz: float | None
) -> tuple[float | None, bool]:
    """The rate at which the samples arrive, and whether it is to be believed more than the stamps."""
    index, at_s = np.array(taken, np.float64), np.array(arrived_s)
    samples = float(index[-1] - index[0])
    if len(index) < 5 or not at_s[-1] - at_s[0] >= MIN_SPAN_S:
        return None, False
    index -= index.mean()
    at_s -= at_s.mean()
    time, spread = float(index @ at_s), float(index @ index)
    if not time > 0 or not spread:
        return None, False
    rate_hz = spread / time
    if by_stamps_hz is None:
        return rate_hz, math.isfinite(rate_hz)
    ratio = rate_hz / by_stamps_hz
    if abs(ratio - 1) < STAMPS_DIFFER or not PACE[0] <= ratio <= PACE[1]:
        return rate_hz, False
    uneven_s = float((at_s - index / rate_hz).std())
    differs_s = abs(1 / by_stamps_hz - 1 / rate_hz) * samples
    return rate_hz, differs_s > SURE * uneven_s


def taken_and_lost(arrivals: Arrivals) -> tuple[int, int]:
    """The samples that the sensor took between the first and the last arrival, and those of them that were lost."""
    if not arrivals.t:
        return 0, 0
    came = sum(map(len, arrivals.t[1:]))
    lost = arrivals.lost[-1] - arrivals.lost[0]
    return came + lost, lost


def spread_ms(steps_s: NDArray[np.float64]) -> float | None:
    """The spread of nine in ten intervals."""
    if len(steps_s) < 10:
        return None
    ordered = np.sort(steps_s)
    return round(1000.0 * float(ordered[int(0.95 * len(ordered))] - ordered[int(0.05 * len(ordered))]), 6)


def burst_samples(steps_s: NDArray[np.float64]) -> int | None:
    """The usual number of samples that lie close together."""
    if len(steps_s) < 10:
        return None
    between = np.flatnonzero(steps_s > BURST * steps_s.mean())
    return max(1, int(np.median(np.diff(between)))) if len(between) > 2 else 1
