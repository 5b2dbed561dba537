"""Checks of rate, gaps, losses, clock and columns, which need no knowledge of how the sensor moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from kinestream.core.errors import InputMismatch
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, GYRO, MAG

from .stretch import Stretch

RATE_OK, RATE_BAD = 0.02, 0.1
"""Allowed relative difference of the measured and the announced rate; cheap clocks are off by up to 2 %."""
LOSS_BAD = 0.05
"""Share of lost samples above which windows are often incomplete."""
JITTER = 0.5
"""Allowed spread of nine in ten intervals, as a share of the sampling interval."""
AGE_S = (0.5, 2.0)
"""Ages on arrival that give a warning and a problem."""
DRIFT = (200e-6, 5e-3)
"""Drift of the device's clock against the host's: quartz stays below the first, the second gives a warning."""
HELD = 0.3
"""Share of samples that may repeat the previous stretch."""
ACC_RANGES_G = (2, 4, 8, 16)
GYRO_RANGES = tuple(dps * unit for dps in (125, 250, 500, 1000, 2000) for unit in (np.pi / 180, 1.0))
"""Limits of the measuring ranges of gyroscopes, in rad/s and in deg/s mistaken for it."""
RANGE_ERROR = 0.04
"""Allowed relative distance from such a limit."""
CLIPPED = 3
"""This many identical samples in a row at the limit of a range are not a coincidence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    about: str
    level: Literal["ok", "warning", "problem"]
    text: str
    advice: str = ""
    """The remedy; empty if nothing is wrong."""

    def __str__(self) -> str:
        return f"{self.about}: {self.text}" + (f"; {self.advice}" if self.advice else "")


def ok(about: str, text: str) -> Finding:
    return Finding(about, "ok", text)


def warning(about: str, text: str, advice: str) -> Finding:
    return Finding(about, "warning", text, advice)


def problem(about: str, text: str, advice: str) -> Finding:
    return Finding(about, "problem", text, advice)


def check_stream(
    stretches: Sequence[Stretch], spec: InputSpec, counts: Mapping[str, int]
) -> tuple[list[Finding], float]:
    """The findings about rate, gaps, losses and clock, and the measured rate in Hz (NaN if there is none).

    Args:
        stretches: at least stretch.
        counts: samples that the source skipped or repaired, by kind.
    """
    rate_hz = measured_rate_hz(stretches)
    findings = [*_rate(stretches[0].fs_hz, rate_hz, spec), *_holes(stretches, spec), *_clock(stretches)]
    counted = ", ".join(f"{kind} {number}" for kind, number in counts.items() if number)
    if counted:
        advice = "expect the same in a run; docs/glossary.md explains the kinds"
        findings.append(warning("source", f"it counted {counted}", advice))
    return findings, rate_hz


def measured_rate_hz(stretches: Sequence[Stretch]) -> float:
    """Samples per second, lost ones included; NaN if no time passed."""
    steps = sum(len(stretch) - 1 + stretch.lost - stretch.epoch[-1] for stretch in stretches)
    time_s = sum(float(stretch.steps_s.sum()) for stretch in stretches)
    return float(steps / time_s) if time_s > 0 else float("nan")


def _rate(announced_hz: float, rate_hz: float, spec: InputSpec) -> Iterator[Finding]:
    off = rate_hz / announced_hz - 1
    text = f"{rate_hz:.2f} Hz measured, {announced_hz:g} Hz announced"
    if not abs(off) <= RATE_BAD:
        yield problem("rate", f"{text}, {off:+.0%}", "set the sensor's rate, or correct rate= in the source")
    elif abs(off) > RATE_OK:
        yield warning("rate", f"{text}, {off:+.1%}", "if the source stamps each sample, the measured rate applies")
    else:
        yield ok("rate", text)
    try:
        spec.check_rate(rate_hz)
    except InputMismatch as error:
        text, _, advice = str(error).partition("; ")
        yield problem("rate", text, advice)


def _holes(stretches: Sequence[Stretch], spec: InputSpec) -> Iterator[Finding]:
    steps_s = np.concatenate([stretch.steps_s for stretch in stretches])
    lost, came = sum(stretch.lost for stretch in stretches), sum(map(len, stretches))
    starts = sum(int(stretch.epoch[-1]) for stretch in stretches)
    usual_s = float(np.median(steps_s)) if len(steps_s) else 0.0
    holes = steps_s[steps_s > 2.5 * usual_s]
    nearer = "bring the receiver closer, with nothing between it and the sensor"
    if len(holes):
        text = f"{len(holes)}, the longest {holes.max():.2f} s"
        if holes.max() > spec.max_gap_s:
            yield problem("gaps", f"{text}; no window spans more than {spec.max_gap_s:g} s", nearer)
        else:
            yield warning("gaps", f"{text}, short enough to be bridged", nearer)
    else:
        yield ok("gaps", "none")
    if lost:
        share = lost / (lost + came)
        text = f"{lost} of {lost + came} samples ({share:.1%})"
        yield problem("losses", text, nearer) if share > LOSS_BAD else warning("losses", text, nearer)
    else:
        yield ok("losses", f"none of {came} samples")
    if starts:
        yield warning("link", f"the stream restarted {starts} times", nearer)


