"""Values written as TOML are read back equal."""

from __future__ import annotations

import tomllib
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from kinestream.core.toml_file import toml_text

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
values = st.one_of(texts, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans())
tables = st.dictionaries(texts, st.one_of(values, st.lists(values, max_size=3)), max_size=4)


@given(st.dictionaries(texts, st.one_of(values, tables), max_size=4))
def test_any_table_is_read_back_equal(content: dict) -> None:
    assert tomllib.loads(toml_text(content, "A comment.")) == content


def test_a_list_of_tables_is_read_back_equal() -> None:
    content = {"kind": "slowdown", "limit": [{"kind": "battery", "hours": 8.0}, {"kind": "hop"}]}
    assert tomllib.loads(toml_text(content)) == content


def test_a_long_list_of_strings_is_spread_over_lines_and_read_back_equal() -> None:
    content = {"notes": ["a" * 50, "b" * 50], "labels": ["sit", "walk"], "empty": []}
    text = toml_text(content)
    assert len(text.splitlines()) == 6
    assert tomllib.loads(text) == content


def test_dates_are_read_back_equal() -> None:
    date = datetime(2026, 11, 2, 9, 30)
    assert tomllib.loads(toml_text({"date": date})) == {"date": date}
