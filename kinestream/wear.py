"""Whether a sensor can be trusted, and how it is worn: from recorded stretches to findings. Pure; ``cli/wear.py`` asks.

Four stretches tell it: lying still, standing with the sensor on, bending forward, turning to the left. For a model that
knows no place of its sensor two do: lying still, and turned over onto an edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kinestream.errors import InputMismatch
from kinestream.input_spec import InputSpec
from kinestream.signals import ACC, GYRO, STANDARD_GRAVITY

from .wear_stream import Finding, check_columns, check_stream, ok, problem, warning
from .wear_stretch import Stretch
from .wear_turn import (
    GYRO_UNITS,
    Nearest,
    Orientation,
    angle_deg,
    axis_name,
    disagreement_deg,
    forward_from_bend,
    nearest_axes,
    turned_by,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ACC_UNITS = {
    "m/s^2": STANDARD_GRAVITY,
    "g": 1.0,
    "milli-g": 1000.0,
    "m/s^2, doubled (a measuring range set to twice what is assumed)": 2 * STANDARD_GRAVITY,
    "m/s^2, halved (a measuring range set to half of what is assumed)": STANDARD_GRAVITY / 2,
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
EDGE_S = 1.0
"""Before and after a movement the sensor rests this long at least."""
STILL, STANDING_STILL = 0.05, 0.15
"""Spread of the acceleration, as a share of gravity, on a table and on a person who stands."""
QUIET_NOISE = 0.15
"""m/s^2: noise of an accelerometer at rest, all axes together, is far below in every wearable sensor."""
BIAS = (0.05, 0.2)
"""rad/s: a gyroscope at rest reads less than the first; beyond the second it disturbs what a model sees."""
BEND_DEG, TURN_DEG = (20.0, 120.0), (35.0, 200.0)
GYRO_ERROR = 0.25
"""Share of a movement by which gyroscope and gravity may differ; a hand-made movement is no calibration."""
OFF_WARNING_DEG, OFF_REFUSED_DEG = 30.0, 40.0
"""At 45 degrees two mappings are equally near, and people do not bend straight ahead to better than some degrees."""


@dataclass(frozen=True, slots=True)
class Stretches:
    """What was recorded; ``moved`` is the bend, or for a model without a place the turn onto an edge."""

    table: Stretch
    moved: Stretch
    worn: Stretch | None = None
    turned: Stretch | None = None

    def all(self) -> list[Stretch]:
        return [one for one in (self.table, self.worn, self.moved, self.turned) if one is not None]


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found."""

    findings: tuple[Finding, ...]
    nearest: Nearest | None
    """The mapping; None: not asked for, or not to be told from what was recorded."""
    acc_factor: float
    gyro_factor: float
    rate_hz: float
    """As measured; NaN if that was not possible."""
    trusted: bool
    """Whether acceleration was understood, so that a mapping and factors make sense."""

    @property
    def problems(self) -> int:
        return sum(finding.level == "problem" for finding in self.findings)


@dataclass
class _Notes:
    """Collects findings while the sensor is judged."""

    findings: list[Finding] = field(default_factory=list)

    def add(self, *found: Finding) -> None:
        self.findings += found


def judge(
    stretches: Stretches,
    spec: InputSpec,
    orientation: Orientation | None,
    counts: Mapping[str, int] | None = None,
    battery_frac: float | None = None,
) -> Report:
    """What is right and wrong with a sensor, in the order in which one would look.

    Args:
        spec: of the model that is to read it.
        orientation: how the model's sensor was worn; None: it knows no such thing, and no mapping is sought.
        counts: what the source skipped or repaired meanwhile, by kind.
        battery_frac: the sensor's charge, 0 to 1, where the source tells.
    """
    notes = _Notes()
    found, rate_hz = check_stream(stretches.all(), spec, counts or {})
    notes.add(*_fits(stretches.table, spec), *found, *check_columns(stretches.all()))
    acc_factor, gyro_factor = 1.0, 1.0
    usable = stretches.table.columns(ACC) is not None and bool(np.isfinite(stretches.table.x).all())
    nearest = None
    if usable:
        acc_factor, usable = _gravity(stretches, notes)
    if usable:
        gyro_factor, trusted = _gyro(stretches, acc_factor, notes)
        if orientation is not None and stretches.worn is not None:
            nearest = _worn(stretches, orientation, gyro_factor if trusted else None, notes)
    if orientation is None:
        text = "the model learned from sensors turned differently on each person, so there is no orientation to map to"
        notes.add(ok("axes", text))
    if battery_frac is not None:
        if battery_frac < 0.2:
            notes.add(warning("battery", f"{battery_frac:.0%}", "charge the sensor before a long recording"))
        else:
            notes.add(ok("battery", f"{battery_frac:.0%}"))
    return Report(tuple(notes.findings), nearest, acc_factor, gyro_factor, rate_hz, usable)


