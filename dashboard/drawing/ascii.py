"""Everything on the screen in ASCII, for terminals and fonts that have nothing else."""

from __future__ import annotations

import os
import unicodedata

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_LIKE = {
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
"""The two dots of each row of a braille cell, and the character that stands for a line there."""
_BASIC_TERMINALS = ("linux", "vt100", "vt102", "vt220", "ansi", "dumb")
"""By ``TERM``: their fonts have no braille."""


def wanted() -> bool:
    """Whether this terminal is known to have nothing but ASCII."""
    return os.environ.get("TERM", "").lower() in _BASIC_TERMINALS


def _braille(dots: int) -> str:
    rows = [sign for mask, sign in _ROWS if dots & mask]
    return rows[0] if len(rows) == 1 else ("|" if len(rows) == 4 else ":") if rows else " "


class _Table(dict[int, str]):
    """For ``str.translate``: finds what a character is most like, once."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if code < 0x80:
            like = character
        elif 0x2800 <= code <= 0x28FF:
            like = _braille(code - 0x2800)
        else:
            plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
            like = _LIKE.get(character) or (plain or "?" * cell_len(character))
            like = like.ljust(cell_len(character))[: cell_len(character)]
        self[code] = like
        return like


_TABLE = _Table()


def plain(text: str) -> str:
    """The text in ASCII, as wide as it was."""
    return text if text.isascii() else text.translate(_TABLE)


class Plain(LineFilter):
    """Goes over every line that Textual draws, so that no part of the screen is left out."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(plain(text), style, control) for text, style, control in segments]
