"""The file formats of tables: one registered function per format opens a file and reads its columns.

A function gets a path and returns ``TableContent``: the header, and how to read the wanted columns as a pyarrow table.
CONTRIBUTING.md shows how to add a format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import DataDamaged

from ..parquet_limits import MAX_COLUMNS, check_size, named, read_footer, text_columns, with_texts

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


MAX_LINE = 1 << 20
"""Characters of a text file's first lines; Arrow refuses longer ones further down."""
MAX_TEXT_BYTES = 2 * 10**9
"""Length of a text file: in memory, it takes about twice as much."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The wanted columns of a file, and where their rows are in it."""

    table: pa.Table
    line: NDArray[np.int64] | None = None
    """(n,) line number of each row in the file, from 1; None: the row number."""
    position: NDArray[np.int64] | None = None
    """(n,) number of rows, complete or not, before each row; None: no row was left out."""
    short_rows: int = 0
    """Number of rows left out because they have more or fewer values than the header."""


@dataclass(frozen=True, slots=True)
class TableContent:
    """An open file: the names of its columns, and a function that reads some of them."""

    header: list[str]
    read: Callable[[list[str]], Rows]
    decimal_comma: bool = False
    """Whether numbers in texts can have a decimal comma."""

    @classmethod
    def of(cls, table: pa.Table) -> TableContent:
        """Return the content of a table that is already in memory.

        >>> import pyarrow as pa
        >>> TableContent.of(pa.table({"t": [0.0, 0.02], "ax": [0.1, 0.2]})).header
        ['t', 'ax']
        """
        return cls(table.column_names, lambda names: Rows(table.select(names)))


OpenTable = Callable[[Path], TableContent]
FORMATS: dict[str, OpenTable] = {}
"""All formats, by the suffix of the file's name in lower case."""


def table_format(*suffixes: str) -> Callable[[OpenTable], OpenTable]:
    """Register the decorated function as the reader of files with these suffixes.

    The function can raise any error of pyarrow, ``OSError`` or ``UnicodeDecodeError`` for a damaged file.
    """

    def register(open_file: OpenTable) -> OpenTable:
        FORMATS.update(dict.fromkeys(suffixes, open_file))
        return open_file

    return register


def is_table(path: Path) -> bool:
    """Return whether the file's name ends in the suffix of a known format.

    >>> is_table(Path("walk.CSV")), is_table(Path("walk.zip"))
    (True, False)
    """
    return path.suffix.lower() in FORMATS


@table_format(".csv", ".tsv")
def open_csv(path: Path) -> TableContent:
    """Open text in UTF-8 with commas, semicolons or tabs between the columns, and the header in its first line.

    Raises:
        DataDamaged: the header is missing, or two columns have the same name.
    """
    import csv

    size = path.stat().st_size
    if size > MAX_TEXT_BYTES:
        limit = f"expected at most {MAX_TEXT_BYTES / 1e9:g} GB"
        raise DataDamaged(f"{path} has {size / 1e9:.3g} GB of text; {limit}: split it, or write Parquet")
    lines_above = 0  # comments, and Excel's `sep=;`
    with path.open(encoding="utf-8-sig", newline="") as file:
        line, below = file.readline(MAX_LINE), file.readline(MAX_LINE)
        while line.startswith("sep=") or (line.startswith("#") and not _same_columns(line, below)):
            lines_above += 1
            line, below = below, file.readline(MAX_LINE)
    delimiter = max(",;\t", key=line.count)
    if len(line) >= MAX_LINE or line.count(delimiter) >= MAX_COLUMNS:
        columns = f"{MAX_COLUMNS} columns in a line of at most {MAX_LINE} characters"
        found = f"{line.count(delimiter) + 1} columns or more in its first line of {len(line)} characters or more"
        raise DataDamaged(f"{path} has {found}; expected at most {columns}: keep those of the sensor")
    header = next(csv.reader([line], delimiter=delimiter), [])
    if not line.strip():
        raise DataDamaged(f"{path} has no header; expected the names of the columns in its first line")
    duplicates = sorted(name for name, count in Counter(header).items() if count > 1)
    if duplicates:
        raise DataDamaged(f"{path} has more than one column '{duplicates[0]}'; give each its own name")

    def read(names: list[str]) -> Rows:
        return _csv_rows(path, header, names, delimiter, lines_above)

    # Spreadsheets with a decimal comma separate columns by semicolons or tabs.
    return TableContent(header, read, decimal_comma=delimiter != ",")


@table_format(".parquet", ".pq")
def open_parquet(path: Path) -> TableContent:
    """Open a Parquet file; pages that carry checksums are verified."""
    import pyarrow.parquet as pq

    def read(names: list[str]) -> Rows:
        with named(path):
            check_size(metadata, footer, names)
            texts = text_columns(schema, names)
            table = pq.read_table(path, columns=names, read_dictionary=texts, page_checksum_verification=True)
            return Rows(with_texts(table))

    with named(path):
        footer = read_footer(path)
        metadata = pq.read_metadata(path)
        check_size(metadata, footer, ())
    schema = metadata.schema.to_arrow_schema()
    return TableContent(schema.names, read)


def _csv_rows(path: Path, header: list[str], names: list[str], delimiter: str, lines_above: int) -> Rows:
    import pyarrow as pa
    import pyarrow.csv as pc

    _expect_utf8(path)
    short: list[int] = []

    def skip(row: pc.InvalidRow) -> str:
        short.append(row.number - lines_above)
        return "skip"

    table = pc.read_csv(
        path,
        # With threads, Arrow does not report the line number of a row.
        read_options=pc.ReadOptions(use_threads=False, skip_rows=lines_above),
        parse_options=pc.ParseOptions(delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=skip),
        convert_options=pc.ConvertOptions(
            include_columns=header,
            column_types=dict.fromkeys(header, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
        ),
    )
    blank = np.ones(len(table), np.bool_)
    for column in table.columns:
        blank &= column.is_null().to_numpy()
    lines = np.setdiff1d(np.arange(2, len(table) + len(short) + 2), short, assume_unique=True)
    position = lines - 2 - np.cumsum(blank)
    rows = table.select(names).filter(pa.array(~blank))
    return Rows(rows, lines[~blank] + lines_above, position[~blank], len(short))


def _expect_utf8(path: Path) -> None:
    """Raise ``UnicodeDecodeError`` unless the whole file is UTF-8: Arrow would not report a short row that is not."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            decoder.decode(block)
        decoder.decode(b"", final=True)


def _same_columns(line: str, below: str) -> bool:
    """Whether a line that starts like a comment is a header, as numpy writes it: ``# t,ax,ay,az``."""
    delimiter = max(",;\t", key=below.count)
    return delimiter in below and line.count(delimiter) == below.count(delimiter)
