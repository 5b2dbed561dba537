"""How much memory a Parquet file takes, found before it is decoded: one long text can make gigabytes of a megabyte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.core.errors import DataDamaged

from .parquet_footer import column_chunks

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAX_FOOTER_BYTES = 16 * 2**20
MAX_COLUMNS = 4096
MAX_CHUNKS = 200_000
"""Row groups times columns."""
MAX_TABLE_BYTES = 2 * 10**9
"""Memory of the columns that are read, decoded."""
VALUE_BYTES = 8
"""Memory of one number."""

_REMEDY = "split the file into several, or keep fewer columns"


def read_footer(path: Path) -> bytes:
    """Return a file's footer, after checking its length; nothing, if the file does not end as Parquet does.

    Raises:
        DataDamaged: it is too long; the message gives the reason only.
    """
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(max(0, length - 8))
        tail = file.read()
        footer = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or footer > length - 8:
            return b""  # Arrow says what is wrong
        if footer > MAX_FOOTER_BYTES:
            raise DataDamaged(f"a footer of {footer} bytes; expected at most {MAX_FOOTER_BYTES}; {_REMEDY}")
        file.seek(length - 8 - footer)
        return file.read(footer)


def check_size(metadata: pq.FileMetaData, footer: bytes, columns: Iterable[str] | None = None) -> None:
    """Check how much memory the columns take.

    Args:
        metadata: what Arrow reads of the footer.
        columns: those that are read; None for all.
    Raises:
        DataDamaged: too much; the message gives the reason only.
    """
    if metadata.num_columns > MAX_COLUMNS:
        raise DataDamaged(f"{metadata.num_columns} columns; expected at most {MAX_COLUMNS}; {_REMEDY}")
    if metadata.num_columns * metadata.num_row_groups > MAX_CHUNKS:
        groups = f"{metadata.num_row_groups} row groups of {metadata.num_columns} columns"
        raise DataDamaged(f"{groups}; expected at most {MAX_CHUNKS} parts in all; write larger row groups")
    wanted = None if columns is None else set(columns)
    chunks = [chunk for chunk in column_chunks(footer) if wanted is None or chunk.column in wanted]
    _check_bytes(sum(max(chunk.size_bytes, VALUE_BYTES * chunk.values) for chunk in chunks))


def with_texts(table: pa.Table) -> pa.Table:
    """Return the table with a text in each row instead of dictionaries, if they are not too long.

    Raises:
        DataDamaged: they take too much memory; the message gives the reason only.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    folded = [at for at, column in enumerate(table.columns) if pa.types.is_dictionary(column.type)]
    size = table.nbytes
    for chunk in (chunk for at in folded for chunk in table.column(at).chunks):
        lengths = pc.call_function("binary_length", [chunk.dictionary])
        per_row = pc.call_function("take", [lengths, chunk.indices])
        size += pc.call_function("sum", [per_row.cast(pa.int64())]).as_py() or 0
    _check_bytes(size)
    for at in folded:
        column = table.column(at)
        table = table.set_column(at, table.column_names[at], column.cast(column.type.value_type))
    return table


def text_columns(schema: pa.Schema, names: Iterable[str]) -> list[str]:
    """Return the columns of text, which are best read as dictionaries until their size is known."""
    import pyarrow as pa

    kinds = {field.name: field.type for field in schema}
    return [
        name for name in names if name in kinds and (pa.types.is_string(kinds[name]) or pa.types.is_binary(kinds[name]))
    ]


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Put the file's name before the reason for which it is refused."""
    try:
        yield
    except DataDamaged as error:
        raise DataDamaged(f"{path} has {error}") from None


def _check_bytes(size: int) -> None:
    if size > MAX_TABLE_BYTES:
        raise DataDamaged(f"{size / 1e9:.3g} GB in memory; expected at most {MAX_TABLE_BYTES / 1e9:.3g} GB; {_REMEDY}")
