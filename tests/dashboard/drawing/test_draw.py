"""Braille traces, bars, columns and round scales."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.dashboard.drawing.draw import (
    bar,
    braille,
    column_chart,
    columns,
    nice_range,
    number,
    round_above,
    round_below,
)

values = st.floats(-1000, 1000)


def dots(lines: list[str]) -> np.ndarray:
    """Return the dots of braille lines as booleans, (4 x lines, 2 x columns)."""
    order = [[0, 3], [1, 4], [2, 5], [6, 7]]
    picture = np.zeros((4 * len(lines), 2 * len(lines[0])), bool)
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            bits = 0 if character == " " else ord(character) - 0x2800
            for y in range(4):
                for x in range(2):
                    picture[4 * row + y, 2 * column + x] = bits >> order[y][x] & 1
    return picture


def trace(x: list[float], floor: float, ceiling: float, rows: int) -> np.ndarray:
    y = np.array(x)
    return dots(braille(y, y.copy(), floor, ceiling, rows))


def test_each_value_lights_the_dot_at_its_height() -> None:
    picture = trace([0, 1, 2, 3, 4, 5, 6, 7], 0, 7, rows=2)
    assert np.argmax(picture, axis=0).tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    assert picture.sum() == 8


@given(st.lists(values, min_size=2, max_size=60).filter(lambda x: len(x) % 2 == 0))
def test_a_line_without_gaps_has_no_holes(x: list[float]) -> None:
    picture = trace(x, -1000, 1000, rows=5)
    assert picture.any(axis=0).all()
    padded = np.pad(picture, 1)
    for column in range(1, picture.shape[1]):  # each column touches the one before, at most diagonally
        here, before = padded[:, column + 1], padded[:, column]
        assert (here & (before | np.roll(before, 1) | np.roll(before, -1))).any()


def test_a_missing_column_stays_blank() -> None:
    picture = trace([0.0, 7.0, np.nan, np.nan, 0.0, 0.0], 0, 7, rows=2)
    assert picture.any(axis=0).tolist() == [True, True, False, False, True, True]
    assert picture[:, 4:].sum() == 2


def test_values_beyond_the_scale_are_drawn_on_the_edge() -> None:
    picture = trace([-5.0, 50.0], 0, 7, rows=2)
    assert picture[7, 0]
    assert picture[0, 1]


def test_columns_keep_the_extremes_of_their_samples() -> None:
    t = np.arange(100) / 100.0
    x = np.stack([t, -t], axis=1).astype(np.float32)
    low, high = columns(t, x, np.zeros(100, bool), 0.0, 0.25, 4)
    np.testing.assert_allclose(low[:, 0], [0.0, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(high[:, 0], [0.24, 0.49, 0.74, 0.99])
    np.testing.assert_allclose(low[:, 1], -high[:, 0])


def test_a_line_joins_sparse_samples_except_over_a_break() -> None:
    t = np.array([0.5, 4.5, 8.5])
    x = np.array([[0.0], [4.0], [8.0]], np.float32)
    broken = np.array([True, False, True])
    low, high = columns(t, x, broken, 0.0, 1.0, 10)
    np.testing.assert_array_equal(low, high)
    np.testing.assert_array_equal(low[:5, 0], [0, 1, 2, 3, 4])
    assert np.isnan(low[5:8, 0]).all()
    assert low[8, 0] == 8
    assert np.isnan(low[9, 0])


def test_samples_outside_the_picture_are_ignored() -> None:
    t = np.arange(10.0)
    low, _ = columns(t, t[:, None].astype(np.float32), np.zeros(10, bool), 3.0, 1.0, 4)
    np.testing.assert_array_equal(low[:, 0], [3, 4, 5, 6])


@given(values, values, st.sampled_from([0.5, 2.0, 10.0]))
def test_the_scale_covers_the_signal_and_has_round_ends(a: float, b: float, least: float) -> None:
    low, high = min(a, b), max(a, b)
    floor, ceiling = nice_range(low, high, least)
    assert floor <= low + 1e-9
    assert ceiling >= high - 1e-9
    assert ceiling - floor >= least - 1e-9
    assert ceiling - floor <= 2.2 * max(high - low, least)


@given(st.floats(1e-6, 1e6))
def test_a_value_lies_between_its_round_neighbours(value: float) -> None:
    below, above = round_below(value), round_above(value)
    assert below <= value * 1.00001
    assert above >= value * 0.99999
    assert above / below <= 2.50001 or below == above
    assert {f"{below:.0e}"[0], f"{above:.0e}"[0]} <= {"1", "2", "5"}


@pytest.mark.parametrize(
    ("share", "drawn"), [(0.0, ""), (0.5, "██"), (1.0, "████"), (7.0, "████"), (-1.0, ""), (0.28, "█▏"), (0.47, "█▉")]
)
def test_a_bar_is_exact_to_an_eighth(share: float, drawn: str) -> None:
    assert bar(share, 4) == drawn


def test_chart_columns_span_several_rows() -> None:
    assert column_chart([1.0, 0.5, 0.25, 0.0], rows=2) == ["█   ", "██▄▁"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.000"), (0.0411, "0.041"), (1.2351, "1.24"), (56.72, "56.7"), (1234.5, "1234"), (0.00083, "0.00083")],
)
def test_numbers_have_about_three_digits(value: float, text: str) -> None:
    assert number(value) == text
