"""Text of strangers made harmless: what a sensor, a file or a network sends can steer a terminal."""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"
"""Format characters that writing systems and emojis need; they move nothing."""
_HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control characters, format characters (such as those that turn the direction of writing), halves of characters, and
separators of lines."""


def printable(text: object) -> str:
    r"""Return a text on one line, with its control characters written as escapes.

    >>> printable("walking\x1b[2J"), printable("a\nb"), printable("tenis de mesa, 走")
    ('walking\\x1b[2J', 'a\\nb', 'tenis de mesa, 走')
    """
    text = str(text)
    if text.isprintable():  # the usual case
        return text
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _HARMFUL:
        return character
    return character.encode("unicode_escape").decode("ascii")


LONGEST = 1500
"""Characters of a message; a longer one repeats a stranger's text or list."""


def one_line(text: str) -> str:
    r"""Return a text on one line, with its control characters written as escapes and a long middle left out.

    >>> one_line("no column a\nb"), len(one_line("x" * 1_000_000))
    ('no column a\\nb', 1500)
    """
    if len(text) > 2 * LONGEST:
        text = text[:LONGEST] + text[-LONGEST:]  # escapes lengthen a text: nothing of what is left out is escaped first
    text = printable(text)
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[: half - 5]} ... {text[-half:]}"
