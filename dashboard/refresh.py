"""The order in which panels are drawn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from .panels.panel import Panel
from .panels.trace import TracePanel

FRAME_S = 1 / 60
"""Textual shows all changes within this time at once."""
FRAMES = 5
"""Frames per refresh; the rest of the time stays free."""


class Refresh:
    """Draws the panels that have changed, all at once or one after another.

    Drawing everything blocks the event loop for some ten milliseconds, and with it arrived samples and finished
    predictions. One panel takes one to three.

    Args:
        panels: all panels.
        is_drawn: whether to draw a panel now.
    """

    def __init__(self, panels: Sequence[Panel], is_drawn: Callable[[Panel], bool]) -> None:
        # The traces change every time; the others take turns if more of them change than there are frames.
        self._traces = [panel for panel in panels if isinstance(panel, TracePanel)]
        self._others = deque(panel for panel in panels if not isinstance(panel, TracePanel))
        self._is_drawn = is_drawn

    def draw_all(self) -> None:
        """Draw every panel that has changed."""
        for panel in (*self._traces, *self._others):
            if self._is_drawn(panel):
                panel.tick()

    async def draw_in_turn(self) -> None:
        """Draw the panels that have changed, each in its own frame."""
        drawn = 0
        for panel in (*self._traces, *self._others):
            if self._is_drawn(panel) and panel.tick():
                drawn += 1
                if drawn == FRAMES:
                    self._others.rotate(-1 - self._others.index(panel))
                    return
                await asyncio.sleep(FRAME_S)
