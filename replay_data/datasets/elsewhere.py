"""Four datasets of people, phones and places that differ from HAPT's, each read from one Parquet table.

Layout: the columns of ``COLUMNS``, one row per sample. A subject is ``PERSON`` or ``PERSON/PLACE``, where PLACE says
where the sensor was worn. The trials of a subject lie on one clock, ten seconds apart, and each becomes a segment. A
trial has one label; ``trial_postures.py`` finds the postures within those of SisFall and UMAFall. The originals are
published in other formats; ``FACTS`` names what each table holds and ``homes.py`` where it comes from.

Sources: Sucerquia et al., Sensors 2017 (SisFall); Casilari et al., Procedia Computer Science 2017 (UMAFall); Vavoulas
et al., IJMSTR 2014 (MobiFall); Kwapisz et al., SensorKDD 2010 (WISDM v1.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import ACC

from ..parquet_limits import check_size, named, read_footer
from ..recording import Dataset, Entry, Recording
from ..tables.tidy import tidy_times
from .archive import find_tree
from .trial_postures import relabel

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

COLUMNS = ("subject", "trial", "time", *(f"{axis} (m/s^2)" for axis in ACC), "label")
"""``time`` in seconds; the others as their names say."""
_NUMBERS = COLUMNS[2:6]
FOLDER = "elsewhere"
"""The folder of the tables, below the data folder."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The contents of one table."""

    file_name: str
    fs_hz: float
    """The nominal rate."""
    label_names: tuple[str, ...]


POSTURES = ("sitting", "standing", "lying")
FACTS: Mapping[str, Facts] = {
    "sisfall": Facts("sisfall.parquet", 50.0, ("walking", "jogging", "stairs", "fall", "other", *POSTURES)),
    "umafall": Facts(
        "umafall.parquet",
        50.0,
        ("walking", "jogging", "walking_upstairs", "walking_downstairs", "fall", "other", "standing", "lying"),
    ),
    # Android delivers irregularly: half of the trials at 79 to 89 Hz on average, most steps near 95 Hz.
    "mobifall": Facts(
        "mobifall.parquet",
        85.0,
        ("walking", "jogging", "jumping", "walking_upstairs", "walking_downstairs", "standing", "fall", "other"),
    ),
    "wisdm-windows": Facts(
        "wisdm_v1.1_windows.parquet",
        20.0,
        ("walking", "jogging", "walking_upstairs", "walking_downstairs", "sitting", "standing"),
    ),
}


def open_elsewhere(data_dir: Path, name: str, remedy: str) -> Dataset:
    """One recording per subject, its trials as segments.

    The table is read once per process, however often the dataset is opened.

    Args:
        name: a key of ``FACTS``.
        remedy: how to get the table, for the message if it is missing.

    Raises:
        DataMissing: the table is not in ``data_dir``.
        DataDamaged: it is not a Parquet file with the columns ``COLUMNS``, or a value is missing or out of place.
    """
    facts = FACTS[name]
    path = find_tree(name, facts.file_name, (), data_dir, remedy=remedy).source / facts.file_name
    state = path.stat()
    table = _read(path, name, state.st_mtime_ns, state.st_size)
    entries = [
        Entry(subject.replace("/", "_"), subject, partial(_load, table, name, subject)) for subject in table.ranges
    ]
    return Dataset(name, facts.label_names, entries)


@dataclass(frozen=True, slots=True)
class _Table:
    """The samples of all subjects, those of one subject in one range and in file order."""

    ranges: Mapping[str, slice]
    new_trial: NDArray[np.bool_]
    """(n,) whether a sample belongs to another trial than the one before it."""
    t: NDArray[np.float64]
    x: NDArray[np.float32]
    labels: NDArray[np.int16]


