"""The charge that is left, how long it lasts, and how long it would with the subnetwork under the cursor."""

from __future__ import annotations

from collections.abc import Hashable
from statistics import fmean
from typing import TYPE_CHECKING

from textual.content import Content

from ..drawing import theme
from ..drawing.draw import bar, number
from ..model.projection import hours_at, hours_seen, hours_text
from .panel import Panel, Piece

if TYPE_CHECKING:
    from kinestream.core.signals import Prediction
    from kinestream.policy import BatteryReading

    from ..model.state import StreamState


class BatteryPanel(Panel):
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
            return [[("no battery known", theme.MUTED)], energy]
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
        return [gauge, _lasts(reading, self.stream, hop_s), self._pinned(reading, prediction, hop_s) or energy]

    def _pinned(self, reading: BatteryReading, prediction: Prediction, hop_s: float) -> list[Piece] | None:
        """What it would be with the subnetwork under the cursor, at every window of the present hop."""
        cursor = self.state.cursor
        if cursor is None or cursor == prediction.decision.subnet:
            return None
        energy_mj = self.session.table[cursor].energy_mj
        hours = hours_at(reading, energy_mj, hop_s)
        lasts = f"{number(energy_mj)} mJ a window" if hours is None else hours_text(hours)
        return [(f"{cursor} pinned: ", theme.MUTED), (lasts, theme.ACCENT)]


def _lasts(reading: BatteryReading, stream: StreamState, hop_s: float) -> list[Piece]:
    if reading.charging:
        return [("charging", theme.GOOD)]
    hours = hours_at(reading, fmean(stream.energies_mj), hop_s)
    how = "at this pace"
    if hours is None:
        hours, how = hours_seen(stream.charges), "as it fell"
    if hours is None:
        return [("how long it lasts is not known yet", theme.MUTED)]
    return [("lasts ", theme.MUTED), (hours_text(hours), f"bold {theme.TEXT}"), (f" {how}", theme.MUTED)]
