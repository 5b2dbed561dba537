"""Reads the columns of a table file of any format as numbers and texts, with the problem of each value."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from kinestream.core.errors import DataDamaged, DataMissing

from .formats import FORMATS, open_csv

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

T = TypeVar("T")
MAX_VALUE = 1e30
"""A larger value is infinite for the samples, which are float32."""
PROBLEMS = ("missing_value", "not_a_number", "not_finite")
"""Problems of a number; ``Numbers.problem`` is 1 + the index here, 0 without a problem."""
_MISSING, _TEXT, _NOT_FINITE = range(1, 4)


@dataclass(frozen=True, slots=True)
class Numbers:
    """One column: (n,) numbers and (n,) problem codes."""

    values: NDArray[np.float64]
    problem: NDArray[np.int8]


class TableFile:
    """A table file; reads its header at once and its columns on ``read``.

    Raises:
        DataMissing: the file does not exist.
        DataDamaged: the file is truncated or not a table.
    """

    def __init__(self, path: Path) -> None:
        if not os.path.isfile(path):  # pathlib raises for a name that is too long
            raise DataMissing(f"no file {path}; expected a CSV or Parquet file")
        self.path = path
        self.line: NDArray[np.int64] = np.empty(0, np.int64)
        """(n,) line number of each row in the file (in CSV the header is line 1), else the row number from 1."""
        self.position: NDArray[np.int64] = np.empty(0, np.int64)
        """(n,) number of rows, complete or not, before each row."""
        self.short_rows = 0
        """Number of rows with more or fewer values than the header; they are left out."""
        self._columns: dict[str, pa.ChunkedArray] = {}
        self._content = self._reading(lambda: FORMATS.get(path.suffix.lower(), open_csv)(path))
        self.header = self._content.header

    def read(self, names: Iterable[str]) -> None:
        """Load the named columns."""
        wanted = list(dict.fromkeys(names))
        rows = self._reading(lambda: self._content.read(wanted))
        self._columns = {name: rows.table[name] for name in wanted}
        self.position = np.arange(len(rows.table)) if rows.position is None else rows.position
        self.line = self.position + 1 if rows.line is None else rows.line
        self.short_rows = rows.short_rows

    def _reading(self, read: Callable[[], T]) -> T:
        import pyarrow as pa  # takes 0.2 s to import, and only tables need it

        try:
            return read()
        except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataDamaged(
                f"{self.path} cannot be read as a table ({reason}); check that it is complete and in UTF-8"
            ) from error

    def is_date(self, name: str) -> bool:
        """Whether the column holds dates or durations: as a type of the file, or as text like 2024-01-31."""
        import pyarrow as pa

        column = self._columns[name]
        if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type):
            return True
        first = next((value.as_py() for value in column if value.is_valid), "")
        return isinstance(first, str) and _date_ns(first) is not None

    def numbers(self, name: str) -> Numbers:
        """The column as numbers, with a problem code for missing, text and not finite values."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self._columns[name]
        problem = np.zeros(len(column), np.int8)
        try:
            if pa.types.is_string(column.type):
                column = pc.call_function("utf8_trim_whitespace", [column])
                if self._content.decimal_comma and not self._has(column, ".") and self._has(column, ","):
                    column = pc.call_function("replace_substring", [column], pc.ReplaceSubstringOptions(",", "."))
            values = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            parsed = [_number(value) for value in column.to_pylist()]
            problem[[value is None for value in parsed]] = _TEXT
            values = np.array([np.nan if value is None else value for value in parsed])
        problem[~(np.abs(values) <= MAX_VALUE) & (problem == 0)] = _NOT_FINITE
        problem[column.is_null().to_numpy()] = _MISSING
        return Numbers(values, problem)

    @staticmethod
    def _has(column: pa.ChunkedArray, sign: str) -> bool:
        import pyarrow.compute as pc

        matches = pc.call_function("match_substring", [column], pc.MatchSubstringOptions(sign))
        return bool(pc.call_function("any", [matches]).as_py())

    def value(self, name: str, row: int) -> str:
        """The value of one cell as text, shortened for a message."""
        text = str(self._columns[name][row].as_py())
        return text if len(text) <= 40 else f"{text[:40]}..."

    def dates(self, name: str) -> Numbers:
        """A column of dates or durations in seconds since its first value; other values are ``not_a_number``."""
        import pyarrow as pa

        column = self._columns[name]
        if pa.types.is_timestamp(column.type):
            parsed = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()).to_pylist()
        elif pa.types.is_duration(column.type):
            parsed = column.cast(pa.duration("ns")).cast(pa.int64()).to_pylist()
        else:
            parsed = [None if value is None else _date_ns(value) for value in column.to_pylist()]
        origin = next((value for value in parsed if value is not None), 0)
        # Subtract as integers: float64 cannot hold nanoseconds since 1970 exactly.
        values = np.array([np.nan if value is None else (value - origin) / 1e9 for value in parsed], np.float64)
        problem = np.where(np.isnan(values), np.int8(_TEXT), np.int8(0))
        problem[column.is_null().to_numpy()] = _MISSING
        return Numbers(values, problem)

    def texts(self, name: str) -> NDArray[np.str_]:
        """The column as stripped text, empty for missing values."""
        return np.array(
            ["" if value is None else str(value).strip() for value in self._columns[name].to_pylist()], np.str_
        )


def _number(value: object) -> float | None:
    try:
        # Python's float accepts 1_000; in a data file it means damage.
        return None if isinstance(value, str) and "_" in value else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _date_ns(text: str) -> int | None:
    from datetime import datetime

    whole, dot, rest = text.strip().partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    try:
        # datetime holds microseconds, but a sensor's log often has nanoseconds.
        seconds = datetime.fromisoformat(whole + rest[digits:]).timestamp() if "-" in whole else None
    except ValueError:
        return None
    return None if seconds is None else int(seconds) * 10**9 + (int(f"{rest[:digits]:0<9}"[:9]) if dot else 0)
