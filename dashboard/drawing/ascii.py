"""The screen in ASCII, for terminals and fonts without other characters."""

from __future__ import annotations

import os
import unicodedata

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SUBSTITUTES = {
    **dict.fromkeys("█▉▊▋▇▆", "#"),
    **dict.fromkeys("▌▍▎▏▐│┃┆┊▕", "|"),
    **dict.fromkeys("▅▄▃", "="),
    **dict.fromkeys("▂▁", "_"),
    **dict.fromkeys("▀─━┄╌—–−", "-"),
    **dict.fromkeys("╭╮╰╯┌┐└┘┼├┤┬┴▔", "+"),
    **dict.fromkeys("·•▪∙", "."),
    **dict.fromkeys("◆●■", "@"),
    **dict.fromkeys("▶▸›→", ">"),
    **dict.fromkeys("◀‹←", "<"),
    "‖": "=",
    "○": "o",
    "✓": "+",
    "✗": "x",
    "×": "x",
    "±": "~",
    "↑": "^",
    "↓": "v",
    "…": ".",
    "²": "2",
    "µ": "u",
}
_ROWS = ((0x01 | 0x08, "'"), (0x02 | 0x10, "-"), (0x04 | 0x20, "-"), (0x40 | 0x80, "."))
"""The two dots of each row of a braille cell, and the ASCII character for a line at that height."""
_BASIC_TERMINALS = ("linux", "vt100", "vt102", "vt220", "ansi", "dumb")
"""Values of ``TERM`` of terminals whose fonts have no braille."""


def is_ascii_terminal() -> bool:
    """Return whether this terminal is known to show only ASCII."""
    return os.environ.get("TERM", "").lower() in _BASIC_TERMINALS


def _braille(dots: int) -> str:
    rows = [sign for mask, sign in _ROWS if dots & mask]
    return rows[0] if len(rows) == 1 else ("|" if len(rows) == 4 else ":") if rows else " "


class _Table(dict[int, str]):
    """A lazy table for ``str.translate``: looks up each character's ASCII substitute once."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if code < 0x80:
            substitute = character
        elif 0x2800 <= code <= 0x28FF:
            substitute = _braille(code - 0x2800)
        else:
            letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
            substitute = _SUBSTITUTES.get(character) or (letters or "?" * cell_len(character))
            substitute = substitute.ljust(cell_len(character))[: cell_len(character)]
        self[code] = substitute
        return substitute


_TABLE = _Table()


def to_ascii(text: str) -> str:
    """Return the text in ASCII, with its width unchanged.

    >>> to_ascii("▶ 2×  ±0.3 m/s²")
    '> 2x  ~0.3 m/s2'
    """
    return text if text.isascii() else text.translate(_TABLE)


class AsciiFilter(LineFilter):
    """Converts every line that Textual draws, so that no part of the screen is missed."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]
