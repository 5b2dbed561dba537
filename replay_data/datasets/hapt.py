"""HAPT, the continuous recordings behind UCI-HAR: 30 people, a phone at the waist, 50 Hz.

Layout: ``RawData/acc_expXX_userYY.txt`` (g) and ``gyro_expXX_userYY.txt`` (rad/s), three numbers per row;
``RawData/labels.txt``: experiment, user, activity, first and last sample, counted from 1, both inclusive.

Source: Reyes-Ortiz et al., Transition-Aware Human Activity Recognition Using Smartphones, Neurocomputing 2016;
UCI Machine Learning Repository 341.
"""

from __future__ import annotations

import io
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY, UNLABELLED

from ..recording import Dataset, Entry, Recording
from .archive import FileTree, find_tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "hapt"
MARKER = "RawData/labels.txt"
ARCHIVES = ("*hapt*", "*postural?transitions*")
FS_HZ = 50.0
OFFICIAL_TEST_SUBJECTS = ("2", "4", "9", "10", "12", "13", "18", "20", "24")
"""The test subjects chosen by UCI-HAR's authors."""
BASIC_LABELS = ("walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "lying")
LABEL_NAMES = (
    *BASIC_LABELS,
    "stand_to_sit",
    "sit_to_stand",
    "sit_to_lie",
    "lie_to_sit",
    "stand_to_lie",
    "lie_to_stand",
)
"""In the order of the file's activity numbers 1 to 12."""


def open_hapt(data_dir: Path) -> Dataset:
    """The 61 recordings (two per person, three of one), from the archive or the extracted folder.

    Raises:
        DataMissing: the dataset is not in ``data_dir``.
        DataDamaged: ``labels.txt`` violates the format.
    """
    tree = find_tree(NAME, MARKER, ARCHIVES, data_dir)
    marks = read_rows(tree.read(MARKER), 5, f"{MARKER} in {tree.source}").astype(np.int64)
    entries = []
    for name in tree.names:
        if match := re.fullmatch(r"RawData/acc_(exp(\d+)_user(\d+))\.txt", name):
            stem, experiment, user = match[1], int(match[2]), int(match[3])
            own = marks[(marks[:, 0] == experiment) & (marks[:, 1] == user), 2:]
            entries.append(Entry(stem, str(user), partial(_load, tree, stem, str(user), own)))
    if not entries:
        raise DataDamaged(f"{tree.source} has '{MARKER}', but no RawData/acc_expXX_userYY.txt; fetch it again")
    return Dataset(NAME, LABEL_NAMES, entries)


def _load(tree: FileTree, stem: str, subject: str, marks: NDArray[np.int64]) -> Recording:
    acc, gyro = (
        read_rows(tree.read(name), 3, f"{name} in {tree.source}")
        for name in (f"RawData/acc_{stem}.txt", f"RawData/gyro_{stem}.txt")
    )
    if len(acc) != len(gyro):
        raise DataDamaged(
            f"{stem} in {tree.source}: {len(acc)} rows of acceleration, {len(gyro)} of angular rate; "
            "expected equal numbers: fetch it again"
        )
    n = len(acc)
    labels = np.full(n, UNLABELLED, np.int16)
    for activity, first, last in marks.tolist():
        if not (1 <= activity <= len(LABEL_NAMES) and 1 <= first <= last <= n):
            raise DataDamaged(
                f"{MARKER} in {tree.source}: {stem} has activity {activity} from sample {first} to {last}; "
                f"expected activities 1 to {len(LABEL_NAMES)} and samples 1 to {n}"
            )
        labels[first - 1 : last] = activity - 1
    x = np.empty((n, 6), np.float32)
    x[:, :3] = acc * STANDARD_GRAVITY
    x[:, 3:] = gyro
    return Recording(NAME, stem, subject, FS_HZ, (*ACC, *GYRO), np.arange(n) / FS_HZ, x, labels, LABEL_NAMES)


def read_rows(text: bytes, columns: int, where: str) -> NDArray[np.float64]:
    """(n, columns) numbers of a text file with whitespace between them.

    >>> read_rows(b"1 2\\n3 4\\n", 2, "example").tolist()
    [[1.0, 2.0], [3.0, 4.0]]

    Raises:
        DataDamaged: a row has another number of columns, or an entry that is not a finite number; the message
            names the row.
    """
    try:
        rows = (
            np.loadtxt(io.BytesIO(text), np.float64, comments=None, ndmin=2) if text.strip() else np.empty((0, columns))
        )
    except ValueError as error:
        # numpy counts rows from 0 for an unreadable number and from 1 for a missing one.
        message = re.sub(r"at row (\d+), column", lambda match: f"at row {int(match[1]) + 1}, column", str(error))
        raise DataDamaged(f"{where}: {message.split(';')[0]}; expected {columns} numbers per row") from None
    if rows.shape[1] != columns:
        raise DataDamaged(f"{where}: {rows.shape[1]} numbers per row; expected {columns}")
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise DataDamaged(
            f"{where}: row {int(np.argmin(finite)) + 1} is not finite; expected {columns} numbers per row"
        )
    return rows
