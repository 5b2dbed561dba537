"""Functions that draw numbers as text: braille traces, bars, columns and round scales."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_EIGHTHS_RIGHT = " ▏▎▍▌▋▊▉█"
_EIGHTHS_UP = " ▁▂▃▄▅▆▇█"
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)
"""The bit of each dot in a braille cell, 4 rows x 2 columns (Unicode 15, block U+2800)."""


def columns(
    t: NDArray[np.float64],
    x: NDArray[np.float32],
    broken: NDArray[np.bool_],
    t_start_s: float,
    step_s: float,
    count: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest value of each channel in each time column, both (count, channels).

    A column without a sample gets the value of the line between its neighbours. It is NaN before the first sample,
    after the last one, and where the line is broken.

    Args:
        t: (n,) ascending seconds.
        x: (n, channels) samples.
        broken: (n,) True where a sample does not follow its predecessor.
        t_start_s: start of the first column.
        step_s: duration of a column.
        count: number of columns.
    """
    low = np.full((count, x.shape[1]), np.nan)
    high = low.copy()
    column = np.floor((t - t_start_s) / step_s).astype(int)
    inside = slice(int(np.searchsorted(column, 0)), int(np.searchsorted(column, count)))
    column = column[inside]
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    filled = column[starts]
    if len(filled):
        low[filled] = np.minimum.reduceat(x[inside], starts, axis=0)
        high[filled] = np.maximum.reduceat(x[inside], starts, axis=0)

    empty = np.setdiff1d(np.arange(count), filled, assume_unique=True)
    centre = t_start_s + (empty + 0.5) * step_s
    after = np.searchsorted(t, centre)
    joined = (after > 0) & (after < len(t))
    joined[joined] = ~broken[after[joined]]
    empty, centre, after = empty[joined], centre[joined], after[joined]
    share = (centre - t[after - 1]) / (t[after] - t[after - 1])
    low[empty] = high[empty] = x[after - 1] + (x[after] - x[after - 1]) * share[:, None]
    return low, high


def braille(low: NDArray[np.float64], high: NDArray[np.float64], floor: float, ceiling: float, rows: int) -> list[str]:
    """Return ``rows`` lines of braille that draw one channel, top line first; blank where ``low`` is NaN.

    Args:
        low, high: (columns,) this channel's result of ``columns``; an even number of columns.
        floor, ceiling: values of the lowest and the highest dot; values beyond are drawn on the edge.
    """
    scale = (4 * rows - 1) / (ceiling - floor)
    # Dots count downwards. A column extends to a neighbour that lies wholly above or below it: no holes.
    top = np.clip(np.rint((ceiling - high) * scale), 0, 4 * rows - 1)
    bottom = np.clip(np.rint((ceiling - low) * scale), 0, 4 * rows - 1)
    top[1:], bottom[1:] = (
        np.fmin(top[1:], np.where(bottom[:-1] < top[1:], bottom[:-1] + 1, top[1:])),
        np.fmax(bottom[1:], np.where(top[:-1] > bottom[1:], top[:-1] - 1, bottom[1:])),
    )
    y = np.arange(4 * rows)[:, None]
    on = (y >= top) & (y <= bottom)
    cells = np.einsum("rjck,jk->rc", on.reshape(rows, 4, -1, 2).astype(np.uint32), _DOTS)
    codes = np.where(cells, cells + 0x2800, 0x20).astype("<u4")  # an empty braille cell shows faint dots in some fonts
    return [row.tobytes().decode("utf-32-le") for row in codes]


def number(value: float) -> str:
    """Return a number with about three significant digits and no exponent.

    >>> number(0.0411), number(1.2351), number(56.72), number(1234.5)
    ('0.041', '1.24', '56.7', '1234')
    """
    decimals = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{decimals}f}" if value >= 0.01 or value == 0 else f"{value:.2g}"


def bar(share: float, width: int) -> str:
    """Return a horizontal bar of ``share`` (0 to 1) of ``width`` cells, exact to an eighth of a cell, without padding.

    >>> bar(0.5, 4)
    '██'
    """
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS_RIGHT[rest] if rest else "")


def column_chart(shares: Sequence[float], rows: int) -> list[str]:
    """Return ``rows`` lines, top line first, with one upright bar per cell; each bar shows at least its foot.

    >>> column_chart([1.0, 0.5, 0.25, 0.0], rows=2)
    ['█   ', '██▄▁']
    """
    eighths = [max(1, round(min(max(share, 0.0), 1.0) * rows * 8)) for share in shares]
    return [
        "".join(_EIGHTHS_UP[min(8, max(0, height - 8 * row))] for height in eighths) for row in range(rows - 1, -1, -1)
    ]


def round_above(value: float) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that is not below ``value``, which is positive."""
    power = 10.0 ** math.floor(math.log10(value))
    steps = (float(f"{factor * power:.0e}") for factor in (1, 2, 5, 10))
    return next(step for step in steps if step >= value * 0.999999)


def round_below(value: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that is not above ``value``, which is positive."""
    power = 10.0 ** math.floor(math.log10(value))
    steps = (float(f"{factor * power:.0e}") for factor in (5, 2, 1, 0.5))
    return next(step for step in steps if step <= value * 1.000001)


def nice_range(low: float, high: float, least: float) -> tuple[float, float]:
    """Return the smallest range around ``low`` to ``high`` with round ends: multiples of 1, 2 or 5 x a power of ten.

    >>> nice_range(-1.3, 8.7, least=2.0)
    (-2.0, 10.0)

    Args:
        least: minimum length of the range, so that noise at rest does not fill the panel.
    """
    middle = (low + high) / 2
    low, high = min(low, middle - least / 2), max(high, middle + least / 2)
    step = round_above((high - low) / 5)
    return math.floor(low / step) * step, math.ceil(high / step) * step
