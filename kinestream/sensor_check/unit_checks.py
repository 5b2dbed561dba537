"""In what units a sensor speaks, and whether it is calibrated: told from rest, and from gravity as it is turned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY

from .orientation import GYRO_UNITS, angle_deg, disagreement_deg
from .stream_checks import Finding, ok, problem, warning
from .stretch import Stretch, Stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ACC_UNITS = {
    "m/s^2": STANDARD_GRAVITY,
    "g": 1.0,
    "milli-g": 1000.0,
    "m/s^2, doubled (a measuring range set to half of what is assumed)": 2 * STANDARD_GRAVITY,
    "m/s^2, halved (a measuring range set to twice what is assumed)": STANDARD_GRAVITY / 2,
    "m/s^2, four times too large": 4 * STANDARD_GRAVITY,
    "m/s^2, four times too small": STANDARD_GRAVITY / 4,
    "raw counts, 16384 a g": 16384.0,
    "raw counts, 8192 a g": 8192.0,
    "raw counts, 4096 a g": 4096.0,
    "raw counts, 2048 a g": 2048.0,
}
"""What a sensor at rest reads in units that are met in practice."""
UNIT_ERROR = 0.1
"""Share by which an uncalibrated accelerometer may miss its unit's gravity."""
NO_GRAVITY = 0.3
"""A sensor at rest that reads less, in whatever unit, has had gravity taken out."""
STILL, STANDING_STILL = 0.05, 0.15
"""Spread of the acceleration, as a share of gravity, on a table and on a person who stands."""
QUIET_NOISE = 0.15
"""m/s^2: noise of an accelerometer at rest, all axes together, is far below in every wearable sensor."""
MISCALIBRATED = 0.03
UNEVEN = 1.1
"""Gravity may read so many times more in one position than in another."""
BIAS = (0.05, 0.2)
"""rad/s: a gyroscope at rest reads less than the first; beyond the second it disturbs what a model sees."""
EDGE_S = 1.0
"""After a movement the sensor rests this long at least, and half of it before."""
LEAST_TURN_DEG = 20.0
GYRO_ERROR, GYRO_ERROR_DEG = 0.25, 8.0
"""Share of a movement by which gyroscope and gravity may differ: one made by a person is no calibration."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check came to."""

    findings: tuple[Finding, ...]
    factor: float = 1.0
    """To SI units."""
    trusted: bool = False
    """Whether the factor was found, and more can be built upon it."""


def spread(values: Floats) -> float:
    """How far (n, 3) values scatter about their mean, all axes together."""
    return float(np.sqrt(values.var(axis=0).sum()))


def moved_while(stretch: Stretch, limit: float) -> bool:
    """Whether the sensor was not still: its acceleration spread by more than ``limit`` of gravity."""
    acc = stretch.columns(ACC)
    if acc is None or not np.isfinite(acc).all():
        return False
    mean = float(np.linalg.norm(acc.mean(axis=0)))
    # Where gravity was taken out the mean is no measure.
    return spread(acc) > limit * (mean if mean > NO_GRAVITY else STANDARD_GRAVITY)


def unit_of(gravity: float) -> str | None:
    """The unit in which a sensor at rest reads ``gravity``; None: none is near."""
    name = min(ACC_UNITS, key=lambda unit: abs(np.log(gravity / ACC_UNITS[unit])))
    return name if abs(gravity / ACC_UNITS[name] - 1) <= UNIT_ERROR else None


def rests(stretch: Stretch) -> tuple[Floats, Floats]:
    """(3,) mean acceleration before and after the movement."""
    acc = stretch.columns(ACC)
    assert acc is not None
    return acc[stretch.edge(EDGE_S / 2)].mean(axis=0), acc[stretch.edge(-EDGE_S)].mean(axis=0)


def check_accelerometer(table: Stretch) -> Verdict:
    """Unit, stillness, gravity and noise at rest. The stretch has the columns of acceleration."""
    acc, gyro = table.columns(ACC), table.columns(GYRO)
    assert acc is not None
    gravity = float(np.linalg.norm(acc.mean(axis=0)))
    turning = 0.0 if gyro is None else float(np.linalg.norm(gyro.mean(axis=0)))
    if gravity < NO_GRAVITY:
        if turning > 1 - UNIT_ERROR and unit_of(turning):
            text = f"at rest the gyroscope reads {turning:.3g}, the accelerometer {gravity:.2g}: they are swapped"
            return Verdict((problem("units", text, "swap acc and gyro in --columns or in the sensor's profile"),))
        text = f"acceleration at rest is {gravity:.2g}: gravity is missing, this is linear acceleration"
        return Verdict((problem("gravity", text, "choose the raw accelerometer in the sensor's app or profile"),))
    unit = unit_of(gravity)
    if unit is None:
        text = f"acceleration at rest is {gravity:.4g}, which is gravity in no unit that is known"
        advice = "look up the sensor's scale; was it still? If so, set acc_factor in a file for --axes by hand"
        return Verdict((problem("units", text, advice),))
    factor = STANDARD_GRAVITY / ACC_UNITS[unit]
    return Verdict((*_rest(acc, gravity, unit, factor, moved_while(table, STILL)),), factor, trusted=True)


