"""UniMiB-SHAR: 30 people, a phone in the trouser pocket, acceleration at 50 Hz, windows of 3 s around a peak.

Layout: ``data/acc_data.mat`` (11771 x 453: 151 samples of x, then y, then z, m/s^2) and ``data/acc_labels.mat``
(11771 x 3: class, person, trial). The falls of the 51-sample version lie in the authors' split file, one matrix a
class, without saying whose they are; many are exact duplicates or overlap, so no honest split of them exists.

Source: Micucci, Mobilio, Napoletano, UniMiB SHAR: A Dataset for Human Activity Recognition Using Acceleration Data
from Smartphones, Applied Sciences 2017.
"""

from __future__ import annotations

import io
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.errors import DataDamaged
from kinestream.signals import ACC

from .archive import FileTree, find_tree
from .recording import Dataset, Entry, Recording

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "unimib"
FALLS_NAME = "unimib-falls51"
DATA, LABELS = "data/acc_data.mat", "data/acc_labels.mat"
FALLS = "data/split/split51/fall_splitted_data5_folds.mat"
ARCHIVES = ("*unimib*",)
FS_HZ = 50.0
WINDOW, FALL_WINDOW = 151, 51
WINDOW_HOLE_S = 1.0
"""How far apart two windows are laid: each was cut out of a trial on its own."""
FALL_NAMES = (
    "falling_forward",
    "falling_right",
    "falling_back",
    "falling_obstacle",
    "falling_protection",
    "falling_chair",
    "falling_syncope",
    "falling_left",
)
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
    *FALL_NAMES,
)
"""In the order of the file's class numbers 1 to 17."""


def open_unimib(data_dir: Path) -> Dataset:
    """One recording a person, each window a segment of its own.

    Raises:
        DataMissing: it is not there.
        DataDamaged: a file is no MATLAB file or has another shape.
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
    return Dataset(NAME, LABEL_NAMES, [Entry(f"user{one:02}", str(one), partial(load, one)) for one in subjects])


def open_unimib_falls51(data_dir: Path) -> Dataset:
    """The fall windows of the 51-sample version, one recording a class, of people the file does not name.

    Raises:
        DataMissing, DataDamaged: as ``open_unimib``.
    """
    tree = find_tree(FALLS_NAME, FALLS, ARCHIVES, data_dir)

    @cache
    def cells() -> list[NDArray[Any]]:
        found = list(_matrix(tree, FALLS, "splitted_data").ravel())
        shapes = [np.shape(cell) for cell in found]
        if len(shapes) != len(FALL_NAMES) or any(len(shape) != 2 or shape[1] != 3 * FALL_WINDOW for shape in shapes):
            raise DataDamaged(f"{FALLS} in {tree.source} holds {shapes}; expected 8 of (n, {3 * FALL_WINDOW})")
        return found

    def load(code: int) -> Recording:
        data = cells()[code].astype(np.float32)
        return _recording(FALLS_NAME, FALL_NAMES[code], "unknown", data, np.full(len(data), code), FALL_NAMES)

    return Dataset(
        FALLS_NAME, FALL_NAMES, [Entry(name, "unknown", partial(load, i)) for i, name in enumerate(FALL_NAMES)]
    )


def _recording(
    dataset: str, name: str, subject: str, rows: NDArray[np.float32], codes: NDArray[Any], names: tuple[str, ...]
) -> Recording:
    """(windows, 3 * length) rows as one recording."""
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
            f"{name} in {tree.source} is no MATLAB file with '{variable}' ({error}); fetch it again"
        ) from error