@lru_cache(maxsize=len(FACTS))
def _read(path: Path, name: str, modified_ns: int, size: int) -> _Table:
    """The table; the file's time and size are arguments so that a changed file is read again."""
    label_names = FACTS[name].label_names
    columns = _columns(path)
    subjects, subject = _codes(columns["subject"])
    trials, trial = _codes(columns["trial"])
    labels, label = _codes(columns["label"])
    if unknown := [text for text in labels if text not in label_names]:
        raise DataDamaged(f"{path} has the label '{unknown[0]}'; expected {', '.join(label_names)}")
    code_of = np.array([label_names.index(text) for text in labels], np.int16)
    t, *xyz = (columns[column].to_numpy() for column in _NUMBERS)
    for column, values in zip(_NUMBERS, (t, *xyz), strict=True):
        if not np.isfinite(values).all():
            raise DataDamaged(
                f"{path} has a value that is not finite in row {int(np.argmin(np.isfinite(values))) + 1}, column "
                f"'{column}'; expected a number in every row: convert it again"
            )
    order = np.argsort(subject, kind="stable")
    subject, trial = subject[order], trial[order]
    starts = np.searchsorted(subject, np.arange(len(subjects) + 1))
    new_trial = np.concatenate(([True], (np.diff(subject) != 0) | (np.diff(trial) != 0)))
    table = _Table(
        {subjects[i]: slice(int(starts[i]), int(starts[i + 1])) for i in range(len(subjects))},
        new_trial,
        np.asarray(t, np.float64)[order],
        np.stack(xyz, axis=1).astype(np.float32, copy=False)[order],
        code_of[label[order]],
    )
    for begin, end in pairwise([*np.flatnonzero(new_trial).tolist(), len(trial)]):
        own = slice(begin, end)
        who, what = subjects[subject[begin]], trials[trial[begin]]
        relabel(name, who, what, table.t[own], table.x[own], table.labels[own], label_names)
    return table


def _columns(path: Path) -> pa.Table:
    import pyarrow as pa  # takes 0.2 s to import, and only tables need it
    import pyarrow.parquet as pq

    expected = f"expected a Parquet file with the columns {', '.join(COLUMNS)}"
    try:
        with named(path):
            footer = read_footer(path)
            metadata = pq.read_metadata(path)
            check_size(metadata, footer, COLUMNS)
        header = metadata.schema.to_arrow_schema()
        if missing := [name for name in COLUMNS if name not in header.names]:
            raise DataDamaged(f"{path} has no column '{missing[0]}'; {expected}")
        texts = [name for name in COLUMNS if name not in _NUMBERS]
        table = pq.read_table(path, columns=list(COLUMNS), read_dictionary=texts, page_checksum_verification=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataDamaged(f"{path} cannot be read ({reason}); {expected}") from error
    if table.num_rows == 0:
        raise DataDamaged(f"{path} has no rows; {expected}, one row per sample")
    for name in COLUMNS:
        kind = table.schema.field(name).type
        is_text = pa.types.is_dictionary(kind) or pa.types.is_string(kind)
        if is_text if name in _NUMBERS else not is_text:
            raise DataDamaged(f"{path} has {kind} in column '{name}'; expected {'numbers' if is_text else 'text'}")
        if table[name].null_count:
            raise DataDamaged(f"{path} lacks {table[name].null_count} values in column '{name}'; convert it again")
    return table


def _codes(column: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct texts in the order they appear, and (n,) the index of each row's."""
    import pyarrow as pa

    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    joined = encoded.unify_dictionaries().combine_chunks()
    array = joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined
    names, codes = array.dictionary.to_pylist(), array.indices.to_numpy()
    used, first = np.unique(codes, return_index=True)
    used = used[np.argsort(first)]
    rank = np.zeros(len(names), np.int32)
    rank[used] = np.arange(len(used))
    return [str(names[i]) for i in used], rank[codes]


def _load(table: _Table, name: str, subject: str) -> Recording:
    own = table.ranges[subject]
    t, x = table.t[own], table.x[own]
    tidied = tidy_times(t, x, table.new_trial[own][1:])
    keep = tidied.keep
    facts = FACTS[name]
    return Recording(
        name,
        subject.replace("/", "_"),
        subject,
        facts.fs_hz,
        ACC,
        t[keep],
        x[keep],
        table.labels[own][keep],
        facts.label_names,
        tidied.segments,
        tidied.repairs,
    )
