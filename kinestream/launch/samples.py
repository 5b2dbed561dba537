"""From a program's array or table to the samples of one stream, refused in words where they cannot be used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.errors import ConfigError, InputMismatch
from kinestream.core.signals import ACC, GYRO, STANDARD_GRAVITY, UNLABELLED, SampleChunk
from kinestream.replay_data.tables.open_table import GRAVITY_RANGE, MAX_RATE_ERROR, MAX_TURN_RATE, PLAUSIBLE_STEP_S

from .sample_columns import column_names, from_array, from_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec

CHUNK_S = 0.5
"""Samples are handed on in chunks of this length, as the player of recordings does."""
TIME_COLUMN = "time"
"""The column of a table that holds the samples' times."""


@dataclass(frozen=True, slots=True)
class Samples:
    """One recording as a program holds it, checked against what a model needs."""

    t: NDArray[np.float64]
    """(n,) seconds."""
    x: NDArray[np.float32]
    """(n, channels) SI units."""
    channels: tuple[str, ...]
    fs_hz: float
    labels: NDArray[np.int16] | None
    """(n,) codes into ``label_names``; None: no labels."""
    label_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.t)

    def chunks(self, stream: str) -> Iterator[SampleChunk]:
        """The samples as one epoch of a stream."""
        size = max(1, round(CHUNK_S * self.fs_hz))
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            labels = None if self.labels is None else self.labels[part]
            t = self.t[part]
            yield SampleChunk(
                *(stream, "0", t, self.x[part], self.channels, self.fs_hz, start, float(t[-1]), labels),
                self.label_names,
            )

    def unit_warnings(self) -> list[str]:
        """A sentence for each sensor whose values look like another unit than m/s^2 or rad/s."""
        warnings = []
        if set(ACC) <= set(self.channels):
            median = float(np.nanmedian(self._norm(ACC)))
            low, high = GRAVITY_RANGE
            for unit, factor in (("g", STANDARD_GRAVITY), ("mg", STANDARD_GRAVITY / 1000)):
                if not low <= median <= high and low <= median * factor <= high:
                    warnings.append(
                        f"the acceleration looks like {unit}: its median is {median:.3g}, and at rest it is 9.8 m/s^2; "
                        f"multiply it by {factor:.6g}"
                    )
        if set(GYRO) <= set(self.channels):
            fastest = float(np.nanpercentile(self._norm(GYRO), 99))
            if fastest > MAX_TURN_RATE:
                warnings.append(
                    f"the angular rate looks like degrees per second: it reaches {fastest:.3g}, and {MAX_TURN_RATE:g} "
                    "rad/s is the most a wearer does; multiply it by pi / 180"
                )
        return warnings

    def _norm(self, names: Sequence[str]) -> NDArray[np.float64]:
        return np.linalg.norm(self.x[:, [self.channels.index(name) for name in names]].astype(np.float64), axis=1)


def read_samples(
    data: Any,
    spec: InputSpec,
    model: str,
    *,
    fs_hz: float | None = None,
    channels: Sequence[str] | None = None,
    time: Any = None,
    labels: Any = None,
) -> Samples:
    """The samples of an array or a table, checked.

    Args:
        data: (n, channels) numbers, or a table with named columns.
        spec: the model's input.
        model: its name, for messages.
        fs_hz, channels, time, labels: see ``Recogniser.predict``.

    Raises:
        InputMismatch: the data do not fit the model.
        ConfigError: an argument beside the data is wrong.
    """
    if isinstance(data, (str, Path)):
        raise InputMismatch(
            f"data is the text '{data}'; expected samples: read the file first, e.g. with pandas or numpy"
        )
    names = column_names(data)
    if names is None:
        x, known = from_array(data, spec, model, channels)
    else:
        if channels is not None:
            raise ConfigError("channels names the columns of an array; a table names its own: leave channels out")
        x, known = from_table(data, names, spec, model)
        if time is None and TIME_COLUMN in names:
            time = TIME_COLUMN
        time = data[time] if isinstance(time, str) and time in names else time
        labels = data[labels] if isinstance(labels, str) and labels in names else labels
    if not len(x):
        raise InputMismatch(f"the data hold no samples; {model} needs at least {spec.window_s:g} s")
    if not np.isfinite(x).all(axis=1).any():
        raise InputMismatch("every sample holds a NaN or infinite value; expected numbers: fill or drop the gaps first")
    rate_hz = None if fs_hz is None else _rate(fs_hz)
    if time is None:
        rate_hz = rate_hz or spec.fs_hz
        t = np.arange(len(x)) / rate_hz
    else:
        t, rate_hz = _seconds(time, len(x), rate_hz)
    spec.check_rate(rate_hz)
    codes, label_names = (None, ()) if labels is None else _label_codes(labels, len(x))
    return Samples(t, x, known, rate_hz, codes, label_names)


