"""Checks of rate, holes, losses, clock and columns, which need no knowledge of how the sensor moved.

Those of the stream's times are the table of ``kinestream.observe.checks``; here they get the figures of what was
recorded, and a line where all is well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from kinestream.core.evidence import StreamFigures
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, GYRO, MAG
from kinestream.observe.checks import STREAM_CHECKS, findings
from kinestream.observe.evidence import Evidence
from kinestream.observe.findings import Finding, ok, problem, warning
from kinestream.observe.signal_checks import values_text

from .stretch import Stretch

DRIFT = (200e-6, 5e-3)
"""Drift of the device's clock against the host's: quartz stays below the first, the second gives a warning."""
HOLE = 2.5
"""A longer distance of samples than this many usual ones is a hole."""
BURST = 0.1
"""Samples closer than this share of the nominal interval arrived at one instant."""
HELD = 0.3
"""Share of samples that may repeat the previous stretch."""
ACC_RANGES_G = (2, 4, 8, 16)
GYRO_RANGES = tuple(dps * unit for dps in (125, 250, 500, 1000, 2000) for unit in (np.pi / 180, 1.0))
"""Limits of the measuring ranges of gyroscopes, in rad/s and in deg/s mistaken for it."""
RANGE_ERROR = 0.04
"""Allowed relative distance from such a limit."""
CLIPPED = 3
"""This many identical samples in a row at the limit of a range are not a coincidence."""


def check_stream(
    stretches: Sequence[Stretch], spec: InputSpec, counts: Mapping[str, int]
) -> tuple[list[Finding], float]:
    """The findings about channels, rate, holes, losses and clock, and the measured rate in Hz (NaN if there is none).

    Args:
        stretches: at least one.
        counts: samples that the source skipped or repaired, by kind.
    """
    figures = figures_of(stretches)
    wrong = list(findings(Evidence("", figures, spec=spec), STREAM_CHECKS))
    if not any(finding.about == "gaps" for finding in wrong) and (bridged := _bridged(stretches)):
        wrong.append(bridged)
    reported = [*wrong, *_sound(figures, {finding.about for finding in wrong}), *_drift(stretches)]
    counted = ", ".join(f"{kind} {number}" for kind, number in counts.items() if number)
    if counted:
        advice = "expect the same in a run; docs/glossary.md explains the kinds"
        reported.append(warning("source", f"it counted {counted}", advice))
    return reported, float("nan") if figures.rate_hz is None else figures.rate_hz


def figures_of(stretches: Sequence[Stretch]) -> StreamFigures:
    """The figures of recorded stretches, as those of a running stream."""
    steps_s = _steps_s(stretches)
    forward_s = steps_s[steps_s > 0]
    usual_s = float(np.median(steps_s)) if len(steps_s) else 0.0
    low, high = np.percentile(steps_s, [5, 95]) if usual_s > 0 else (0.0, 0.0)
    samples, lost = sum(map(len, stretches)), sum(stretch.lost for stretch in stretches)
    time_s = float(steps_s.sum())
    steps = sum(len(stretch) - 1 + stretch.lost - int(stretch.epoch[-1]) for stretch in stretches)
    close = int((np.abs(steps_s) < BURST / stretches[0].fs_hz).sum())
    return StreamFigures(
        "",
        stretches[0].channels,
        stretches[0].fs_hz,
        samples=samples,
        span_s=time_s,
        rate_hz=steps / time_s if time_s > 0 else None,
        jitter_ms=float(high - low) * 1000 if usual_s > 0 else None,
        burst_samples=round(samples / max(1, samples - close)),
        age_ms=float(np.median(np.concatenate([stretch.age_s for stretch in stretches]))) * 1000,
        lost=lost,
        lost_share=lost / (lost + samples) if samples else 0.0,
        epochs=1 + sum(int(stretch.epoch[-1]) for stretch in stretches),
        longest_hole_s=float(forward_s.max(initial=0.0)),
        out_of_order=int((steps_s <= 0).sum()),
    )


def _steps_s(stretches: Sequence[Stretch]) -> np.ndarray:
    return np.concatenate([stretch.steps_s for stretch in stretches])


def _bridged(stretches: Sequence[Stretch]) -> Finding | None:
    """A warning about holes that windows bridge."""
    steps_s = _steps_s(stretches)
    holes = steps_s[steps_s > HOLE * np.median(steps_s)] if len(steps_s) else steps_s
    if not len(holes):
        return None
    text = f"{len(holes)}, the longest {holes.max():.2f} s, short enough to be bridged"
    return warning("gaps", text, "bring the receiver closer, with nothing between it and the sensor")


def _sound(f: StreamFigures, wrong: set[str]) -> Iterator[Finding]:
    """What is well, for the checks without a finding."""
    if "channels" not in wrong:
        yield ok("channels", ", ".join(f.channels))
    if f.rate_hz is not None and not wrong & {"rate", "slow"}:
        yield ok("rate", f"{f.rate_hz:.2f} Hz measured, {f.announced_hz:g} Hz announced")
    if "gaps" not in wrong:
        yield ok("gaps", "none")
    if "losses" not in wrong:
        yield ok("losses", f"{f.lost or 'none'} of {f.samples + f.lost} samples")
    if f.jitter_ms is not None and not wrong & {"jitter", "bursts", "order"}:
        yield ok("jitter", f"nine in ten intervals within {f.jitter_ms:.1f} ms")
    if f.age_ms is not None and not wrong & {"age", "clock"}:
        yield ok("age", f"samples are {max(0.0, f.age_ms):.0f} ms old on arrival")


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
        yield problem("values", values_text(", ".join(broken)), "drop them in the sensor's driver")
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
