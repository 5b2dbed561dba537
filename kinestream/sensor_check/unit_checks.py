"""Checks of units and calibration, from a sensor at rest and from gravity while it is turned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY
from kinestream.observe.findings import Finding, ok, problem, warning
from kinestream.observe.rotation import GYRO_UNITS, angle_deg, best_scale, disagreements_deg
from kinestream.observe.signal_checks import NO_GRAVITY, gravity_text, gyroscope_text, scale_text, units_text
from kinestream.observe.units import ACC_UNITS, UNIT_ERROR, unit_of

from .stretch import Stretch, Stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STILL, STANDING_STILL = 0.05, 0.15
"""Largest spread of the acceleration, as a share of gravity, on a table and on a standing person."""
QUIET_NOISE = 0.15
"""m/s^2, all axes together: every wearable accelerometer at rest is far below."""
MISCALIBRATED = 0.03
"""Relative error of gravity that gives a warning."""
UNEVEN = 1.1
"""Largest ratio of the readings of gravity in two positions."""
BIAS = (0.05, 0.2)
"""rad/s: a sound gyroscope at rest reads less than the first; above the second, the bias disturbs a model."""
EDGE_S = 1.0
"""The sensor rests at least this long after a movement, and half as long before it."""
LEAST_TURN_DEG = 20.0
"""A smaller turn does not show the unit of the gyroscope."""
GYRO_ERROR, GYRO_ERROR_DEG = 0.25, 8.0
"""Allowed disagreement of gyroscope and gravity, as a share of the turn and in degrees: people move imprecisely."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one check."""

    findings: tuple[Finding, ...]
    factor: float = 1.0
    """Factor to SI units."""
    trusted: bool = False
    """Whether the factor is known, so that later checks can use it."""


def spread(values: Floats) -> float:
    """The standard deviation of (n, 3) values, all axes together."""
    return float(np.sqrt(values.var(axis=0).sum()))


def moved_while(stretch: Stretch, limit: float) -> bool:
    """Whether the sensor moved: its acceleration spreads by more than ``limit`` times gravity."""
    acc = stretch.columns(ACC)
    if acc is None or not np.isfinite(acc).all():
        return False
    mean = float(np.linalg.norm(acc.mean(axis=0)))
    # In free fall, or with gravity removed, the mean cannot serve as the reference.
    return spread(acc) > limit * (mean if mean > NO_GRAVITY else STANDARD_GRAVITY)


def rests(stretch: Stretch) -> tuple[Floats, Floats]:
    """(3,) mean acceleration before the movement, and (3,) after it."""
    acc = stretch.columns(ACC)
    assert acc is not None
    return acc[stretch.edge(EDGE_S / 2)].mean(axis=0), acc[stretch.edge(-EDGE_S)].mean(axis=0)


def check_accelerometer(table: Stretch) -> Verdict:
    """The verdict on unit, stillness, gravity and noise at rest. The stretch must have an accelerometer."""
    acc, gyro = table.columns(ACC), table.columns(GYRO)
    assert acc is not None
    gravity = float(np.linalg.norm(acc.mean(axis=0)))
    turning = 0.0 if gyro is None else float(np.linalg.norm(gyro.mean(axis=0)))
    if gravity < NO_GRAVITY:
        if turning > 1 - UNIT_ERROR and unit_of(turning):
            text = f"at rest the gyroscope reads {turning:.3g}, the accelerometer {gravity:.2g}: they are swapped"
            return Verdict((problem("units", text, "swap acc and gyro in --columns or in the sensor's profile"),))
        advice = "choose the raw accelerometer in the sensor's app or profile"
        return Verdict((problem("gravity", gravity_text(gravity), advice),))
    unit = unit_of(gravity)
    if unit is None:
        advice = "keep the sensor still; if it was, look up its scale and set acc_factor in a file for --axes"
        return Verdict((problem("units", units_text(gravity, None), advice),))
    factor = STANDARD_GRAVITY / ACC_UNITS[unit]
    return Verdict((*_rest(acc, gravity, unit, factor, moved_while(table, STILL)),), factor, trusted=True)


