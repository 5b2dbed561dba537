"""The red lines below the status line: current faults. Hidden when there are none."""

from __future__ import annotations

from collections.abc import Hashable

from ..drawing import theme
from .panel import Panel, Piece

MAX_LINES = 3
"""If there are more alarms, the last line counts the rest."""


class AlarmBar(Panel):
    """One line per current fault, without a frame."""

    def drawing_key(self) -> Hashable:
        return self.state.alarms

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        alarms = list(self.state.alarms)
        if len(alarms) > MAX_LINES:
            alarms = [*alarms[: MAX_LINES - 1], f"and {len(alarms) - MAX_LINES + 1} more; i shows all"]
        return [[(f" ! {alarm} ".ljust(width), f"bold {theme.BACKGROUND} on {theme.BAD}")] for alarm in alarms]

    def tick(self) -> bool:
        count = min(len(self.state.alarms), MAX_LINES)
        if self.display != (count > 0):
            self.display = count > 0
        if count and self.styles.height != count:
            self.styles.height = count
        return super().tick()
