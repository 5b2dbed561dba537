"""The lines under the top one: what is wrong now. Gone when nothing is."""

from __future__ import annotations

from collections.abc import Hashable

from ..drawing import theme
from .panel import Panel, Piece

MOST = 3
"""More alarms than these are counted in the last line."""


class AlarmBar(Panel):
    def drawing_key(self) -> Hashable:
        return self.state.alarms

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        alarms = list(self.state.alarms)
        if len(alarms) > MOST:
            alarms = [*alarms[: MOST - 1], f"and {len(alarms) - MOST + 1} more; i shows all"]
        return [[(f" ! {alarm} ".ljust(width), f"bold {theme.BACKGROUND} on {theme.BAD}")] for alarm in alarms]

    def tick(self) -> bool:
        count = min(len(self.state.alarms), MOST)
        if self.display != (count > 0):
            self.display = count > 0
        if count and self.styles.height != count:
            self.styles.height = count
        return super().tick()
