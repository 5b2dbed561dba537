"""No control character of a label, a stream name or a notice reaches the terminal through the dashboard."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from kinestream.core.printable import printable


def harmless(text: str) -> str:
    r"""Return the text without its control characters, which have no width.

    >>> harmless("walking\x1b[2J")
    'walking[2J'
    """
    if text.isprintable():
        return text
    return "".join(character for character in text if printable(character) == character)


class HarmlessFilter(LineFilter):
    """Cleans every line that Textual draws, so that no part of the screen is missed."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [Segment(harmless(text), style, control) for text, style, control in segments]
