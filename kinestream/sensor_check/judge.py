"""Whether a sensor can be trusted, and how it is worn: from recorded stretches to findings. Pure; ``cli/wear.py`` asks.

Four stretches tell it: lying still, standing with the sensor on, bending forward, turning to the left. For a model that
knows no place of its sensor two do: lying still, and turned over onto an edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import InputMismatch
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, GYRO
from kinestream.core.source import LinkStatus

from .orientation import (
    Nearest,
    Orientation,
    angle_deg,
    axis_name,
    forward_from_bend,
    nearest_axes,
    rotation_vector,
    turned_by,
)
from .stream_checks import Finding, check_columns, check_stream, ok, problem, warning
from .stretch import Stretch, Stretches
from .unit_checks import (
    STANDING_STILL,
    check_accelerometer,
    check_evenness,
    check_gyroscope,
    moved_while,
    rests,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BEND_DEG, TURN_DEG = (20.0, 120.0), (35.0, 200.0)
"""Movements that tell something; a right angle, give or take what people do."""
UPRIGHT = 0.8
"""Cosine between the axis of a turn on the spot and gravity, at least."""
OFF_WARNING_DEG, OFF_REFUSED_DEG = 30.0, 40.0
"""At 45 degrees two mappings are equally near, and people do not bend straight ahead to better than some degrees."""
LOW_BATTERY = 0.2


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found."""

    findings: tuple[Finding, ...]
    """In the order in which one would look."""
    nearest: Nearest | None
    """The mapping; None: not asked for, or not to be told from what was recorded."""
    acc_factor: float
    gyro_factor: float
    """To SI units; 1 where nothing else was found."""
    rate_hz: float
    """As measured; NaN if that was not possible."""
    trusted: bool
    """Whether acceleration was understood, so that a mapping and factors make sense."""

    @property
    def problems(self) -> int:
        return sum(finding.level == "problem" for finding in self.findings)


def judge(
    stretches: Stretches,
    spec: InputSpec,
    orientation: Orientation | None,
    counts: Mapping[str, int] | None = None,
    link: LinkStatus | None = None,
) -> Report:
    """What is right and wrong with a sensor.

    Args:
        spec: of the model that is to read it.
        orientation: how the model's sensor was worn; None: it knows no such thing, and no mapping is sought.
        counts: what the source skipped or repaired meanwhile, by kind.
        link: how the link to the sensor stands, where the source has one.
    """
    found, rate_hz = check_stream(stretches.all(), spec, counts or {})
    findings = [*_fits(stretches.table, spec), *found, *check_columns(stretches.all())]
    acc_factor = gyro_factor = 1.0
    trusted = all(one.columns(ACC) is not None and bool(np.isfinite(one.x).all()) for one in stretches.all())
    nearest = None
    if trusted:
        acc = check_accelerometer(stretches.table)
        findings += acc.findings
        acc_factor, trusted = acc.factor, acc.trusted
    if trusted:
        gyro = check_gyroscope(stretches)
        findings += gyro.findings
        gyro_factor = gyro.factor
        if uneven := check_evenness(stretches, acc_factor):
            findings.append(uneven)
        if orientation is not None and stretches.worn is not None:
            nearest = _worn(stretches, orientation, gyro_factor if gyro.trusted else None, findings)
    if orientation is None:
        text = "the model learned from sensors turned differently on each person: there is no orientation to lead to"
        findings.append(ok("axes", text))
    if link is not None:
        findings += _link(link)
    return Report(tuple(findings), nearest, acc_factor, gyro_factor, rate_hz, trusted)


def _fits(stretch: Stretch, spec: InputSpec) -> Iterator[Finding]:
    try:
        spec.needed_from(stretch.channels)
    except InputMismatch as error:
        text, _, advice = str(error).partition("; ")
        yield problem("channels", text, advice)
    else:
        yield ok("channels", ", ".join(stretch.channels))


