"""The battery's charge, its remaining time, and its remaining time with the subnetwork under the cursor."""

from __future__ import annotations

from collections.abc import Hashable
from statistics import fmean
from typing import TYPE_CHECKING

from textual.content import Content

from ..drawing import theme
from ..drawing.draw import bar, number
from ..model.projection import hours_at, hours_at_past_rate, hours_text
from .panel import Panel, Piece

if TYPE_CHECKING:
    from kinestream.core.signals import Prediction
    from kinestream.policy import BatteryReading

    from ..model.state import StreamState


class BatteryPanel(Panel):
    """A gauge, the remaining time, and the cost of a window."""

    TITLE = "Battery"

    def on_mount(self) -> None:
        self.border_subtitle = Content(f"mJ {self.session.table.energy_model}")

    def drawing_key(self) -> Hashable:
        prediction = self.stream.prediction if self.stream else None
        return prediction and (prediction.battery_frac, prediction.energy_mj), self.state.cursor

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        prediction = self.stream.prediction if self.stream else None
        if self.stream is None or prediction is None:
            return [[("no window yet", theme.MUTED)]]
        energy: list[Piece] = [(f"{number(prediction.energy_mj)} mJ", theme.TEXT), (" for this window", theme.MUTED)]
        frac = prediction.battery_frac
        if frac is None:
            return [[("battery unknown", theme.MUTED)], energy]
        colour = theme.level(frac, 0.3, 0.1)
        room = max(1, width - 8)
        filled = bar(frac, room)
        gauge: list[Piece] = [
            (filled, colour),
            ("·" * (room - len(filled)), theme.LINE),
            (f"{frac:>8.1%}", f"bold {colour}"),
        ]
        circumstances = self.session.circumstances
        reading = circumstances.state.battery if circumstances else None
        if circumstances is None or reading is None:
            return [gauge, energy]
        hop_s = circumstances.state.hop_s
        return [gauge, _remaining(reading, self.stream, hop_s), self._pinned(reading, prediction, hop_s) or energy]

    def _pinned(self, reading: BatteryReading, prediction: Prediction, hop_s: float) -> list[Piece] | None:
        """Return the line for the subnetwork under the cursor, if it ran at every window of the present hop."""
        cursor = self.state.cursor
        if cursor is None or cursor == prediction.decision.subnet:
            return None
        energy_mj = self.session.table[cursor].energy_mj
        hours = hours_at(reading, energy_mj, hop_s)
        cost = f"{number(energy_mj)} mJ per window" if hours is None else f"{hours_text(hours)} left"
        return [(f"{cursor} pinned: ", theme.MUTED), (cost, theme.ACCENT)]


def _remaining(reading: BatteryReading, stream: StreamState, hop_s: float) -> list[Piece]:
    if reading.charging:
        return [("charging", theme.GOOD)]
    hours = hours_at(reading, fmean(stream.energies_mj), hop_s)
    basis = "at the present rate"
    if hours is None:
        hours, basis = hours_at_past_rate(stream.charges), "at the past rate"
    if hours is None:
        return [("remaining time not known yet", theme.MUTED)]
    return [(hours_text(hours), f"bold {theme.TEXT}"), (f" left {basis}", theme.MUTED)]