def _rest(acc: Floats, gravity: float, unit: str, factor: float, moved: bool) -> Iterator[Finding]:
    if factor != 1.0:
        yield warning("units", units_text(gravity, unit), f"acc_factor = {factor:.6g} in the file corrects it")
    noise = spread(acc) * factor
    if moved:
        text = f"it moved: the acceleration spreads by {noise:.1f} m/s^2"
        yield problem("rest", text, "lay the sensor on a table, do not touch it, and check again")
        return
    off = gravity * factor / STANDARD_GRAVITY - 1
    text = f"acceleration at rest is {gravity * factor:.2f} m/s^2"
    if abs(off) > MISCALIBRATED:
        yield warning("gravity", f"{text}, {off:+.0%}", "calibrate the accelerometer if possible")
    else:
        yield ok("gravity", text)
    if noise > QUIET_NOISE:
        yield warning("noise", f"acceleration at rest spreads by {noise:.2f} m/s^2", "use a table that does not shake")
    else:
        yield ok("noise", f"{noise:.3f} m/s^2 at rest")


def check_gyroscope(stretches: Stretches) -> Verdict:
    """The verdict on unit, signs and bias: angular rates must turn gravity before the movement into gravity after it.

    No findings without a gyroscope. ``trusted`` if gyroscope and gravity agree.
    """
    rest, gyro = stretches.table.columns(GYRO), stretches.moved.columns(GYRO)
    if rest is None or gyro is None or stretches.moved.columns(ACC) is None:
        return Verdict(())
    if not np.any(rest) and not np.any(gyro):
        advice = "switch it on in the sensor's app or profile"
        return Verdict((problem("gyroscope", gyroscope_text(zero=True), advice),))
    still = not moved_while(stretches.table, STILL)
    bias = rest.mean(axis=0) if still else np.zeros(3)
    verdict = _against_gravity(stretches, gyro - bias)
    if not still:
        return verdict
    rate = float(np.linalg.norm(bias)) * abs(verdict.factor)
    return Verdict((*verdict.findings, _bias(rate, verdict.trusted)), verdict.factor, verdict.trusted)


def _against_gravity(stretches: Stretches, rates: Floats) -> Verdict:
    before, after = rests(stretches.moved)
    moved_deg = angle_deg(before, after)
    if moved_deg < LEAST_TURN_DEG:
        text = f"the movement turned gravity by only {moved_deg:.0f} degrees, so the gyroscope was not checked"
        movement = "bend forward" if stretches.worn is not None else "turn it"
        return Verdict((problem("movement", text, f"{movement} by 45 degrees or more, stay, and check again"),))
    t = stretches.moved.t
    between = (t >= t[0] + EDGE_S / 4) & (t <= t[-1] - EDGE_S / 2)  # from the middle of one rest to that of the other
    rates, t = rates[between], t[between]
    factors = np.array([sign * to_si for to_si in GYRO_UNITS.values() for sign in (1, -1)])
    errors = disagreements_deg(before, after, rates, t, factors)
    factor, error_deg = float(factors[errors.argmin()]), float(errors.min())
    allowed_deg = max(GYRO_ERROR * moved_deg, GYRO_ERROR_DEG)
    if error_deg > allowed_deg:
        scale = best_scale(before, after, rates, t)
        factor, error_deg = 1 / scale.share, scale.error_deg
    if error_deg > allowed_deg:
        text = f"gravity turned by {moved_deg:.0f} degrees, and the gyroscope misses that by {error_deg:.0f} degrees"
        advice = "its axes or signs differ from the accelerometer's: correct them in the profile or --columns"
        return Verdict((problem("gyroscope", text, advice),))
    text = f"agrees with gravity to {error_deg:.0f} degrees over a turn of {moved_deg:.0f} degrees"
    findings = [ok("gyroscope", text)]
    if factor != 1.0:
        advice = f"gyro_factor = {factor:.6g} in the file corrects it"
        findings.insert(0, warning("gyroscope_scale", scale_text(1 / factor), advice))
    return Verdict(tuple(findings), factor, trusted=True)


def _bias(rate: float, unit_is_sure: bool) -> Finding:
    text = f"angular rate at rest is {rate:.3f} rad/s"
    advice = "switch it off and on while it lies still, so that it calibrates"
    if rate > BIAS[1]:
        return problem("bias", text, advice if unit_is_sure else f"{advice}; or its unit is not rad/s")
    if rate > BIAS[0]:
        return warning("bias", text, advice)
    return ok("bias", text)


def check_evenness(stretches: Stretches, factor: float) -> Finding | None:
    """A warning if gravity reads differently in different positions, else None."""
    acc = stretches.table.columns(ACC)
    assert acc is not None
    gravity = [float(np.linalg.norm(mean)) * factor for mean in (acc.mean(axis=0), *rests(stretches.moved))]
    if max(gravity) <= UNEVEN * min(gravity):
        return None
    text = f"gravity reads {', '.join(f'{value:.1f}' for value in gravity)} m/s^2 as the sensor is turned"
    return warning("gravity", text, "hold it still; if you did, an axis has a wrong scale or offset: calibrate it")
