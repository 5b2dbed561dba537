"""Parquet files in which every bit is checked, and of which damage costs only the rows around it.

Page checksums are Parquet's own, so that other programs can verify them as well. They leave out the footer and the
heads of the pages, so the footer has a key ``kinestream.crc32`` with one CRC-32 of 8 hex digits for itself and one for
each row group, computed while these digits were zeros.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Mapping
from itertools import groupby, pairwise

import pyarrow as pa
import pyarrow.parquet as pq

from kinestream.core.errors import DataDamaged

from ..parquet_footer import column_chunks
from ..parquet_limits import check_size, text_columns, with_texts

CRC_KEY = b"kinestream.crc32"
ROWS_PER_GROUP = 1500
"""Rows that one flipped bit can cost. Smaller groups cost space: 1,000 rows add 2 % to a minute of samples."""

_DIGITS = 8
_CRC_ENTRY = re.compile(re.escape(CRC_KEY) + rb"\x18[\x80-\xff]*[\x00-\x7f]((?:[0-9a-f]{8})+)\x00")
"""A key and its value, as Thrift's compact protocol lays them out in the footer."""
_ENDING = 8
"""Bytes at the end of a file: the length of the footer, and ``PAR1``."""
_STATISTICS = ("t_s", "t_start_s", "at_s")
"""The columns with statistics, by which other programs skip row groups."""

_DAMAGE = (OSError, pa.ArrowException, UnicodeDecodeError, KeyError)


