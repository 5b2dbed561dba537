"""The decision log: who took over when and why, what a person asked for, what went wrong; newest first."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable

from textual.content import Content

from ..drawing import theme
from ..model.state import ALARM, NOTE, YOU, LogLine
from .panel import Panel, Piece

_WIDE = 60
"""A narrower panel has no room for a column of text of its own: what is long goes on below the time."""
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
        self.border_title = Content(f"Decisions with '{words}'" if words else self.TITLE)
        self.tick()

    def drawing_key(self) -> Hashable:
        return self.stream and self.stream.log_count, self.words

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        time_width, gap = (8, "  ") if width >= _WIDE else (5, " ")
        lines: list[list[Piece]] = []
        for entry in reversed(self.stream.log if self.stream else ()):
            if self._wanted(entry):
                text = theme.MUTED if lines else theme.TEXT
                time = f"{clock(entry.t_s):>{time_width}}{gap}"
                who = f"{entry.who:<9}{gap}"
                gutter = len(time) + len(who)
                first, *more = _wrapped(entry.text, width, gutter) if not lines else [entry.text]
                lines.append([(time, theme.MUTED), (who, _COLOURS.get(entry.who, theme.ACCENT)), (first, text)])
                lines.extend([(rest, text)] for rest in more)
            if len(lines) >= height:
                break
        return lines or [[("none with these words" if self.words else "none yet", theme.MUTED)]]

    def _wanted(self, entry: LogLine) -> bool:
        line = f"{entry.who} {entry.text}".lower()
        return all(word in line for word in self.words.lower().split())


def _wrapped(text: str, width: int, gutter: int) -> list[str]:
    """The lines of a text of which the first one begins behind the gutter."""
    before, below = " " * gutter, " " * (gutter if width >= _WIDE else 2)
    lines = textwrap.wrap(text, max(width, gutter + 1), initial_indent=before, subsequent_indent=below) or [before]
    return [lines[0][gutter:], *lines[1:]][:_MOST_LINES]
