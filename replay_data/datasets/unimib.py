"""UniMiB-SHAR: 30 people, a phone in the trouser pocket, acceleration at 50 Hz, windows of 3 s around a peak.

Layout: ``data/acc_data.mat`` (11771 x 453: 151 samples of x, then y, then z, m/s^2) and ``data/acc_labels.mat``
(11771 x 3: class, person, trial). The falls of the 51-sample version are in the authors' split file, one matrix per
class, without the subjects. ``data/fall_labels.mat`` (4192 x 3) supplies them: the windows of a class are the first of
its rows there, in the same order, as many as five equal folds need (525 of 529). Proof: 5026 pairs of windows at most
seven rows apart share a stretch of signal, and with this assignment every pair belongs to one person; shifted by one
row, 30 to 60 pairs per class would not. 940 windows repeat an earlier one of the same person exactly.

Source: Micucci, Mobilio, Napoletano, UniMiB SHAR: A Dataset for Human Activity Recognition Using Acceleration Data
from Smartphones, Applied Sciences 2017.
"""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.activities import FALL_KINDS
from kinestream.core.errors import DataDamaged
from kinestream.core.signals import ACC

from ..recording import Dataset, Entry, Recording
from .archive import FileTree, find_tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "unimib"
FALLS_NAME = "unimib-falls51"
DATA, LABELS = "data/acc_data.mat", "data/acc_labels.mat"
FALLS, FALL_LABELS = "data/split/split51/fall_splitted_data5_folds.mat", "data/fall_labels.mat"
FOLDS = 5
ARCHIVES = ("*unimib*",)
FS_HZ = 50.0
WINDOW, FALL_WINDOW = 151, 51
WINDOW_HOLE_S = 1.0
"""Assumed time between two windows, as each was cut from its trial separately."""
LABEL_NAMES = (
    "sit_to_stand",
    "lie_to_stand",
    "walking",
    "running",
    "walking_upstairs",
    "jumping",
    "walking_downstairs",
    "stand_to_lie",
    "stand_to_sit",
    *FALL_KINDS,
)
"""In the order of the file's class numbers 1 to 17."""


def open_unimib(data_dir: Path) -> Dataset:
    """One recording per person, each window a segment of its own.

    Raises:
        DataMissing: the dataset is not in ``data_dir``.
        DataDamaged: a file is not a valid MATLAB file or has an unexpected shape.
    """
    tree = find_tree(NAME, DATA, ARCHIVES, data_dir)
    labels = _matrix(tree, LABELS, "acc_labels").astype(np.int16)
    if labels.ndim != 2 or labels.shape[1] != 3 or not np.isin(labels[:, 0], np.arange(1, 18)).all():
        raise DataDamaged(f"{LABELS} in {tree.source} is {labels.shape}; expected (n, 3) with classes 1 to 17")

    @cache
    def windows() -> NDArray[np.float32]:
        data = _matrix(tree, DATA, "acc_data").astype(np.float32)
        if data.shape != (len(labels), 3 * WINDOW):
            raise DataDamaged(f"{DATA} in {tree.source} is {data.shape}; expected ({len(labels)}, {3 * WINDOW})")
        return data

    def load(subject: int) -> Recording:
        own = np.flatnonzero(labels[:, 1] == subject)
        return _recording(NAME, f"user{subject:02}", str(subject), windows()[own], labels[own, 0] - 1, LABEL_NAMES)

    subjects = np.unique(labels[:, 1]).tolist()
    return Dataset(NAME, LABEL_NAMES, [Entry(f"user{i:02}", str(i), partial(load, i)) for i in subjects])


def open_unimib_falls51(data_dir: Path) -> Dataset:
    """The fall windows of the 51-sample version, one recording per person; exact repeats are dropped and counted.

    Overlapping windows remain: they belong to one person, so a split by subject keeps them together.

    Raises:
        DataMissing, DataDamaged: as for ``open_unimib``.
    """
    tree = find_tree(FALLS_NAME, FALLS, ARCHIVES, data_dir)
    marks = _matrix(tree, FALL_LABELS, "fall_labels").astype(np.int64)
    if marks.ndim != 2 or marks.shape[1] != 3 or not np.isin(marks[:, 0], np.arange(1, 9)).all():
        raise DataDamaged(f"{FALL_LABELS} in {tree.source} is {marks.shape}; expected (n, 3) with classes 1 to 8")
    people = [marks[marks[:, 0] == code + 1, 1] for code in range(len(FALL_KINDS))]
    people = [own[: len(own) // FOLDS * FOLDS] for own in people]

    @cache
    def cells() -> list[NDArray[Any]]:
        matrices = list(_matrix(tree, FALLS, "splitted_data").ravel())
        shapes = [np.shape(matrix) for matrix in matrices]
        expected = [(len(own), 3 * FALL_WINDOW) for own in people]
        if shapes != expected:
            raise DataDamaged(f"{FALLS} in {tree.source} holds {shapes}; expected {expected}, by {FALL_LABELS}")
        return matrices

    def load(subject: int) -> Recording:
        parts = [cell[own == subject].astype(np.float32) for cell, own in zip(cells(), people, strict=True)]
        rows = np.concatenate(parts)
        codes = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
        repeats = {"repeated_window": len(rows) - len(first)} if len(first) < len(rows) else {}
        recording = _recording(FALLS_NAME, f"user{subject:02}", str(subject), rows[first], codes[first], FALL_KINDS)
        return replace(recording, repairs=repeats)

    subjects = np.unique(np.concatenate(people)).tolist()
    return Dataset(FALLS_NAME, FALL_KINDS, [Entry(f"user{i:02}", str(i), partial(load, i)) for i in subjects])


def _recording(
    dataset: str, name: str, subject: str, rows: NDArray[np.float32], codes: NDArray[Any], names: tuple[str, ...]
) -> Recording:
    """The recording made of (windows, 3 * length) rows."""
    n, length = len(rows), rows.shape[1] // 3
    index = np.arange(n * length)
    return Recording(
        dataset,
        name,
        subject,
        FS_HZ,
        ACC,
        index / FS_HZ + index // length * WINDOW_HOLE_S,
        np.ascontiguousarray(rows.reshape(n, 3, length).transpose(0, 2, 1)).reshape(-1, 3),
        np.repeat(codes.astype(np.int16), length),
        names,
        tuple((start, start + length) for start in range(0, n * length, length)),
    )


def _matrix(tree: FileTree, name: str, variable: str) -> NDArray[Any]:
    from scipy.io import loadmat  # takes 0.2 s to import, and only this dataset needs it
    from scipy.io.matlab import MatReadError

    try:
        return loadmat(io.BytesIO(tree.read(name)), variable_names=[variable])[variable]
    except (MatReadError, ValueError, TypeError, KeyError, NotImplementedError, OSError, EOFError) as error:
        raise DataDamaged(
            f"{name} in {tree.source} is not a valid MATLAB file with '{variable}' ({error}); fetch it again"
        ) from error
