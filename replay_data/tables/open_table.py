"""Opens any CSV or Parquet file of motion samples, one row per sample.

A few unusable rows are skipped and counted (``short_row``, ``missing_value``, ``not_a_number``, ``not_finite``, and the
kinds of ``tidy_times``). A file with more than a tenth of unusable rows, or with impossible units or an impossible
rate, is refused.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinestream.core.errors import ConfigError, DataDamaged
from kinestream.core.signals import ACC, GYRO, UNLABELLED

from ..recording import Dataset, Entry, Recording
from .column_map import ACC_UNITS, GYRO_UNITS, TIME_UNITS, ColumnMap
from .table_file import PROBLEMS, Numbers, TableFile
from .tidy import refuse_if_mostly_bad, tidy_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRAVITY_RANGE = (4.0, 25.0)
"""m/s^2: range of the median acceleration of a worn accelerometer, for any activity."""
MAX_TURN_RATE = 35.0
"""rad/s (2000 deg/s): the full scale of wearable gyroscopes, above the 99th percentile of any movement."""
PLAUSIBLE_STEP_S = (0.002, 0.2)
"""Motion is sampled at 5 to 500 Hz, so the median step reveals the unit; whole seconds or a row count fit no unit."""
POSSIBLE_HZ = (0.1, 100_000.0)
MAX_RATE_ERROR = 0.1
"""Largest relative difference between the declared rate and the rate of the time column."""
MAX_LABELS = 1000
"""Activities in a file; a column of more is not one of labels."""
MAX_SUBJECTS = 10_000
"""People in a file; a column of more does not name people."""
LABEL_ALIASES = {
    "walk": "walking",
    "upstairs": "walking_upstairs",
    "downstairs": "walking_downstairs",
    "sit": "sitting",
    "stand": "standing",
    "laying": "lying",
    "lie": "lying",
    "jog": "jogging",
    "run": "running",
}


def open_table(path: Path, columns: ColumnMap | None = None) -> Dataset:
    """The recordings in one file, one per subject; the file is read here, once.

    Args:
        path: a file of one of ``formats.FORMATS``; a file with another suffix is read as CSV.
        columns: the meaning of the columns, where their names leave it open.

    Raises:
        DataMissing: the file does not exist.
        ConfigError: a column is missing, or a unit or the rate does not fit the data.
        DataDamaged: the file is truncated or not a table, or more than a tenth of its rows are unusable.
    """
    file = TableFile(path)
    columns = (columns or ColumnMap()).resolve(file.header, path.name)
    sensors = [*columns.acc, *columns.gyro]
    file.read(name for name in (columns.time, *sensors, columns.label, columns.subject) if name is not None)

    numbers = {name: file.numbers(name) for name in sensors}
    time_is_date = columns.time is not None and file.is_date(columns.time)
    if columns.time is not None:
        numbers[columns.time] = file.dates(columns.time) if time_is_date else file.numbers(columns.time)
    usable, repairs = _usable_rows(file, numbers, columns.time)

    x = np.stack([numbers[name].values[usable] for name in sensors], axis=1)
    factors, guessed = si_factors(x, columns, path.name)
    x *= factors
    if columns.time is not None:
        t_raw = numbers[columns.time].values[usable]
        time_unit = "s" if time_is_date else columns.time_unit or _time_unit(t_raw, path.name)
        t, fs_hz = _seconds(t_raw, time_unit, columns.rate_hz, path.name)
        if not time_is_date and columns.time_unit is None:
            guessed = [f"time in {time_unit}", *guessed]
    else:
        fs_hz = columns.rate_hz or math.nan  # resolve() ensures a time column or a rate
        t = file.position[usable] / fs_hz
    labels = _labels(file, columns.label, usable)
    subjects = file.texts(columns.subject)[usable] if columns.subject else np.full(int(usable.sum()), path.stem)

    channels = (*(ACC if columns.acc else ()), *(GYRO if columns.gyro else ()))
    entries = []
    names, which = np.unique(subjects, return_inverse=True)
    if len(names) > MAX_SUBJECTS:
        raise ConfigError(
            f"{path.name}: the column {columns.subject} names {len(names)} people; expected at most {MAX_SUBJECTS}: "
            "name another one, e.g. subject=user"
        )
    rows_of = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
    for own in sorted(rows_of, key=lambda rows: int(rows[0])):
        subject = str(subjects[own[0]])
        name = path.stem if subject == path.stem else f"{path.stem}_{subject}"
        recording = _recording(path.name, name, subject, fs_hz, channels, t[own], x[own], labels, own, repairs)
        repairs = {}  # unreadable rows belong to no subject: counted once, in the first recording
        entries.append(Entry(name, subject, partial(_identity, recording)))
    notice = f"{path.name} does not state its units; assuming {', '.join(guessed)} (set others with --columns)"
    return Dataset(path.name, labels[1] if labels else (), entries, (notice,) if guessed else ())


def canonical_label(name: str) -> str:
    """The activity's common name in all datasets.

    >>> canonical_label("WALKING UPSTAIRS"), canonical_label("Upstairs")
    ('walking_upstairs', 'walking_upstairs')
    """
    plain = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")
    return LABEL_ALIASES.get(plain, plain)


def _usable_rows(
    file: TableFile, numbers: Mapping[str, Numbers], time: str | None
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """(n,) whether a row has every number; and the number of other rows, by the first problem of each."""
    first_problem = np.zeros(len(file.line), np.int8)
    example = ""
    for name, column in numbers.items():
        new = (first_problem == 0) & (column.problem > 0)
        if new.any() and not example:
            at = int(np.argmax(new))
            kind = PROBLEMS[column.problem[at] - 1]
            shown = "" if kind == "missing_value" else f" '{file.value(name, at)}'"
            example = f", e.g. {kind}{shown} in line {file.line[at]}, column '{name}'"
            if name == time:
                example += " (expected a number, or a date such as 2024-01-31T12:00:00.020)"
        first_problem[new] = column.problem[new]
    counts = Counter({kind: int((first_problem == code).sum()) for code, kind in enumerate(PROBLEMS, start=1)})
    counts["short_row"] = file.short_rows
    refuse_if_mostly_bad(f"{file.path}{example}", counts, len(first_problem) + file.short_rows)
    return first_problem == 0, {kind: n for kind, n in counts.items() if n}


def si_factors(x: NDArray[np.float64], columns: ColumnMap, where: str) -> tuple[NDArray[np.float64], list[str]]:
    """The factors that convert the columns to SI units.

    Returns:
        (channels,) factors, and descriptions of the units assumed without a statement.
    Raises:
        ConfigError: the values are impossible for a worn sensor.
    """
    factors: list[float] = []
    guessed: list[str] = []
    if columns.acc:
        median = float(np.median(np.linalg.norm(x[:, :3], axis=1)))
        unit, low, high = columns.acc_unit, *GRAVITY_RANGE
        fitting = [name for name in (unit, "m/s^2", "g", "mg") if name and low <= median * ACC_UNITS[name] <= high]
        if not fitting or (unit and fitting[0] != unit):
            hint = f"; it would fit {fitting[0]}" if fitting else ""
            raise ConfigError(
                f"{where}: the median acceleration is {median:.3g} {unit or 'in no known unit'}, but gravity alone "
                f"is 9.8 m/s^2{hint}: give the unit (acc=X,Y,Z:g) and columns that include gravity"
            )
        factors += [ACC_UNITS[fitting[0]]] * 3
        guessed += [] if unit else [f"acceleration in {fitting[0]}"]
    if columns.gyro:
        factor = GYRO_UNITS[columns.gyro_unit or "rad/s"]
        fast = float(np.percentile(np.linalg.norm(x[:, -3:], axis=1), 99)) * factor
        if fast > MAX_TURN_RATE:
            raise ConfigError(
                f"{where}: the angular rate reaches {fast:.3g} rad/s, faster than a person can turn; "
                "if it is in degrees per second, give the unit: gyro=X,Y,Z:dps"
            )
        factors += [factor] * 3
        guessed += [] if columns.gyro_unit else ["angular rate in rad/s"]
    return np.array(factors), guessed


def _time_unit(t: NDArray[np.float64], where: str) -> str:
    """The unit that puts the rate between 5 and 500 Hz.

    Raises:
        ConfigError: no unit does.
        DataDamaged: time does not rise.
    """
    step = _step(t, where)
    low, high = PLAUSIBLE_STEP_S
    for unit, factor in TIME_UNITS.items():
        if low <= step * factor <= high:
            return unit
    raise ConfigError(
        f"{where}: the median step of time is {step:.3g}, which fits no unit between 5 and 500 Hz; "
        "give the unit, e.g. time=ts:ms"
    )


def _seconds(t: NDArray[np.float64], unit: str, rate_hz: float | None, where: str) -> tuple[NDArray[np.float64], float]:
    """The times in seconds since the first, and the nominal rate: as declared, else from the median step.

    Raises:
        ConfigError: the declared rate differs from that of the times, or no sensor has that of the times.
        DataDamaged: time does not rise.
    """
    measured = 1 / (_step(t, where) * TIME_UNITS[unit])
    if rate_hz is not None and abs(measured - rate_hz) > MAX_RATE_ERROR * rate_hz:
        raise ConfigError(
            f"{where}: declared as {rate_hz:g} Hz, but its times (in {unit}) come at {measured:.4g} Hz; "
            "correct the rate or the unit of time"
        )
    low_hz, high_hz = POSSIBLE_HZ
    if not low_hz <= measured <= high_hz:
        raise ConfigError(
            f"{where}: its times (in {unit}) come at {measured:.3g} Hz; expected {low_hz:g} to {high_hz:g} Hz: correct "
            "the unit of time, e.g. time=ts:ms"
        )
    whole = round(measured)
    nominal = float(whole) if abs(measured - whole) < 0.02 * measured else round(measured, 2)
    return (t - t[0]) * TIME_UNITS[unit], rate_hz or nominal


def _step(t: NDArray[np.float64], where: str) -> float:
    """The median of the rising time steps."""
    steps = np.diff(t)
    rising = steps[steps > 0]
    if len(rising) == 0:
        raise DataDamaged(f"{where}: time never rises; expected the time of each sample")
    return float(np.median(rising))


def _labels(
    file: TableFile, column: str | None, usable: NDArray[np.bool_]
) -> tuple[NDArray[np.int16], tuple[str, ...]] | None:
    """Label codes of the usable rows, and the label names; a row without a label is ``UNLABELLED``."""
    if column is None:
        return None
    texts, which = np.unique(file.texts(column)[usable], return_inverse=True)
    canonical = [canonical_label(text) for text in texts.tolist()]
    names = tuple(sorted(set(filter(None, canonical))))
    if len(names) > MAX_LABELS:
        raise ConfigError(
            f"{file.path.name}: the column {column} names {len(names)} activities; expected at most {MAX_LABELS}: "
            "name another one, e.g. label=activity"
        )
    code_of = {name: code for code, name in enumerate(names)}
    codes = np.array([code_of.get(name, UNLABELLED) for name in canonical], np.int16)
    return codes[which], names


def _recording(
    dataset: str,
    name: str,
    subject: str,
    fs_hz: float,
    channels: tuple[str, ...],
    t: NDArray[np.float64],
    x: NDArray[np.float64],
    labels: tuple[NDArray[np.int16], tuple[str, ...]] | None,
    own: NDArray[np.int64],
    repairs: Mapping[str, int],
) -> Recording:
    samples = x.astype(np.float32)
    tidied = tidy_times(t, samples)
    refuse_if_mostly_bad(f"{name} in {dataset}", tidied.dropped, len(t))
    keep = tidied.keep
    return Recording(
        dataset,
        name,
        subject,
        fs_hz,
        channels,
        t[keep],
        samples[keep],
        labels[0][own][keep] if labels else None,
        labels[1] if labels else (),
        tidied.segments,
        {**repairs, **tidied.repairs},
    )


def _identity(recording: Recording) -> Recording:
    return recording