def moved_while(stretch: Stretch, limit: float) -> bool:
    """Whether the sensor was not still: its acceleration spread by more than ``limit`` of gravity."""
    acc = stretch.columns(ACC)
    if acc is None or not np.isfinite(acc).all():
        return False
    mean = float(np.linalg.norm(acc.mean(axis=0)))
    # Where gravity was taken out, or in g, the mean is no measure.
    return _spread(acc) > limit * (mean if mean > 3 * NO_GRAVITY else STANDARD_GRAVITY)


def _spread(values: Floats) -> float:
    return float(np.sqrt(values.var(axis=0).sum()))


def _fits(stretch: Stretch, spec: InputSpec) -> Iterable[Finding]:
    try:
        spec.needed_from(stretch.channels)
    except InputMismatch as error:
        text, _, advice = str(error).partition("; ")
        yield problem("channels", text, advice)
    else:
        yield ok("channels", ", ".join(stretch.channels))


def unit_of(gravity: float) -> tuple[str, float] | None:
    """The unit in which a sensor at rest reads ``gravity``, and the factor to m/s^2; None: none is near."""
    name = min(ACC_UNITS, key=lambda unit: abs(np.log(gravity / ACC_UNITS[unit])))
    return (name, STANDARD_GRAVITY / ACC_UNITS[name]) if abs(gravity / ACC_UNITS[name] - 1) <= UNIT_ERROR else None


def _gravity(stretches: Stretches, notes: _Notes) -> tuple[float, bool]:
    """Unit, stillness and noise of the accelerometer at rest; the factor to m/s^2, and whether to go on."""
    acc, gyro = stretches.table.columns(ACC), stretches.table.columns(GYRO)
    assert acc is not None
    gravity = float(np.linalg.norm(acc.mean(axis=0)))
    turning = 0.0 if gyro is None else float(np.linalg.norm(gyro.mean(axis=0)))
    if gravity < NO_GRAVITY and turning > 3 * NO_GRAVITY and unit_of(turning):
        text = (
            f"at rest the gyroscope reads {turning:.3g} and the accelerometer {gravity:.2g}: their columns are swapped"
        )
        notes.add(problem("units", text, "swap acc and gyro in --columns or the sensor's profile, and check again"))
        return 1.0, False
    if moved_while(stretches.table, STILL):
        advice = "lay the sensor on a table, do not touch it, and check again"
        notes.add(problem("rest", f"it moved: acceleration spread by {_spread(acc):.2g}", advice))
    if gravity < NO_GRAVITY:
        text = f"acceleration at rest is {gravity:.2g}: gravity is missing, this is linear acceleration"
        notes.add(problem("gravity", text, "choose the raw accelerometer in the sensor's app or profile"))
        return 1.0, False
    unit = unit_of(gravity)
    if unit is None:
        text = f"acceleration at rest is {gravity:.4g}, which is gravity in no unit that is known"
        notes.add(problem("units", text, "look up the sensor's scale; set acc_factor in the file by hand"))
        return 1.0, False
    name, factor = unit
    if factor != 1.0:
        text = f"acceleration is in {name}: {gravity:.4g} at rest"
        notes.add(warning("units", text, f"acc_factor = {factor:.6g} in the file puts it right"))
    off = gravity * factor / STANDARD_GRAVITY - 1
    text = f"acceleration at rest is {gravity * factor:.2f} m/s^2"
    if abs(off) > 0.03:
        notes.add(warning("gravity", f"{text}, {off:+.0%}", "calibrate the accelerometer if it can be"))
    else:
        notes.add(ok("gravity", text))
    spread = _spread(acc) * factor
    if spread > QUIET_NOISE:
        notes.add(warning("noise", f"acceleration at rest spreads by {spread:.2f} m/s^2", "was the table quite still?"))
    else:
        notes.add(ok("noise", f"{spread:.3f} m/s^2 at rest"))
    return factor, True


