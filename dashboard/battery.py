"""The charge that is left."""

from __future__ import annotations

from collections.abc import Hashable

from . import theme
from .draw import bar, number
from .panel import Panel, Piece


class BatteryPanel(Panel):
    TITLE = "Battery"

    def seen(self) -> Hashable:
        prediction = self.stream.prediction if self.stream else None
        return prediction and (prediction.battery_frac, prediction.energy_mj)

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        prediction = self.stream.prediction if self.stream else None
        if prediction is None:
            return [[("no window yet", theme.MUTED)]]
        energy: list[Piece] = [(f"{number(prediction.energy_mj)} mJ", theme.TEXT), (" for this window", theme.MUTED)]
        if prediction.battery_frac is None:
            return [[("no battery known", theme.MUTED)], energy]
        colour = theme.level(prediction.battery_frac, 0.3, 0.1)
        room = max(1, width - 8)
        filled = bar(prediction.battery_frac, room)
        gauge: list[Piece] = [
            (filled, colour),
            ("·" * (room - len(filled)), theme.LINE),
            (f"{prediction.battery_frac:>8.1%}", f"bold {colour}"),
        ]
        return [gauge, energy]
