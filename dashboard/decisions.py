"""The decision log: who took over when and why, what a person asked for, what went wrong; newest first."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable

from . import theme
from .panel import Panel, Piece
from .state import ALARM, NOTE, YOU, LogLine

_GUTTER = 21
_MOST_LINES = 3
"""The newest entry is told in full, or nearly; the others in a line each."""
_COLOURS = {YOU: theme.WARN, NOTE: theme.TEXT, ALARM: theme.BAD}


def clock(seconds: float) -> str:
    """``3725.4`` -> ``1:02:05``; ``65.4`` -> ``01:05``."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


class DecisionPanel(Panel):
    """Lines that hold every word of ``words``, whatever the case."""

    TITLE = "Decisions"

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.words = ""
        self.border_subtitle = "/ filters"

    def filter(self, words: str) -> None:
        self.words = words
        self.border_title = f"Decisions with '{words}'" if words else self.TITLE
        self.tick()

    def seen(self) -> Hashable:
        return self.stream and self.stream.log_count, self.words

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        lines: list[list[Piece]] = []
        for entry in reversed(self.stream.log if self.stream else ()):
            if self._wanted(entry):
                text = theme.MUTED if lines else theme.TEXT
                who = (f"{entry.who:<9}", _COLOURS.get(entry.who, theme.ACCENT))
                room = max(1, width - _GUTTER)
                told = textwrap.wrap(entry.text, room)[:_MOST_LINES] if not lines else []
                first, *more = told or [entry.text]
                lines.append([(f"{clock(entry.t_s):>8}  ", theme.MUTED), who, "  ", (first, text)])
                lines += [[" " * _GUTTER, (rest, text)] for rest in more]
            if len(lines) >= height:
                break
        return lines or [[("none with these words" if self.words else "none yet", theme.MUTED)]]

    def _wanted(self, entry: LogLine) -> bool:
        line = f"{entry.who} {entry.text}".lower()
        return all(word in line for word in self.words.lower().split())