def _gyro(stretches: Stretches, acc_factor: float, notes: _Notes) -> tuple[float, bool]:
    """Unit, signs and bias of the gyroscope; the factor to rad/s, and whether the bend agreed with gravity."""
    table, gyro, acc = stretches.table.columns(GYRO), stretches.moved.columns(GYRO), stretches.moved.columns(ACC)
    if table is None or gyro is None or acc is None:
        return 1.0, False
    if not np.any(table) and not np.any(gyro):
        notes.add(problem("gyroscope", "it reads nothing but zeros", "switch it on in the sensor's app or profile"))
        return 1.0, False
    bias = table.mean(axis=0)
    before, after = _rests(stretches.moved)
    moved_deg = angle_deg(before, after)
    factor, trusted = 1.0, False
    if moved_deg < BEND_DEG[0]:
        where = "bend forward" if stretches.worn is not None else "turn it"
        text = f"the movement turned gravity by {moved_deg:.0f} degrees only, so the gyroscope was not checked"
        notes.add(problem("movement", text, f"{where} by half a right angle or more, stay there, and check again"))
    else:
        rates = gyro - bias
        errors = {
            (unit, sign): disagreement_deg(before, after, sign * to_si * rates, stretches.moved.t)
            for unit, to_si in GYRO_UNITS.items()
            for sign in (1, -1)
        }
        (unit, sign), error = min(errors.items(), key=lambda one: one[1])
        if error > max(GYRO_ERROR * moved_deg, 8.0):
            text = (
                f"gravity turned by {moved_deg:.0f} degrees, the gyroscope's own account ends {error:.0f} degrees off"
            )
            advice = "its axes or signs are not those of the accelerometer: correct them in the profile or --columns"
            notes.add(problem("gyroscope", text, advice))
        elif sign < 0:
            factor, trusted = -GYRO_UNITS[unit], True
            text = f"it turns the wrong way round, in {unit}: all its signs are reversed"
            notes.add(warning("gyroscope", text, f"gyro_factor = {factor:.6g} in the file puts it right"))
        else:
            factor, trusted = GYRO_UNITS[unit], True
            if unit != "rad/s":
                advice = f"gyro_factor = {factor:.6g} in the file puts it right"
                notes.add(warning("units", f"angular rate is in {unit}", advice))
            text = f"agrees with gravity within {error:.0f} degrees over a turn of {moved_deg:.0f}"
            notes.add(ok("gyroscope", text))
    rest = float(np.linalg.norm(bias)) * abs(factor)
    if rest > BIAS[1]:
        advice = "let it calibrate: switch it off and on while it lies still" + (
            "" if trusted else "; or its unit is deg/s, which a larger movement shows"
        )
        notes.add(problem("bias", f"angular rate at rest is {rest:.2f} rad/s", advice))
    elif rest > BIAS[0]:
        notes.add(warning("bias", f"angular rate at rest is {rest:.3f} rad/s", "let it calibrate lying still"))
    else:
        notes.add(ok("bias", f"angular rate at rest is {rest:.3f} rad/s"))
    _same_gravity(stretches, acc_factor, before, after, notes)
    return factor, trusted


def _rests(stretch: Stretch) -> tuple[Floats, Floats]:
    """(3,) mean acceleration before and after the movement."""
    acc = stretch.columns(ACC)
    assert acc is not None
    return acc[stretch.edge(EDGE_S / 2)].mean(axis=0), acc[stretch.edge(-EDGE_S)].mean(axis=0)


