"""UCI-HAR: 30 people, a phone at the waist, windows of 128 samples at 50 Hz that overlap by half.

Layout: ``{train,test}/Inertial Signals/{body_acc,body_gyro,total_acc}_{x,y,z}_{train,test}.txt``, 128 numbers per row,
acceleration in g, angular rate in rad/s; ``subject_*.txt`` and ``y_*.txt``: subject and activity, one number per row.

Source: Anguita et al., A Public Domain Dataset for Human Activity Recognition Using Smartphones, ESANN 2013;
UCI Machine Learning Repository 240.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import ACC, AXES, BODY_ACC, GYRO, STANDARD_GRAVITY

from ..recording import Dataset, Entry, Recording
from .archive import FileTree, find_tree
from .hapt import BASIC_LABELS, read_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "uci-har"
MARKER = "train/Inertial Signals/body_acc_x_train.txt"
ARCHIVES = ("*uci?har*", "*human?activity?recognition?using?smartphones*")
FS_HZ = 50.0
WINDOW, HOP = 128, 64
SEGMENT_HOLE_S = 1.0
"""Assumed time between two segments: the windows do not record how much time passed."""
LABEL_NAMES = BASIC_LABELS
CHANNELS = (*BODY_ACC, *GYRO, *ACC)
_STEMS = ("body_acc", "body_gyro", "total_acc")


def open_uci_har(data_dir: Path) -> Dataset:
    """One recording per person, with overlapping windows stitched back into streams.

    Raises:
        DataMissing: the dataset is not in ``data_dir``.
        DataDamaged: the files disagree about the number of windows.
    """
    tree = find_tree(NAME, MARKER, ARCHIVES, data_dir)
    entries = []
    for split in ("train", "test"):
        subjects, labels = (
            read_rows(tree.read(name), 1, f"{name} in {tree.source}")[:, 0].astype(np.int16)
            for name in (f"{split}/subject_{split}.txt", f"{split}/y_{split}.txt")
        )
        if len(subjects) != len(labels) or not set(labels.tolist()) <= set(range(1, len(LABEL_NAMES) + 1)):
            raise DataDamaged(
                f"{tree.source}: {len(subjects)} rows in subject_{split}.txt, {len(labels)} in y_{split}.txt; "
                f"expected equal numbers, and labels 1 to {len(LABEL_NAMES)}: fetch it again"
            )
        entries.extend(
            Entry(f"{split}_user{subject:02}", str(subject), partial(_load, tree, split, subjects, labels, subject))
            for subject in np.unique(subjects).tolist()
        )
    return Dataset(NAME, LABEL_NAMES, sorted(entries, key=lambda entry: int(entry.subject)))


def _load(
    tree: FileTree, split: str, subjects: NDArray[np.int16], labels: NDArray[np.int16], subject: int
) -> Recording:
    own = np.flatnonzero(subjects == subject)
    windows = np.stack(
        [_signal(tree, split, stem, axis, own, len(subjects)) for stem in _STEMS for axis in AXES], axis=2
    )
    runs = overlapping_runs(windows)
    x = np.concatenate([stitch(windows[start:stop]) for start, stop in runs])
    codes = np.concatenate([_stitch_labels(labels[own[start:stop]] - 1) for start, stop in runs])
    edges = np.cumsum([0, *((stop - start + 1) * HOP for start, stop in runs)]).tolist()
    segment = np.repeat(np.arange(len(runs)), np.diff(edges))
    x[:, :3] *= STANDARD_GRAVITY
    x[:, 6:] *= STANDARD_GRAVITY
    return Recording(
        NAME,
        f"{split}_user{subject:02}",
        str(subject),
        FS_HZ,
        CHANNELS,
        np.arange(len(x)) / FS_HZ + segment * SEGMENT_HOLE_S,
        x.astype(np.float32),
        codes,
        LABEL_NAMES,
        tuple(pairwise(edges)),
    )


def _signal(tree: FileTree, split: str, stem: str, axis: str, own: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    """(len(own), 128) values; parses only this person's rows, about a thirtieth of the file."""
    name = f"{split}/Inertial Signals/{stem}_{axis}_{split}.txt"
    lines = tree.read(name).splitlines()
    if len(lines) != n:
        raise DataDamaged(f"{name} in {tree.source}: {len(lines)} rows; expected {n}, as in subject_{split}.txt")
    return read_rows(b"\n".join(lines[row] for row in own), WINDOW, f"{name} in {tree.source} (rows of one person)")


def overlapping_runs(windows: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Half-open ranges of windows in which each window begins with the second half of the one before.

    Args:
        windows: (n, 128, channels) in file order.
    """
    follows = (windows[:-1, HOP:] == windows[1:, :HOP]).all(axis=(1, 2))
    edges = [0, *(np.flatnonzero(~follows) + 1).tolist(), len(windows)]
    return list(pairwise(edges))


def stitch(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """((n + 1) * 64, channels): the stream from which ``windows`` (n, 128, channels) were cut."""
    return np.concatenate([windows[0, :HOP], *windows[:, HOP:]])


def _stitch_labels(codes: NDArray[np.int16]) -> NDArray[np.int16]:
    """Labels per sample: each window labels its second half, the first window also its first half."""
    return np.repeat(np.concatenate([codes[:1], codes]), HOP)