def parquet_bytes(table: pa.Table, about: Mapping[str, str]) -> bytes:
    """Return the table as a Parquet file with checksums.

    Args:
        about: entries of the file's key-value metadata.

    >>> table = pa.table({"seq": [1, 2, 3]})
    >>> content = parquet_bytes(table, {"kinestream": "{}"})
    >>> read_checked(content).equals(table), about_of(content)["kinestream"], has_checksum(content)
    (True, '{}', True)
    """
    buffer = io.BytesIO()
    statistics = [name for name in _STATISTICS if name in table.column_names]
    groups = -(-len(table) // ROWS_PER_GROUP)
    with pq.ParquetWriter(
        buffer, table.schema, compression="zstd", write_page_checksum=True, write_statistics=statistics
    ) as writer:
        writer.write_table(table, row_group_size=ROWS_PER_GROUP)
        writer.add_key_value_metadata({**about, CRC_KEY.decode(): "0" * _DIGITS * (1 + groups)})
    content = buffer.getvalue()
    digits = _digits(content)
    if digits is None:
        raise RuntimeError("this version of pyarrow writes a footer in another form; install the pinned one")
    crcs = [_footer_crc(content, digits), *(_crc(content[part]) for part in _groups(content))]
    return content[: digits.start] + b"".join(crcs) + content[digits.stop :]


def read_checked(content: bytes, schema: pa.Schema | None = None) -> pa.Table:
    """Return the table of a Parquet file after verifying all checksums it has; files without any are read as they are.

    Args:
        schema: the columns to read; those that the file lacks are null.
    Raises:
        DataDamaged: a checksum is wrong, or the file cannot be read; the message gives the reason only.
    """
    if bad := _damaged_groups(content):
        raise DataDamaged(f"{len(bad)} of its row groups do not match their checksums")
    return _read(content, schema, None)


def read_undamaged(content: bytes, schema: pa.Schema) -> pa.Table:
    """Return the rows of the row groups that match their checksums.

    Raises:
        DataDamaged: the footer is damaged, or the file has no checksums that could tell which rows are sound.
    """
    if not has_checksum(content):
        raise DataDamaged("it has no checksums")
    bad = _damaged_groups(content)
    return _read(content, schema, [number for number in range(len(_groups(content))) if number not in bad])


def about_of(content: bytes) -> dict[str, str]:
    """Return the entries of a file's key-value metadata, after verifying the checksum of the footer.

    Raises:
        DataDamaged: the footer is damaged; the message gives the reason only.
    """
    _verify_footer(content)
    try:
        entries = pq.read_metadata(pa.BufferReader(content)).metadata or {}
        return {key.decode(): value.decode() for key, value in entries.items()}
    except _DAMAGE as error:
        raise DataDamaged(_reason(error)) from None


def has_checksum(content: bytes) -> bool:
    """Return whether the file has checksums of all its bytes: release 0.1.0 and other programs write none."""
    return _digits(content) is not None


def _read(content: bytes, schema: pa.Schema | None, groups: list[int] | None) -> pa.Table:
    """Without threads: a minute is small, and Arrow's pool can abort a process that ends right after a read."""
    try:
        metadata = pq.read_metadata(pa.BufferReader(content))
        check_size(metadata, _footer(content))
        names = metadata.schema.to_arrow_schema()
        texts = text_columns(names, names.names)
        with pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts, page_checksum_verification=True) as file:
            table = file.read(use_threads=False) if groups is None else file.read_row_groups(groups, use_threads=False)
        table = with_texts(table)
        if schema is not None:
            table = _conformed(table, schema)
        table.validate(full=True)
    except _DAMAGE as error:
        raise DataDamaged(_reason(error)) from None
    return table


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of a schema; null where the table lacks one."""
    columns = [
        table[name].cast(kind) if name in table.column_names else pa.nulls(len(table), kind)
        for name, kind in zip(schema.names, schema.types, strict=True)
    ]
    return pa.table(columns, schema=schema)


def _damaged_groups(content: bytes) -> list[int]:
    """The numbers of the row groups that do not match their checksums; empty for a file without checksums.

    Raises:
        DataDamaged: the footer does not match its own checksum.
    """
    digits = _verify_footer(content)
    if digits is None:
        return []
    stored = content[digits.start + _DIGITS : digits.stop]
    groups = _groups(content)
    if len(stored) != len(groups) * _DIGITS:
        raise DataDamaged(f"it has {len(stored) // _DIGITS} checksums for {len(groups)} row groups")
    return [
        number
        for number, part in enumerate(groups)
        if stored[number * _DIGITS : (number + 1) * _DIGITS] != _crc(content[part])
    ]


def _verify_footer(content: bytes) -> slice | None:
    digits = _digits(content)
    if digits is None:
        return None
    if content[digits.start : digits.start + _DIGITS] != _footer_crc(content, digits):
        raise DataDamaged("its footer does not match its checksum")
    return digits


def _digits(content: bytes) -> slice | None:
    """Where the checksums are: their entry is the last match, as the footer's entries end the file."""
    start = max(_footer_start(content), 0)
    last = None
    for last in _CRC_ENTRY.finditer(content, start):  # noqa: B007 - the last one counts
        pass
    return slice(*last.span(1)) if last else None


def _footer_start(content: bytes) -> int:
    return len(content) - _ENDING - int.from_bytes(content[-_ENDING:-4], "little")


def _footer(content: bytes) -> bytes:
    return content[max(_footer_start(content), 0) : -_ENDING]


def _groups(content: bytes) -> list[slice]:
    """The bytes of each row group, end to end from the start of the file to the footer.

    Raises:
        DataDamaged: the footer cannot be read.
    """
    try:
        pq.read_metadata(pa.BufferReader(content))
        starts = [
            min(chunk.start for chunk in chunks)
            for _, chunks in groupby(column_chunks(_footer(content)), lambda chunk: chunk.group)
        ]
    except _DAMAGE as error:
        raise DataDamaged(_reason(error)) from None
    edges = [0, *starts[1:], _footer_start(content)] if starts else []
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _footer_crc(content: bytes, digits: slice) -> bytes:
    blank = b"0" * (digits.stop - digits.start)
    return _crc(content[_footer_start(content) : digits.start] + blank + content[digits.stop :])


def _crc(content: bytes) -> bytes:
    return f"{zlib.crc32(content):0{_DIGITS}x}".encode()


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
