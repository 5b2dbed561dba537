"""Judges recorded stretches of a sensor: whether to trust it, and how it is worn. Pure; ``cli/wear.py`` records them.

There are four stretches: lying still, standing with the sensor on, bending forward, turning left. A model without a
known place of its sensor needs two: lying still, and turned by hand onto an edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, GYRO
from kinestream.core.source import LinkStatus
from kinestream.observe.findings import Finding, ok, problem, warning
from kinestream.observe.rotation import angle_deg, rotation_vector, turned_by

from .orientation import Nearest, Orientation, axis_name, forward_from_bend, nearest_axes
from .stream_checks import check_columns, check_stream
from .stretch import Stretches
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
"""Usable angles of a movement: people do not turn by exactly a right angle."""
UPRIGHT = 0.8
"""Lowest cosine between gravity and the axis of a turn on the spot."""
OFF_WARNING_DEG, OFF_REFUSED_DEG = 30.0, 40.0
"""At 45 degrees two mappings are equally near, and people bend straight ahead only to within several degrees."""
LOW_BATTERY = 0.2
"""Charge, 0 to 1, below which a long recording is at risk."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check."""

    findings: tuple[Finding, ...]
    """In the order in which to look into them."""
    nearest: Nearest | None
    """The axis mapping; None: not needed, or the recording does not determine it."""
    acc_factor: float
    gyro_factor: float
    """Factors to SI units; 1 for a sensor that sends them."""
    rate_hz: float
    """The measured rate; NaN if it could not be measured."""
    trusted: bool
    """Whether the unit of acceleration is known; without it, mapping and factors mean nothing."""

    @property
    def problems(self) -> int:
        """How many findings are problems."""
        return sum(finding.level == "problem" for finding in self.findings)


def judge(
    stretches: Stretches,
    spec: InputSpec,
    orientation: Orientation | None,
    counts: Mapping[str, int] | None = None,
    link: LinkStatus | None = None,
) -> Report:
    """The report on a sensor.

    Args:
        spec: the input of the model that will read the sensor.
        orientation: how the model's sensor was worn; None: it differed between people, so no mapping is sought.
        counts: samples that the source skipped or repaired during the check, by kind.
        link: the state of the link to the sensor, if the source has one.
    """
    stream_findings, rate_hz = check_stream(stretches.all(), spec, counts or {})
    findings = [*stream_findings, *check_columns(stretches.all())]
    acc_factor = gyro_factor = 1.0
    trusted = all(s.columns(ACC) is not None and bool(np.isfinite(s.x).all()) for s in stretches.all())
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
        text = "the model learned from sensors turned differently on each person, so it needs no axis mapping"
        findings.append(ok("axes", text))
    if link is not None:
        findings += _link(link)
    return Report(tuple(findings), nearest, acc_factor, gyro_factor, rate_hz, trusted)


def _link(link: LinkStatus) -> Iterator[Finding]:
    """Findings about the clock, reconnects and battery of the link."""
    if link.clock:
        text = f"timed by {link.clock}"
        if link.slope_ppm is not None:
            text += f", {abs(link.slope_ppm):.0f} ppm {'slow' if link.slope_ppm > 0 else 'fast'}"
        yield ok("clock", text)
    if link.reconnects:
        text = f"it broke {link.reconnects} times"
        yield warning("link", text, "bring the receiver closer, and disconnect phones and other centrals")
    if link.battery_frac is not None:
        text = f"{link.battery_frac:.0%}"
        low = link.battery_frac < LOW_BATTERY
        yield warning("battery", text, "charge the sensor before a long recording") if low else ok("battery", text)


def _worn(
    stretches: Stretches, orientation: Orientation, gyro_factor: float | None, findings: list[Finding]
) -> Nearest | None:
    """The axis mapping, from the directions up and forward; ``gyro_factor`` None: the gyroscope is not trusted."""
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
        text = f"the bend was {bend_deg:.0f} degrees; forward is found from {BEND_DEG[0]:.0f} to {BEND_DEG[1]:.0f}"
        findings.append(problem("bend", text, "bend forward from the hips about halfway, stay there, and check again"))
        return None
    if gyro_factor is not None and not _turned_left(stretches, upright, gyro_factor, findings):
        return None
    nearest = nearest_axes(upright, forward_from_bend(upright, bent), orientation)
    text = f"axes '{nearest.axes}' map to the {orientation.name}, {nearest.off_deg:.0f} degrees off"
    if nearest.off_deg > OFF_REFUSED_DEG:
        text = (
            f"ambiguous: {nearest.off_deg:.0f} degrees from '{nearest.axes}', "
            f"{nearest.next_off_deg:.0f} from '{nearest.next_axes}'"
        )
        findings.append(problem("axes", text, f"wear it {orientation.place}, with its edges upright, and check again"))
        return None
    if nearest.off_deg > OFF_WARNING_DEG:
        findings.append(
            warning("axes", text, f"it is worn at an angle: put it {orientation.place}, with its edges upright")
        )
    else:
        findings.append(ok("axes", text))
    return nearest


def _turned_left(stretches: Stretches, upright: Floats, gyro_factor: float, findings: list[Finding]) -> bool:
    """Whether the gyroscope measured a left turn about the direction that gravity shows as up."""
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
        findings.append(problem("turn", text, "turn left by a quarter circle, stay there, and check again"))
    elif about < -UPRIGHT:
        text = "the gyroscope measured a turn to the right"
        advice = "turn left; if you did, the accelerometer's signs are all reversed: correct them in its setup"
        findings.append(problem("turn", text, advice))
    elif about < UPRIGHT:
        text = "the gyroscope measured a turn about an axis that gravity does not show as upright"
        advice = "turn on the spot, upright; if you did, the gyroscope and the accelerometer have different axes"
        findings.append(problem("turn", text, advice))
    else:
        findings.append(ok("turn", f"{amount:.0f} degrees to the left about the axis that gravity shows as upright"))
        return True
    return False
