"""Large letters out of half blocks: five dots high, drawn in three lines of text."""

from __future__ import annotations

_ART = """
A .#. #.# ### #.# #.#
B ##. #.# ##. #.# ##.
C .## #.. #.. #.. .##
D ##. #.# #.# #.# ##.
E ### #.. ##. #.. ###
F ### #.. ##. #.. #..
G .### #... #.## #..# .###
H #.# #.# ### #.# #.#
I # # # # #
J ..# ..# ..# #.# .#.
K #..# #.#. ##.. #.#. #..#
L #.. #.. #.. #.. ###
M #...# ##.## #.#.# #...# #...#
N #..# ##.# #.## #..# #..#
O .##. #..# #..# #..# .##.
P ##. #.# ##. #.. #..
Q .##. #..# #..# #.#. .#.#
R ##. #.# ##. #.# #.#
S .## #.. .#. ..# ##.
T ### .#. .#. .#. .#.
U #.# #.# #.# #.# ###
V #.# #.# #.# #.# .#.
W #...# #...# #.#.# #.#.# .#.#.
X #.# #.# .#. #.# #.#
Y #.# #.# .#. .#. .#.
Z ### ..# .#. #.. ###
0 ### #.# #.# #.# ###
1 .# ## .# .# .#
2 ##. ..# .#. #.. ###
3 ##. ..# .#. ..# ##.
4 #.# #.# ### ..# ..#
5 ### #.. ##. ..# ##.
6 .## #.. ### #.# ###
7 ### ..# .#. .#. .#.
8 ### #.# ### #.# ###
9 ### #.# ### ..# ##.
- ... ... ### ... ...
. . . . . #
/ ..# ..# .#. #.. #..
"""
_GLYPHS = {line[0]: line[2:].split(" ") for line in _ART.strip().splitlines()} | {" ": ["..", "..", "..", "..", ".."]}
_HALVES = {"..": " ", "#.": "▀", ".#": "▄", "##": "█"}

LINES = 3
"""How many lines of text a line of letters takes."""


def large(text: str, width: int) -> list[str] | None:
    """``text`` in large capitals, ``LINES`` lines a row of letters, one row a word if all do not fit beside each other.

    Returns:
        The lines; None if a word is wider than ``width`` cells or has a character without a glyph.
    """
    text = text.upper()
    if any(character not in _GLYPHS for character in text):
        return None
    rows = [text] if len(_row(text)[0]) <= width else text.split()
    drawn = [_row(row) for row in rows]
    if any(len(lines[0]) > width for lines in drawn):
        return None
    return [line for lines in drawn for line in lines]


def _row(text: str) -> list[str]:
    dots = [".".join(_GLYPHS[character][y] for character in text) for y in range(5)]
    dots.append("." * len(dots[0]))
    return [
        "".join(_HALVES[upper + lower] for upper, lower in zip(dots[y], dots[y + 1], strict=True)) for y in (0, 2, 4)
    ]
