"""WISDM v1.1 of 2010: 36 people, a phone in the trouser pocket, acceleration at 20 Hz, one text file.

The about-file describes the unit as the phone's reading with 10 = 1 g, i.e. m/s^2, gravity included.

Source: Kwapisz, Weiss, Moore, Activity Recognition using Cell Phone Accelerometers, SensorKDD 2010; WISDM Lab, Fordham.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from kinestream.core.signals import ACC

from ..recording import Dataset, Entry, Recording
from ..tables.tidy import tidy_times
from .archive import find_tree
from .wisdm_rows import Rows, read_records

NAME = "wisdm"
MARKER = "WISDM_ar_v1.1_raw.txt"
ARCHIVES = ("*wisdm_ar*",)
FS_HZ = 20.0
LABEL_NAMES = ("walking", "jogging", "walking_upstairs", "walking_downstairs", "sitting", "standing")
ACTIVITIES = (b"Walking", b"Jogging", b"Upstairs", b"Downstairs", b"Sitting", b"Standing")
"""The file's spelling, in the order of ``LABEL_NAMES``."""


def open_wisdm(data_dir: Path) -> Dataset:
    """One recording per person. One file mixes the rows of all people, so it is read here, once.

    Rows without a recognisable person (broken lines) count in the first recording's ``repairs``.

    Raises:
        DataMissing: the dataset is not in ``data_dir``.
        DataDamaged: more than a tenth of the rows are unusable.
    """
    tree = find_tree(NAME, MARKER, ARCHIVES, data_dir)
    rows = read_records(tree.read(MARKER), dict(zip(ACTIVITIES, range(6), strict=True)), f"{MARKER} in {tree.source}")
    users, first_rows = np.unique(rows.user, return_index=True)
    first_user = int(rows.user[first_rows.min()])
    entries = [
        Entry(f"user{user:02}", str(user), partial(_load, rows, user, rows.repairs if user == first_user else {}))
        for user in users.tolist()
    ]
    return Dataset(NAME, LABEL_NAMES, entries)


def _load(rows: Rows, user: int, read_repairs: Mapping[str, int]) -> Recording:
    own = np.flatnonzero(rows.user == user)
    t = (rows.t_ns[own] - rows.t_ns[own].min()) / 1e9
    x = rows.xyz[own]
    tidied = tidy_times(t, x)
    keep = tidied.keep
    return Recording(
        NAME,
        f"user{user:02}",
        str(user),
        FS_HZ,
        ACC,
        t[keep],
        x[keep],
        rows.label[own][keep],
        LABEL_NAMES,
        tidied.segments,
        {**read_repairs, **tidied.repairs},
    )
