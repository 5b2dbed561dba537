"""The bundled model that fits a sensor which ``kinestream wear`` has just checked."""

from __future__ import annotations

from dataclasses import dataclass

from kinestream.core.errors import InputMismatch
from kinestream.inference import Choice, choose_model, find_model, load_model
from kinestream.inference.zoo_table import ANYWHERE, WAIST
from kinestream.observe.findings import Finding, ok, warning
from kinestream.sensor_check.judge import Report
from kinestream.sensor_check.orientation import orientation_of
from kinestream.windowing import ChannelMap

SAME_RATE = 0.02
"""Greatest difference of the measured rate from the announced one, as a share, that is measurement error."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The model that fits a checked sensor, and the finding that says so."""

    choice: Choice | None
    """None: no bundled model fits."""
    needs_axes: bool
    """Whether the model reads the sensor rightly only through the axes that the check found."""
    finding: Finding


def fitting_model(report: Report, channels: tuple[str, ...], announced_hz: float, worn: str | None) -> Fit:
    """The bundled model for a sensor as it is worn now: by its channels, its measured rate, and its orientation.

    Args:
        report: the result of the check.
        channels, announced_hz: as the sensor sends them.
        worn: where the wearer says it is worn; None: at the waist if the check found an orientation there.
    """
    worn = worn or (WAIST if report.nearest else ANYWHERE)
    try:
        choice = choose_model(channels, _rate_hz(report.rate_hz, announced_hz), worn)
    except InputMismatch as error:
        text, _, advice = str(error).partition("; ")
        return Fit(None, False, warning("model", text, advice))
    learned = orientation_of(load_model(find_model(choice.name)).card)
    needs_axes = learned is not None and not (report.nearest and report.nearest.axes == ChannelMap())
    text = f"{choice.name} fits: {choice.reason}"
    if needs_axes and report.nearest is None:
        advice = "its axes are not known: put the sensor at your waist and check again, or choose another model"
        return Fit(choice, True, warning("model", text, advice))
    return Fit(choice, needs_axes, ok("model", f"{text}; through the axes found" if needs_axes else text))


def _rate_hz(measured_hz: float, announced_hz: float) -> float:
    """The announced rate where the measured one confirms it or is unknown, else the measured one."""
    is_off = abs(measured_hz - announced_hz) > SAME_RATE * announced_hz
    return measured_hz if is_off else announced_hz