def _rest(acc: Floats, gravity: float, unit: str, factor: float, moved: bool) -> Iterator[Finding]:
    if factor != 1.0:
        text = f"acceleration is in {unit}: {gravity:.4g} at rest"
        yield warning("units", text, f"acc_factor = {factor:.6g} in the file puts it right")
    noise = spread(acc) * factor
    if moved:
        text = f"it moved: acceleration spread by {noise:.1f} m/s^2"
        yield problem("rest", text, "lay the sensor on a table, do not touch it, and check again")
        return
    off = gravity * factor / STANDARD_GRAVITY - 1
    text = f"acceleration at rest is {gravity * factor:.2f} m/s^2"
    if abs(off) > MISCALIBRATED:
        yield warning("gravity", f"{text}, {off:+.0%}", "calibrate the accelerometer if it can be")
    else:
        yield ok("gravity", text)
    if noise > QUIET_NOISE:
        yield warning("noise", f"acceleration at rest spreads by {noise:.2f} m/s^2", "was the table quite still?")
    else:
        yield ok("noise", f"{noise:.3f} m/s^2 at rest")


def check_gyroscope(stretches: Stretches) -> Verdict:
    """Unit, signs and bias, by whether it turns gravity before the movement into gravity after it.

    No findings where there is no gyroscope. ``trusted`` where the two agreed.
    """
    rest, gyro = stretches.table.columns(GYRO), stretches.moved.columns(GYRO)
    if rest is None or gyro is None or stretches.moved.columns(ACC) is None:
        return Verdict(())
    if not np.any(rest) and not np.any(gyro):
        text = "it reads nothing but zeros"
        return Verdict((problem("gyroscope", text, "switch it on in the sensor's app or profile"),))
    still = not moved_while(stretches.table, STILL)
    bias = rest.mean(axis=0) if still else np.zeros(3)
    found = _against_gravity(stretches, gyro - bias)
    if not still:
        return found
    rate = float(np.linalg.norm(bias)) * abs(found.factor)
    return Verdict((*found.findings, _bias(rate, found.trusted)), found.factor, found.trusted)


def _against_gravity(stretches: Stretches, rates: Floats) -> Verdict:
    before, after = rests(stretches.moved)
    moved_deg = angle_deg(before, after)
    if moved_deg < LEAST_TURN_DEG:
        text = f"the movement turned gravity by {moved_deg:.0f} degrees only, so the gyroscope was not checked"
        what = "bend forward" if stretches.worn is not None else "turn it"
        return Verdict((problem("movement", text, f"{what} half way to the ground or more, stay, and check again"),))
    error_deg, sign, unit = min(
        (disagreement_deg(before, after, sign * to_si * rates, stretches.moved.t), sign, unit)
        for unit, to_si in GYRO_UNITS.items()
        for sign in (1, -1)
    )
    if error_deg > max(GYRO_ERROR * moved_deg, GYRO_ERROR_DEG):
        text = (
            f"gravity turned by {moved_deg:.0f} degrees; by the gyroscope it would be {error_deg:.0f} degrees elsewhere"
        )
        advice = "its axes or signs are not those of the accelerometer: correct them in the profile or --columns"
        return Verdict((problem("gyroscope", text, advice),))
    factor = sign * GYRO_UNITS[unit]
    findings = [ok("gyroscope", f"agrees with gravity within {error_deg:.0f} degrees over a turn of {moved_deg:.0f}")]
    if factor != 1.0:
        text = f"angular rate is in {unit}" + (", and its signs are all reversed" if sign < 0 else "")
        findings.insert(0, warning("units", text, f"gyro_factor = {factor:.6g} in the file puts it right"))
    return Verdict(tuple(findings), factor, trusted=True)


def _bias(rate: float, unit_is_sure: bool) -> Finding:
    text = f"angular rate at rest is {rate:.3f} rad/s"
    if rate > BIAS[1]:
        advice = "switch it off and on while it lies still, so that it calibrates"
        return problem("bias", text, advice if unit_is_sure else f"{advice}; or its unit is not rad/s")
    if rate > BIAS[0]:
        return warning("bias", text, "switch it off and on while it lies still, so that it calibrates")
    return ok("bias", text)


def check_evenness(stretches: Stretches, factor: float) -> Finding | None:
    """Whether gravity is the same whichever way the sensor is turned; nothing if it is."""
    acc = stretches.table.columns(ACC)
    assert acc is not None
    read = [float(np.linalg.norm(one)) * factor for one in (acc.mean(axis=0), *rests(stretches.moved))]
    if max(read) <= UNEVEN * min(read):
        return None
    text = f"gravity reads {', '.join(f'{one:.1f}' for one in read)} m/s^2 as the sensor is turned"
    return warning("gravity", text, "an axis has a wrong scale or offset: calibrate it; or it was not held still")
