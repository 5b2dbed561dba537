"""WISDM 2019: 51 people, 18 activities of three minutes, a phone in the pocket and a watch, 20 Hz.

Layout: ``raw/{phone,watch}/{accel,gyro}/data_<person>_<sensor>_<device>.txt``, m/s^2 and rad/s, ordered by activity.

Source: Weiss, Yoneda, Hayajneh, Smartphone and Smartwatch-Based Biometrics Using Activities of Daily Living,
IEEE Access 2019; UCI Machine Learning Repository 507.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from kinestream.core.errors import DataDamaged
from kinestream.core.signals import ACC, GYRO

from ..recording import Dataset, Entry, Recording
from ..tables.tidy import tidy_times
from .archive import FileTree, find_tree
from .wisdm_rows import Rows, read_records

if TYPE_CHECKING:
    from numpy.typing import NDArray

Device = Literal["watch", "phone"]

NAMES: dict[Device, str] = {"watch": "wisdm2019", "phone": "wisdm2019-phone"}
MARKER = "activity_key.txt"
ARCHIVES = ("*wisdm-dataset*", "*wisdm?smartphone*")
FS_HZ = 20.0
LABEL_NAMES = (
    "walking",
    "jogging",
    "stairs",
    "sitting",
    "standing",
    "typing",
    "brushing_teeth",
    "eating_soup",
    "eating_chips",
    "eating_pasta",
    "drinking",
    "eating_sandwich",
    "kicking",
    "catching",
    "dribbling",
    "writing",
    "clapping",
    "folding_clothes",
)
LETTERS = b"ABCDEFGHIJKLMOPQRS"
"""The file's code of each label; N is unused."""
MAX_GYRO_HOLE_S = 0.25
"""Angular rate is interpolated between two readings at most this far apart."""


def open_wisdm_2019(data_dir: Path, device: Device = "watch") -> Dataset:
    """One recording per person: acceleration, and angular rate if the device has a file of it.

    Raises:
        DataMissing: the dataset is not in ``data_dir``.
        DataDamaged: the archive has no file of that device.
    """
    tree = find_tree(NAMES[device], MARKER, ARCHIVES, data_dir)
    accel = re.compile(rf"raw/{device}/accel/data_(\d+)_accel_{device}\.txt")
    subjects = [match[1] for match in map(accel.fullmatch, tree.names) if match]
    entries = [Entry(f"{subject}_{device}", subject, partial(_load, tree, device, subject)) for subject in subjects]
    if not entries:
        raise DataDamaged(f"{tree.source} has '{MARKER}', but nothing in raw/{device}/accel; fetch it again")
    return Dataset(NAMES[device], LABEL_NAMES, entries)


def _load(tree: FileTree, device: Device, subject: str) -> Recording:
    accel = f"raw/{device}/accel/data_{subject}_accel_{device}.txt"
    gyro = f"raw/{device}/gyro/data_{subject}_gyro_{device}.txt"
    rows = _read(tree, accel)
    channels, x, repairs = ACC, rows.xyz, dict(rows.repairs)
    keep = np.arange(len(x))
    if gyro in tree.names:
        gyro_rows = _read(tree, gyro)
        rates, covered = _interpolate(rows, gyro_rows)
        channels, x, keep = (*ACC, *GYRO), np.hstack([rows.xyz, rates]), np.flatnonzero(covered)
        for kind, n in {**gyro_rows.repairs, "no_gyro": int((~covered).sum())}.items():
            repairs[kind] = repairs.get(kind, 0) + n
    t = (rows.t_ns[keep] - rows.t_ns.min()) / 1e9
    label = rows.label[keep]
    tidied = tidy_times(t, x[keep], label[1:] != label[:-1])
    for kind, n in tidied.repairs.items():
        repairs[kind] = repairs.get(kind, 0) + n
    final = tidied.keep
    return Recording(
        NAMES[device],
        f"{subject}_{device}",
        subject,
        FS_HZ,
        channels,
        t[final],
        x[keep][final],
        label[final],
        LABEL_NAMES,
        tidied.segments,
        {kind: n for kind, n in repairs.items() if n},
    )


def _read(tree: FileTree, name: str) -> Rows:
    codes = {bytes([letter]): code for code, letter in enumerate(LETTERS)}
    return read_records(tree.read(name), codes, f"{name} in {tree.source}")


def _interpolate(accel: Rows, gyro: Rows) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Angular rate at the times of ``accel``, interpolated linearly between readings of the same activity.

    Returns:
        (n, 3) rad/s, and (n,) whether two readings were close enough to interpolate between (a single reading
        suffices at exactly that time).
    """
    rates = np.zeros_like(accel.xyz)
    covered = np.zeros(len(rates), np.bool_)
    for code in np.unique(accel.label):
        own = np.flatnonzero(accel.label == code)
        other = np.flatnonzero(gyro.label == code)
        if len(other) == 0:
            continue
        other = other[np.argsort(gyro.t_ns[other], kind="stable")]
        at, t_gyro = accel.t_ns[own], gyro.t_ns[other]
        after = np.clip(np.searchsorted(t_gyro, at), 0, len(t_gyro) - 1)
        before = np.where(t_gyro[after] == at, after, np.maximum(after - 1, 0))
        inside = (t_gyro[before] <= at) & (at <= t_gyro[after])
        covered[own] = inside & (t_gyro[after] - t_gyro[before] <= MAX_GYRO_HOLE_S * 1e9)
        # Seconds since the first reading: float64 cannot hold nanoseconds since boot exactly.
        at_s, gyro_s = (at - t_gyro[0]) / 1e9, (t_gyro - t_gyro[0]) / 1e9
        for axis in range(3):
            rates[own, axis] = np.interp(at_s, gyro_s, gyro.xyz[other, axis])
    return rates, covered