def _same_gravity(stretches: Stretches, factor: float, before: Floats, after: Floats, notes: _Notes) -> None:
    table = stretches.table.columns(ACC)
    assert table is not None
    read = [float(np.linalg.norm(one)) * factor for one in (table.mean(axis=0), before, after)]
    if max(read) / min(read) > 1.1:
        text = f"gravity reads {', '.join(f'{one:.1f}' for one in read)} m/s^2 as the sensor is turned"
        notes.add(warning("gravity", text, "an axis has a wrong scale or offset: calibrate; or you moved at the end"))


def _worn(stretches: Stretches, orientation: Orientation, gyro_factor: float | None, notes: _Notes) -> Nearest | None:
    """Which axes are up and forward, and the mapping that follows; ``gyro_factor`` None: it was not to be trusted."""
    assert stretches.worn is not None
    standing = stretches.worn.columns(ACC)
    assert standing is not None
    upright = standing.mean(axis=0)
    if moved_while(stretches.worn, STANDING_STILL):
        notes.add(problem("standing", "you moved", "stand still and upright, arms at your sides, and check again"))
        return None
    down, tilt_deg = axis_name(-upright)
    notes.add(ok("standing", f"the sensor's {down} points down, tilted by {tilt_deg:.0f} degrees"))
    _, bent = _rests(stretches.moved)
    bend_deg = angle_deg(upright, bent)
    if not BEND_DEG[0] <= bend_deg <= BEND_DEG[1]:
        text = f"the bend was {bend_deg:.0f} degrees; {BEND_DEG[0]:.0f} to {BEND_DEG[1]:.0f} tell which way is forward"
        notes.add(problem("bend", text, "bend forward from the hips about half way, stay there, and check again"))
        return None
    if gyro_factor is not None and not _turned_left(stretches, upright, gyro_factor, notes):
        return None
    nearest = nearest_axes(upright, forward_from_bend(upright, bent), orientation)
    text = f"axes '{nearest.axes}' lead to the {orientation.name}, {nearest.off_deg:.0f} degrees are left"
    if nearest.off_deg > OFF_REFUSED_DEG:
        text = (
            f"ambiguous: {nearest.off_deg:.0f} degrees from '{nearest.axes}', "
            f"{nearest.next_off_deg:.0f} from '{nearest.next_axes}'"
        )
        notes.add(problem("axes", text, f"wear it {orientation.place}, its edges upright, and check again"))
        return None
    if nearest.off_deg > OFF_WARNING_DEG:
        notes.add(warning("axes", text, f"it is worn askew: put it {orientation.place}, its edges upright"))
    else:
        notes.add(ok("axes", text))
    return nearest


def _turned_left(stretches: Stretches, upright: Floats, gyro_factor: float, notes: _Notes) -> bool:
    """Whether turning left turned the gyroscope about what gravity says is up."""
    if stretches.turned is None:
        return True
    gyro, table = stretches.turned.columns(GYRO), stretches.table.columns(GYRO)
    if gyro is None or table is None:
        return True
    total = turned_by((gyro - table.mean(axis=0)) * gyro_factor, stretches.turned.t)
    skew = np.array([total[2, 1] - total[1, 2], total[0, 2] - total[2, 0], total[1, 0] - total[0, 1]])
    amount = float(np.degrees(np.arccos(np.clip((np.trace(total) - 1) / 2, -1, 1))))
    about = float(skew @ upright / (np.linalg.norm(skew) * np.linalg.norm(upright) or 1.0))
    if not TURN_DEG[0] <= amount <= TURN_DEG[1]:
        text = f"you turned by {amount:.0f} degrees"
        notes.add(problem("turn", text, "turn to your left by a quarter circle, stay there, and check again"))
    elif about < -0.8:
        text = "to the gyroscope you turned right"
        advice = "turn left; if you did, the accelerometer's signs are all reversed: correct them where it is set up"
        notes.add(problem("turn", text, advice))
    elif about < 0.8:
        text = "the gyroscope turned about another axis than the one that gravity shows to be upright"
        advice = "turn on the spot, upright; if you did, the gyroscope's axes are not those of the accelerometer"
        notes.add(problem("turn", text, advice))
    else:
        notes.add(ok("turn", f"{amount:.0f} degrees to the left about the upright axis, as gravity has it"))
        return True
    return False
