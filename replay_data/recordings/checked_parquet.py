"""Parquet files in which every bit is checked: each page has its checksum, and the file one of all its bytes.

Page checksums are Parquet's own, so that other programs can verify them as well. They leave out the footer and the
heads of the pages, so the footer has a key ``kinestream.crc32``: the CRC-32 of the whole file, computed while these
eight digits were zeros.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from kinestream.core.errors import DataDamaged

CRC_KEY = b"kinestream.crc32"
_DIGITS = 8
_BLANK = b"0" * _DIGITS
_CRC_ENTRY = re.compile(re.escape(CRC_KEY) + rb"\x18\x08([0-9a-f]{8})")
"""A key and its value of eight bytes, as Thrift's compact protocol lays them out in the footer."""


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
    with pq.ParquetWriter(buffer, table.schema, compression="zstd", write_page_checksum=True) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({**about, CRC_KEY.decode(): _BLANK.decode()})
    content = buffer.getvalue()
    at = _digits_at(content)
    if at is None:
        raise RuntimeError("this version of pyarrow writes a footer in another form; install the pinned one")
    return content[:at] + _crc(content, at) + content[at + _DIGITS :]


def read_checked(content: bytes, schema: pa.Schema | None = None) -> pa.Table:
    """Return the table of a Parquet file after verifying all checksums it has; files without any are read as they are.

    Args:
        schema: the columns to read; those that the file lacks are null.
    Raises:
        DataDamaged: a checksum is wrong, or the file cannot be read; the message gives the reason only.
    """
    _verify(content)
    try:
        # Without threads: a minute is small, and Arrow's pool can abort a process that ends right after a read.
        with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
        if schema is not None:
            table = _conformed(table, schema)
        table.validate(full=True)
    except (OSError, pa.ArrowException, UnicodeDecodeError, KeyError) as error:
        raise DataDamaged(_reason(error)) from None
    return table


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of a schema; null where the table lacks one."""
    columns = [
        table[name].cast(kind) if name in table.column_names else pa.nulls(len(table), kind)
        for name, kind in zip(schema.names, schema.types, strict=True)
    ]
    return pa.table(columns, schema=schema)


def about_of(content: bytes) -> dict[str, str]:
    """Return the entries of a file's key-value metadata, after verifying its checksum.

    Raises:
        DataDamaged: as for ``read_checked``.
    """
    _verify(content)
    try:
        entries = pq.read_metadata(pa.BufferReader(content)).metadata or {}
        return {key.decode(): value.decode() for key, value in entries.items()}
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise DataDamaged(_reason(error)) from None


def has_checksum(content: bytes) -> bool:
    """Return whether the file has the checksum of all its bytes: release 0.1.0 and other programs write none."""
    return _digits_at(content) is not None


def _verify(content: bytes) -> None:
    at = _digits_at(content)
    if at is not None and content[at : at + _DIGITS] != _crc(content, at):
        raise DataDamaged("its bytes do not match its checksum")


def _digits_at(content: bytes) -> int | None:
    """Where the digits of the checksum begin: its entry is the last match, as the footer's entries end the file."""
    last = None
    for last in _CRC_ENTRY.finditer(content):  # noqa: B007 - the last one counts
        pass
    return last.start(1) if last else None


def _crc(content: bytes, at: int) -> bytes:
    view = memoryview(content)
    crc = zlib.crc32(view[:at])
    crc = zlib.crc32(view[at + _DIGITS :], zlib.crc32(_BLANK, crc))
    return f"{crc:0{_DIGITS}x}".encode()


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
