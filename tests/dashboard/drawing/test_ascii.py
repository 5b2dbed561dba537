"""ASCII drawing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kinestream.dashboard.drawing.ascii import to_ascii


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Mn", "Me", "Cf", "Cn", "Co", "Zl", "Zp"])))
def test_every_text_becomes_ascii_of_the_same_width(text: str) -> None:
    assert to_ascii(text).isascii()
    assert cell_len(to_ascii(text)) == sum(cell_len(character) for character in text)


def test_a_line_of_dots_keeps_its_height() -> None:
    assert to_ascii("⠉⠒⠤⣀⣿⠀") == "'--.| "


def test_ascii_text_stays_unchanged() -> None:
    assert to_ascii("p95 0.1 ms") == "p95 0.1 ms"
