"""What a Parquet file's footer says of its column chunks: their sizes and places.

Arrow's own objects for them end the whole process where a footer is damaged: their C++ code raises an exception that
nothing catches. The footer is a struct of Thrift's compact protocol; see parquet.thrift of
apache/parquet-format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kinestream.core.errors import DataDamaged

MAX_DEPTH = 32
_I8, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(3, 13)
_BOOLEANS = (1, 2)
_PATH, _VALUES, _SIZE, _DATA_AT, _DICTIONARY_AT = 3, 5, 6, 9, 11
# The row groups of the file, the column chunks of each, the metadata of each, and the fields that are read there.
_WANTED: Mapping[int, Any] = {4: {1: {3: {key: {} for key in (_PATH, _VALUES, _SIZE, _DATA_AT, _DICTIONARY_AT)}}}}


class ColumnChunk(NamedTuple):
    """The values of one column in one row group."""

    group: int
    """The number of the row group."""
    column: str
    """The name of the column; of nested ones, the outermost."""
    values: int
    size_bytes: int
    """Size of its pages, unpacked."""
    start: int
    """Offset of its first page."""


def column_chunks(footer: bytes) -> list[ColumnChunk]:
    """Return the column chunks of a file.

    Args:
        footer: the bytes before the footer's length at the end of the file.
    Raises:
        DataDamaged: it is not a footer; the message gives the reason only.

    >>> import io
    >>> import pyarrow as pa, pyarrow.parquet as pq
    >>> out = io.BytesIO()
    >>> pq.write_table(pa.table({"seq": [1, 2, 3]}), out, compression="none", use_dictionary=False)
    >>> content = out.getvalue()
    >>> [chunk.values for chunk in column_chunks(content[-8 - int.from_bytes(content[-8:-4], "little"):-8])]
    [3]
    """
    try:
        groups = _Reader(footer).struct(_WANTED, 0).get(4, [])
        return [_chunk(number, column[3]) for number, group in enumerate(groups) for column in group.get(1, [])]
    except (IndexError, KeyError, TypeError, AttributeError, ValueError):
        raise DataDamaged("a footer that is damaged") from None


def _chunk(group: int, fields: Mapping[int, Any]) -> ColumnChunk:
    values, size_bytes, data_at = (fields[key] for key in (_VALUES, _SIZE, _DATA_AT))
    starts = [at for at in (data_at, fields.get(_DICTIONARY_AT, 0)) if at]
    if not all(isinstance(number, int) and 0 <= number < 2**62 for number in (values, size_bytes, *starts)):
        raise ValueError
    return ColumnChunk(group, fields[_PATH][0].decode("utf-8"), values, size_bytes, min(starts, default=0))


class _Reader:
    """Reads Thrift's compact protocol; every step consumes a byte, so that it ends."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def struct(self, wanted: Mapping[int, Any], depth: int) -> dict[int, Any]:
        """Return the wanted fields of a struct by their numbers."""
        found: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            kind = head & 15
            field = field + (head >> 4) if head >> 4 else self._integer()
            value = kind if kind in _BOOLEANS else self._value(kind, wanted.get(field), depth + 1)
            if field in wanted:
                found[field] = value
        return found

    def _value(self, kind: int, wanted: Mapping[int, Any] | None, depth: int) -> Any:
        """Return a value; its content only if it is wanted."""
        if depth > MAX_DEPTH:
            raise ValueError
        if kind in (_I16, _I32, _I64):
            return self._integer()
        if kind == _BINARY:
            return self._take(self._size())
        if kind == _STRUCT:
            return self.struct(wanted or {}, depth)
        if kind in (_LIST, _SET):
            items = self._items(wanted, depth)
            if wanted is None:
                for _ in items:
                    pass
                return None
            return list(items)
        if kind == _MAP:
            return self._skip_map(depth)
        return self._take({_I8: 1, 1: 1, 2: 1, _DOUBLE: 8}[kind])

    def _items(self, wanted: Mapping[int, Any] | None, depth: int) -> Iterator[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._size()
        for _ in range(size):
            yield self._value(head & 15, wanted, depth + 1)

    def _skip_map(self, depth: int) -> None:
        size = self._size()
        kinds = self._byte() if size else 0
        for _ in range(size):
            self._value(kinds >> 4, None, depth + 1)
            self._value(kinds & 15, None, depth + 1)

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, size: int) -> bytes:
        self._at += size
        if self._at > len(self._data):
            raise IndexError
        return self._data[self._at - size : self._at]

    def _size(self) -> int:
        result = shift = 0
        while shift < 64:
            byte = self._byte()
            result |= (byte & 127) << shift
            if byte < 128:
                return result
            shift += 7
        raise ValueError

    def _integer(self) -> int:
        number = self._size()
        return (number >> 1) ^ -(number & 1)
