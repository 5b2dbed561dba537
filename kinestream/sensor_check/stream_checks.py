"""Rate, gaps, losses, clock and the state of the columns: what can be told of a sensor without knowing how it moved."""

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
"""Share by which a measured rate may differ from the announced one; cheap clocks err by up to 2 %."""
LOSS_BAD = 0.05
"""Share of samples lost beyond which windows are often incomplete."""
JITTER = 0.5
"""Share of the sampling interval by which nine of ten intervals may differ from each other."""
AGE_S = (0.5, 2.0)
DRIFT = (200e-6, 5e-3)
"""A device's clock against the host's: quartz stays below the first."""
HELD = 0.3
"""Share of samples that only repeat the one before."""
ACC_RANGES_G = (2, 4, 8, 16)
GYRO_RANGES = tuple(dps * unit for dps in (125, 250, 500, 1000, 2000) for unit in (np.pi / 180, 1.0))
"""Where gyroscopes' ranges end, in rad/s and in what is mistaken for it."""
RANGE_ERROR = 0.04
CLIPPED = 3
"""So many samples in a row at the end of a range, each the very same, are no chance."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    about: str
    level: Literal["ok", "warning", "problem"]
    text: str
    advice: str = ""
    """What to do; empty where all is well."""

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
    """What is to be said of rate, gaps, losses and clock; and the measured rate in Hz, NaN if there is none.

    Args:
        stretches: at least one.
        counts: what the source skipped or repaired, by kind.
    """
    rate_hz = measured_rate_hz(stretches)
    findings = [*_rate(stretches[0].fs_hz, rate_hz, spec), *_holes(stretches, spec), *_clock(stretches)]
    told = ", ".join(f"{kind} {number}" for kind, number in counts.items() if number)
    if told:
        findings.append(
            warning("source", f"it counted {told}", "expect the same in a run; docs/glossary.md has the kinds")
        )
    return findings, rate_hz


def measured_rate_hz(stretches: Sequence[Stretch]) -> float:
    """Samples a second, lost ones included."""
    steps = sum(len(one) - 1 + one.lost - one.session[-1] for one in stretches)
    time_s = sum(float(one.steps_s.sum()) for one in stretches)
    return float(steps / time_s) if time_s > 0 else float("nan")


def _rate(announced_hz: float, rate_hz: float, spec: InputSpec) -> Iterator[Finding]:
    off = rate_hz / announced_hz - 1
    text = f"{rate_hz:.2f} Hz measured, {announced_hz:g} Hz announced"
    if not abs(off) <= RATE_BAD:
        yield problem("rate", f"{text}, {off:+.0%}", "set the sensor's rate again, or correct rate= of the source")
    elif abs(off) > RATE_OK:
        yield warning("rate", f"{text}, {off:+.1%}", "it is taken as measured where the source stamps each sample")
    else:
        yield ok("rate", text)
    try:
        spec.check_rate(rate_hz)
    except InputMismatch as error:
        text, _, advice = str(error).partition("; ")
        yield problem("rate", text, advice)


def _holes(stretches: Sequence[Stretch], spec: InputSpec) -> Iterator[Finding]:
    steps_s = np.concatenate([one.steps_s for one in stretches])
    lost, came = sum(one.lost for one in stretches), sum(map(len, stretches))
    starts = sum(int(one.session[-1]) for one in stretches)
    usual_s = float(np.median(steps_s)) if len(steps_s) else 0.0
    holes = steps_s[steps_s > 2.5 * usual_s]
    nearer = "bring the receiver nearer and clear the way between it and the sensor"
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
        yield warning("link", f"it began anew {starts} times", nearer)


def _clock(stretches: Sequence[Stretch]) -> Iterator[Finding]:
    steps_s = np.concatenate([one.steps_s for one in stretches])
    back = int((steps_s <= 0).sum())
    if back:
        yield problem(
            "clock", f"time stood still or ran back {back} times", "sort the stamps, or leave them to the host"
        )
    usual_s = float(np.median(steps_s)) if len(steps_s) else 0.0
    if usual_s > 0:
        low, high = np.percentile(steps_s, [5, 95])
        text = f"intervals of {usual_s * 1000:.1f} ms, nine of ten within {(high - low) * 1000:.1f} ms"
        if (high - low) / usual_s > JITTER:
            advice = "samples are stamped when they arrive: stamp them in the sensor, or send them evenly"
            yield warning("jitter", text, advice)
        else:
            yield ok("jitter", text)
    ages = np.concatenate([one.age_s for one in stretches])
    age_s = float(np.median(ages))
    text = f"samples are {max(0.0, age_s) * 1000:.0f} ms old on arrival"
    if age_s < -0.05:
        yield warning("age", f"samples are stamped {-age_s * 1000:.0f} ms in the future", "set the sender's clock")
    elif age_s > AGE_S[1]:
        yield problem("age", text, "predictions come this much late: send smaller packets, or set the sender's clock")
    elif age_s > AGE_S[0]:
        yield warning("age", text, "predictions come this much late: send smaller packets")
    else:
        yield ok("age", text)
    yield from _drift(stretches)


def _drift(stretches: Sequence[Stretch]) -> Iterator[Finding]:
    """The device's clock against the host's, over all stretches of the one session that must not have been left."""
    if any(one.t_device is None or one.session[-1] for one in stretches):
        return
    t = np.concatenate([one.t for one in stretches])
    device = np.concatenate([one.t_device for one in stretches if one.t_device is not None])
    if np.ptp(t) == 0:
        return
    drift = float(np.polyfit(t - t[0], device - device[0], 1)[0]) - 1
    text = f"the device's clock runs {abs(drift) * 1e6:.0f} ppm {'fast' if drift > 0 else 'slow'}"
    if abs(drift) > DRIFT[1]:
        yield warning("drift", text, "check the unit of its stamps; kinestream follows the drift, not a jump")
    else:
        yield ok("drift", text)


def check_columns(stretches: Sequence[Stretch]) -> Iterator[Finding]:
    """Axes that are stuck, alike, held or cut off; numbers that are none. Says nothing of what is well."""
    channels = stretches[0].channels
    x = np.concatenate([one.x for one in stretches])
    broken = [name for name, column in zip(channels, x.T, strict=True) if not np.isfinite(column).all()]
    if broken:
        yield problem(
            "values", f"{', '.join(broken)} have values that are no numbers", "drop them in the sensor's driver"
        )
        return
    # One whole sensor that is silent is another matter than one axis of it, and is told elsewhere.
    silent = {name for family in (ACC, GYRO, MAG) for name in family if not _any(channels, x, family)}
    stuck = [name for name, column in zip(channels, x.T, strict=True) if np.ptp(column) == 0 and name not in silent]
    for name in stuck:
        value = x[0, channels.index(name)]
        yield problem("stuck", f"{name} is {value:.4g} whatever happens", "the axis is broken, or a column is wrong")
    for one, other in combinations([name for name in channels if name not in {*stuck, *silent}], 2):
        if np.array_equal(x[:, channels.index(one)], x[:, channels.index(other)]):
            yield problem("alike", f"{one} and {other} are the same", "a column is read twice: correct the profile")
    repeats = float((np.diff(x, axis=0) == 0).all(axis=1).mean()) if len(x) > 1 else 0.0
    if repeats > HELD and len(stuck) < len(channels):
        text = f"{repeats:.0%} of the samples repeat the one before"
        yield warning("held", text, "the sensor measures more slowly than it sends: ask it for a lower rate")
    for name, limit in _clipped(stretches[0], x):
        yield warning("range", f"{name} is cut off at {limit:.4g}", "set a larger measuring range")


def _any(channels: tuple[str, ...], x: np.ndarray, family: tuple[str, ...]) -> bool:
    return bool(np.any(x[:, [i for i, name in enumerate(channels) if name in family]]))


def _clipped(rest: Stretch, x: np.ndarray) -> Iterator[tuple[str, float]]:
    acc = rest.columns(ACC)
    gravity = 0.0 if acc is None else float(np.linalg.norm(acc.mean(axis=0)))  # in whatever unit
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