def _link(link: LinkStatus) -> Iterator[Finding]:
    """What the source says of the link itself."""
    if link.clock:
        off = (
            ""
            if link.slope_ppm is None
            else f", {abs(link.slope_ppm):.0f} ppm {'slow' if link.slope_ppm > 0 else 'fast'}"
        )
        yield ok("clock", f"timed by {link.clock}{off}")
    if link.reconnects:
        text = f"it broke {link.reconnects} times"
        yield warning("link", text, "bring the receiver nearer, and keep other centrals such as phones off the sensor")
    if link.battery_frac is not None:
        text = f"{link.battery_frac:.0%}"
        low = link.battery_frac < LOW_BATTERY
        yield warning("battery", text, "charge the sensor before a long recording") if low else ok("battery", text)


def _worn(
    stretches: Stretches, orientation: Orientation, gyro_factor: float | None, findings: list[Finding]
) -> Nearest | None:
    """Which axes are up and forward, and the mapping that follows; ``gyro_factor`` None: it was not to be trusted."""
    assert stretches.worn is not None
    standing = stretches.worn.columns(ACC)
    assert standing is not None
    upright = standing.mean(axis=0)
    if moved_while(stretches.worn, STANDING_STILL):
        findings.append(
            problem("standing", "you moved", "stand still and upright, arms at your sides, and check again")
        )
        return None
    down, tilt_deg = axis_name(-upright)
    findings.append(ok("standing", f"the sensor's {down} points down, tilted by {tilt_deg:.0f} degrees"))
    _, bent = rests(stretches.moved)
    bend_deg = angle_deg(upright, bent)
    if not BEND_DEG[0] <= bend_deg <= BEND_DEG[1]:
        text = f"the bend was {bend_deg:.0f} degrees; {BEND_DEG[0]:.0f} to {BEND_DEG[1]:.0f} tell which way is forward"
        findings.append(problem("bend", text, "bend forward from the hips about half way, stay there, and check again"))
        return None
    if gyro_factor is not None and not _turned_left(stretches, upright, gyro_factor, findings):
        return None
    nearest = nearest_axes(upright, forward_from_bend(upright, bent), orientation)
    text = f"axes '{nearest.axes}' lead to the {orientation.name}, {nearest.off_deg:.0f} degrees are left"
    if nearest.off_deg > OFF_REFUSED_DEG:
        text = (
            f"ambiguous: {nearest.off_deg:.0f} degrees from '{nearest.axes}', "
            f"{nearest.next_off_deg:.0f} from '{nearest.next_axes}'"
        )
        findings.append(problem("axes", text, f"wear it {orientation.place}, its edges upright, and check again"))
        return None
    if nearest.off_deg > OFF_WARNING_DEG:
        findings.append(warning("axes", text, f"it is worn askew: put it {orientation.place}, its edges upright"))
    else:
        findings.append(ok("axes", text))
    return nearest


def _turned_left(stretches: Stretches, upright: Floats, gyro_factor: float, findings: list[Finding]) -> bool:
    """Whether turning left turned the gyroscope about what gravity says is up."""
    if stretches.turned is None:
        return True
    gyro, table = stretches.turned.columns(GYRO), stretches.table.columns(GYRO)
    if gyro is None or table is None:
        return True
    turn = rotation_vector(turned_by((gyro - table.mean(axis=0)) * gyro_factor, stretches.turned.t))
    amount = float(np.degrees(np.linalg.norm(turn)))
    about = float(turn @ upright / (np.linalg.norm(turn) * np.linalg.norm(upright) or 1.0))
    if not TURN_DEG[0] <= amount <= TURN_DEG[1]:
        text = f"you turned by {amount:.0f} degrees"
        findings.append(problem("turn", text, "turn to your left by a quarter circle, stay there, and check again"))
    elif about < -UPRIGHT:
        text = "to the gyroscope you turned right"
        advice = "turn left; if you did, the accelerometer's signs are all reversed: correct them where it is set up"
        findings.append(problem("turn", text, advice))
    elif about < UPRIGHT:
        text = "the gyroscope turned about another axis than the one that gravity shows to be upright"
        advice = "turn on the spot, upright; if you did, the gyroscope's axes are not those of the accelerometer"
        findings.append(problem("turn", text, advice))
    else:
        findings.append(ok("turn", f"{amount:.0f} degrees to the left about the upright axis, as gravity has it"))
        return True
    return False
