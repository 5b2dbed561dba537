"""The decision log: when another subnetwork took over, and why; newest first."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import islice

from . import theme
from .panel import Panel, Piece


def clock(seconds: float) -> str:
    """``3725.4`` -> ``1:02:05``; ``65.4`` -> ``01:05``."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


class DecisionPanel(Panel):
    TITLE = "Decisions"

    def seen(self) -> Hashable:
        return self.stream and self.stream.log_count

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        if self.stream is None or not self.stream.log:
            return [[("none yet", theme.MUTED)]]
        lines: list[list[Piece]] = []
        for place, entry in enumerate(islice(reversed(self.stream.log), height)):
            text = theme.TEXT if place == 0 else theme.MUTED
            who = ("you".ljust(9), theme.WARN) if entry.subnet is None else (f"{entry.subnet!s:<9}", theme.ACCENT)
            lines.append([(f"{clock(entry.t_s):>8}  ", theme.MUTED), who, ("  ", ""), (entry.text, text)])
        return lines
