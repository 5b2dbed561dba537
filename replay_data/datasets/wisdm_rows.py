"""Parses the line format of both WISDM datasets, with every irregularity known in their files.

A record is ``user,activity,time in ns,x,y,z;``, one per line. Known irregularities: no z and no ``;``; an extra comma
before the ``;``; several records on a line; a time of zero; text in place of a number; a truncated last line.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.signals import UNLABELLED

from ..tables.tidy import refuse_if_mostly_bad

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NUMBER = rb"[-+]?+(?:\d++\.?+\d*+|\.\d++)(?:[eE][-+]?+\d++)?+"
_RECORD = rb"\d{1,9}+,[A-Za-z]{1,16}+,\d{1,18}+," + rb",".join([_NUMBER] * 3)
_ONE_RECORD = re.compile(_RECORD)
_SOUND_LINES = re.compile(rb"(?:" + _RECORD + rb";\r?+\n){0,50000}+")
"""Matches many valid lines at once, three times as fast as line by line; the limit bounds the memory."""
_PARSED = np.dtype([("user", np.int32), ("activity", "S16"), ("t_ns", np.int64), ("xyz", np.float64, 3)])
_KEPT = np.dtype([("user", np.int32), ("label", np.int16), ("t_ns", np.int64), ("xyz", np.float32, 3)])


@dataclass(frozen=True, slots=True)
class Rows:
    """The records of a file, in file order."""

    user: NDArray[np.int32]
    label: NDArray[np.int16]
    t_ns: NDArray[np.int64]
    xyz: NDArray[np.float32]
    """(n, 3) in the file's unit."""
    repairs: dict[str, int]
    """Counts by kind. Repaired: ``trailing_comma``, ``joined_line``; skipped: ``missing_value``, ``extra_value``,
    ``not_a_number``, ``unknown_activity``, ``zero_time``."""


def read_records(text: bytes, codes: Mapping[bytes, int], where: str) -> Rows:
    """The usable records of a file; irregular records are repaired or skipped, and counted by kind.

    Args:
        text: the file.
        codes: the label code of each activity, in the file's spelling.
        where: the file's name for messages.

    Raises:
        DataDamaged: more than a tenth of the records are unusable, or the file has none.
    """
    counts: Counter[str] = Counter()
    blocks = [_to_array(block, codes, counts) for block in _sound_blocks(text, counts)]
    rows = np.concatenate(blocks) if blocks else np.empty(0, _KEPT)
    repaired = {kind: counts.pop(kind) for kind in ("trailing_comma", "joined_line") if kind in counts}
    refuse_if_mostly_bad(where, counts, len(rows) + counts.total())
    repairs = {kind: n for kind, n in {**repaired, **counts}.items() if n}
    return Rows(rows["user"], rows["label"], rows["t_ns"], rows["xyz"], repairs)


def _sound_blocks(text: bytes, counts: Counter[str]) -> Iterator[bytes]:
    """The file in blocks of well-formed lines without their ``;``."""
    position = 0
    while position < len(text):
        if (end := _SOUND_LINES.match(text, position).end()) > position:  # pyright: ignore[reportOptionalMemberAccess]
            yield text[position:end].replace(b";", b"")
        else:
            end = text.find(b"\n", position) + 1 or len(text)
            if records := list(_mend(text[position:end], counts)):
                yield b"\n".join(records)
        position = end


def _mend(line: bytes, counts: Counter[str]) -> Iterator[bytes]:
    parts = [part for part in (part.strip() for part in line.split(b";")) if part]
    if len(parts) > 1:
        counts["joined_line"] += 1
    for part in parts:
        fields = [field.strip() for field in part.split(b",")]
        while fields and not fields[-1]:
            fields.pop()
        record = b",".join(fields)
        if len(fields) < 6 or not all(fields):
            counts["missing_value"] += 1
        elif len(fields) > 6:
            counts["extra_value"] += 1
        elif not _ONE_RECORD.fullmatch(record):
            counts["not_a_number"] += 1
        else:
            counts["trailing_comma"] += part.endswith(b",")
            yield record


def _to_array(block: bytes, codes: Mapping[bytes, int], counts: Counter[str]) -> NDArray[np.void]:
    parsed = np.loadtxt(io.BytesIO(block), _PARSED, comments=None, delimiter=",", ndmin=1)
    names, which = np.unique(parsed["activity"], return_inverse=True)
    label = np.array([codes.get(name, UNLABELLED) for name in names.tolist()], np.int16)[which]
    known, dated = label != UNLABELLED, parsed["t_ns"] > 0
    counts["unknown_activity"] += int((~known).sum())
    counts["zero_time"] += int((known & ~dated).sum())
    usable = known & dated
    rows = np.empty(int(usable.sum()), _KEPT)
    rows["label"] = label[usable]
    for column in ("user", "t_ns", "xyz"):
        rows[column] = parsed[column][usable]
    return rows