def _clock(stretches: Sequence[Stretch]) -> Iterator[Finding]:
    steps_s = np.concatenate([stretch.steps_s for stretch in stretches])
    back = int((steps_s <= 0).sum())
    if back:
        yield problem(
            "clock", f"time stood still or went back {back} times", "sort the stamps, or let the host stamp the samples"
        )
    usual_s = float(np.median(steps_s)) if len(steps_s) else 0.0
    if usual_s > 0:
        low, high = np.percentile(steps_s, [5, 95])
        text = f"intervals of {usual_s * 1000:.1f} ms, nine in ten within {(high - low) * 1000:.1f} ms"
        if (high - low) / usual_s > JITTER:
            advice = "the samples are stamped on arrival: stamp them in the sensor, or send them evenly"
            yield warning("jitter", text, advice)
        else:
            yield ok("jitter", text)
    ages = np.concatenate([stretch.age_s for stretch in stretches])
    age_s = float(np.median(ages))
    text = f"samples are {max(0.0, age_s) * 1000:.0f} ms old on arrival"
    if age_s < -0.05:
        yield warning("age", f"samples are stamped {-age_s * 1000:.0f} ms in the future", "set the sender's clock")
    elif age_s > AGE_S[1]:
        yield problem("age", text, "predictions are late by this much: send smaller packets, or set the sender's clock")
    elif age_s > AGE_S[0]:
        yield warning("age", text, "predictions are late by this much: send smaller packets")
    else:
        yield ok("age", text)
    yield from _drift(stretches)


def _drift(stretches: Sequence[Stretch]) -> Iterator[Finding]:
    """The drift of the device's clock against the host's; measured only if all stretches lie in one epoch."""
    if any(stretch.t_device is None or stretch.epoch[-1] for stretch in stretches):
        return
    t = np.concatenate([stretch.t for stretch in stretches])
    device = np.concatenate([stretch.t_device for stretch in stretches if stretch.t_device is not None])
    if np.ptp(t) == 0:
        return
    drift = float(np.polyfit(t - t[0], device - device[0], 1)[0]) - 1
    text = f"the device's clock runs {abs(drift) * 1e6:.0f} ppm {'fast' if drift > 0 else 'slow'}"
    if abs(drift) > DRIFT[1]:
        yield warning("drift", text, "check the unit of its stamps; kinestream follows a drift, but not a jump")
    else:
        yield ok("drift", text)


def check_columns(stretches: Sequence[Stretch]) -> Iterator[Finding]:
    """Findings about stuck, equal, repeated or clipped axes and about NaN; none for sound columns."""
    channels = stretches[0].channels
    x = np.concatenate([stretch.x for stretch in stretches])
    broken = [name for name, column in zip(channels, x.T, strict=True) if not np.isfinite(column).all()]
    if broken:
        yield problem("values", f"{', '.join(broken)} hold NaN or infinite values", "drop them in the sensor's driver")
        return
    # A wholly silent sensor is reported by another check; here, only single axes count.
    silent = {name for family in (ACC, GYRO, MAG) for name in family if not _any(channels, x, family)}
    stuck = [name for name, column in zip(channels, x.T, strict=True) if np.ptp(column) == 0 and name not in silent]
    for name in stuck:
        value = x[0, channels.index(name)]
        yield problem("stuck", f"{name} is {value:.4g} all the time", "the axis is broken, or the column is wrong")
    for first, second in combinations([name for name in channels if name not in {*stuck, *silent}], 2):
        if np.array_equal(x[:, channels.index(first)], x[:, channels.index(second)]):
            yield problem("alike", f"{first} and {second} are equal", "a column is read twice: correct the profile")
    repeats = float((np.diff(x, axis=0) == 0).all(axis=1).mean()) if len(x) > 1 else 0.0
    if repeats > HELD and len(stuck) < len(channels):
        text = f"{repeats:.0%} of the samples repeat the previous one"
        yield warning("held", text, "the sensor measures more slowly than it sends: set a lower rate")
    for name, limit in _clipped(stretches[0], x):
        yield warning("range", f"{name} is clipped at {limit:.4g}", "set a larger measuring range")


def _any(channels: tuple[str, ...], x: np.ndarray, family: tuple[str, ...]) -> bool:
    return bool(np.any(x[:, [i for i, name in enumerate(channels) if name in family]]))


def _clipped(rest: Stretch, x: np.ndarray) -> Iterator[tuple[str, float]]:
    acc = rest.columns(ACC)
    gravity = 0.0 if acc is None else float(np.linalg.norm(acc.mean(axis=0)))  # in any unit
    ranges = {**dict.fromkeys(ACC, tuple(g * gravity for g in ACC_RANGES_G)), **dict.fromkeys(GYRO, GYRO_RANGES)}
    for name, column in zip(rest.channels, x.T, strict=True):
        for end in (float(column.max()), float(column.min())):
            at_end = any(
                abs(end) and abs(abs(end) / limit - 1) <= RANGE_ERROR for limit in ranges.get(name, ()) if limit
            )
            if at_end and _longest_run(column == end) >= CLIPPED:
                yield name, end


def _longest_run(at: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.r_[False, at, False]))
    return int((edges[1::2] - edges[::2]).max(initial=0))
