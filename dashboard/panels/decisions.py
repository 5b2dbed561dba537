"""The decision log, newest line first: subnetworks with their reasons, the user's commands, alarms and notices."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable

from textual.content import Content

from ..drawing import theme
from ..model.state import ALARM, NOTE, YOU, LogLine
from .panel import Panel, Piece

_WIDE = 60
"""A narrower panel has no room for a separate text column: long text continues below the time."""
_MAX_LINES = 3
"""Lines for the newest entry; the others get one line each."""
_COLOURS = {YOU: theme.WARN, NOTE: theme.TEXT, ALARM: theme.BAD}


def clock(seconds: float) -> str:
    """Return seconds as a clock shows them.

    >>> clock(3725.4), clock(65.4)
    ('1:02:05', '01:05')
    """
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


class DecisionPanel(Panel):
    """The log lines that contain every word of ``words``, ignoring case."""

    TITLE = "Decisions"

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.words = ""
        self.border_subtitle = "/ filters"

    def filter(self, words: str) -> None:
        """Show only lines with these words; an empty text shows all lines."""
        self.words = words
        self.border_title = Content(f"Decisions matching '{words}'" if words else self.TITLE)
        self.tick()

    def drawing_key(self) -> Hashable:
        return self.stream and self.stream.log_count, self.words

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        time_width, gap = (8, "  ") if width >= _WIDE else (5, " ")
        lines: list[list[Piece]] = []
        for entry in reversed(self.stream.log if self.stream else ()):
            if self._matches(entry):
                text = theme.MUTED if lines else theme.TEXT
                time = f"{clock(entry.t_s):>{time_width}}{gap}"
                origin = f"{entry.origin:<9}{gap}"
                gutter = len(time) + len(origin)
                first, *more = _wrapped(entry.text, width, gutter) if not lines else [entry.text]
                lines.append([(time, theme.MUTED), (origin, _COLOURS.get(entry.origin, theme.ACCENT)), (first, text)])
                lines.extend([(rest, text)] for rest in more)
            if len(lines) >= height:
                break
        return lines or [[("no matching lines" if self.words else "no decisions yet", theme.MUTED)]]

    def _matches(self, entry: LogLine) -> bool:
        line = f"{entry.origin} {entry.text}".lower()
        return all(word in line for word in self.words.lower().split())


def _wrapped(text: str, width: int, gutter: int) -> list[str]:
    """Wrap a text whose first line begins after the gutter."""
    before, below = " " * gutter, " " * (gutter if width >= _WIDE else 2)
    lines = textwrap.wrap(text, max(width, gutter + 1), initial_indent=before, subsequent_indent=below) or [before]
    return [lines[0][gutter:], *lines[1:]][:_MAX_LINES]