def _rate(fs_hz: float) -> float:
    if not (isinstance(fs_hz, Real) and math.isfinite(fs_hz) and fs_hz > 0):
        raise ConfigError(f"fs_hz is {fs_hz!r}; expected the sampling rate in Hz, e.g. 50")
    return float(fs_hz)


def _seconds(time: Any, n: int, fs_hz: float | None) -> tuple[NDArray[np.float64], float]:
    """The times in seconds, dates since the first of them, and the nominal rate."""
    if isinstance(time, str):
        raise ConfigError(f"time is '{time}', which is not a column; expected a column's name, or a time per sample")
    times = np.asarray(time)
    if times.dtype.kind == "O" and hasattr(times.flat[0], "timestamp"):
        times = np.array([stamp.timestamp() - times.flat[0].timestamp() for stamp in times.flat])
    if times.dtype.kind == "M":
        times = times - times.flat[0]
    if times.dtype.kind == "m":
        times = times / np.timedelta64(1, "s")
    if times.dtype.kind not in "iuf" or times.shape != (n,):
        raise InputMismatch(f"time is {times.dtype} of shape {times.shape}; expected {n} times in seconds, or dates")
    t = times.astype(np.float64)
    steps = np.diff(t)
    rising = steps[steps > 0]
    if 2 * len(rising) < len(steps) or not len(rising):
        raise InputMismatch(f"time rises in {len(rising)} of {len(steps)} steps; expected each sample after the last")
    step_s = float(np.median(rising))
    low, high = PLAUSIBLE_STEP_S
    if not low <= step_s <= high:
        units = {"ms": 1e3, "us": 1e6, "ns": 1e9}
        fitting = [f"{unit}: divide by {factor:g}" for unit, factor in units.items() if low <= step_s / factor <= high]
        raise InputMismatch(
            f"time rises by {step_s:.3g} s a sample; expected {low:g} to {high:g} s (5 to 500 Hz)"
            + (f"; it looks like {fitting[0]}" if fitting else "; give it in seconds")
        )
    measured_hz = 1 / step_s
    if fs_hz is not None and abs(measured_hz - fs_hz) > MAX_RATE_ERROR * fs_hz:
        raise InputMismatch(f"fs_hz is {fs_hz:g}, but time rises at {measured_hz:.4g} Hz; correct one of them")
    whole = round(measured_hz)
    nominal_hz = float(whole) if abs(measured_hz - whole) < 0.02 * measured_hz else round(measured_hz, 2)
    return t, fs_hz or nominal_hz


def _label_codes(labels: Any, n: int) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """Codes and names; None, NaN and an empty text are no label."""
    if isinstance(labels, str):
        raise ConfigError(
            f"labels is '{labels}', which is not a column; expected a column's name, or a name per sample"
        )
    values = list(labels)
    if len(values) != n:
        raise InputMismatch(f"{len(values)} labels for {n} samples; expected one per sample")
    values = [None if value is None or value == "" or value != value else value for value in values]
    strange = next((value for value in values if value is not None and not isinstance(value, str)), None)
    if strange is not None:
        raise InputMismatch(f"label {strange!r} is not a name; expected texts such as 'walking', or None")
    names = tuple(sorted({value for value in values if value is not None}))
    code = {name: i for i, name in enumerate(names)}
    return np.array([UNLABELLED if value is None else code[value] for value in values], np.int16), names
