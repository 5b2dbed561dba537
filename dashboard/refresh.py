"""When which panel is drawn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from .panels.panel import Panel
from .panels.trace import TracePanel

FRAME_S = 1 / 60
"""Textual puts what changes within this time on the screen at once."""
FRAMES = 5
"""So many of them go into a refresh, and leave some time."""


class Refresh:
    """Draws panels that have changed: all at once, or one after another.

    Drawing everything holds the event loop up for some ten milliseconds, and with it samples that have arrived and
    predictions that are ready. A panel takes one to three.

    Args:
        panels: all there are.
        wanted: whether a panel is to be drawn now.
    """

    def __init__(self, panels: Sequence[Panel], wanted: Callable[[Panel], bool]) -> None:
        # The traces change every time; the others take turns where more of them change than there are frames.
        self._traces = [panel for panel in panels if isinstance(panel, TracePanel)]
        self._others = deque(panel for panel in panels if not isinstance(panel, TracePanel))
        self._wanted = wanted

    def at_once(self) -> None:
        """Draw all that has changed."""
        for panel in (*self._traces, *self._others):
            if self._wanted(panel):
                panel.tick()

    async def by_and_by(self) -> None:
        """Draw what has changed, each panel in a frame of its own."""
        drawn = 0
        for panel in (*self._traces, *self._others):
            if self._wanted(panel) and panel.tick():
                drawn += 1
                if drawn == FRAMES:
                    self._others.rotate(-1 - self._others.index(panel))
                    return
                await asyncio.sleep(FRAME_S)
