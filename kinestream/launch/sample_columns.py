"""The sensor columns of a program's array or table, checked against what a model needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.did_you_mean import did_you_mean
from kinestream.core.errors import ConfigError, InputMismatch
from kinestream.core.signals import ACC, CHANNEL_UNITS, GYRO, MAG

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.input_spec import InputSpec


def channels_of(spec: InputSpec) -> tuple[str, ...]:
    """The sensor channels a model is made from, in order: ``body_acc_x`` is split from ``acc_x``."""
    return spec.needed_from((*ACC, *GYRO, *MAG))


def column_names(data: Any) -> list[str] | None:
    """The names of a table's columns (pandas, polars, pyarrow, a dict of columns); None: not a table."""
    if isinstance(data, Mapping):
        return list(data)
    names = getattr(data, "column_names", None) or getattr(data, "columns", None)
    return None if names is None or callable(names) else list(names)


def from_table(data: Any, names: list[str], spec: InputSpec, model: str) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    available = tuple(name for name in names if name in CHANNEL_UNITS)
    missing = _missing(spec, available)
    if missing:
        others = [str(name) for name in names if name not in CHANNEL_UNITS]
        raise InputMismatch(
            f"{model} needs {', '.join(missing)}; the columns are {', '.join(map(str, names)) or 'none'}"
            f"{did_you_mean(missing[0], others)}: rename the columns, or choose a model made for this sensor"
        )
    columns = [_numbers(data[name], f"column {name}") for name in available]
    lengths = {column.shape for column in columns}
    if len(lengths) > 1 or len(columns[0].shape) != 1:
        shapes = ", ".join(f"{name} {column.shape}" for name, column in zip(available, columns, strict=True))
        raise InputMismatch(f"the columns differ in shape: {shapes}; expected one number per sample in each")
    return np.stack(columns, axis=1), available


def from_array(
    data: Any, spec: InputSpec, model: str, channels: Sequence[str] | None
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    x = _numbers(data, "the data")
    names = channels_of(spec) if channels is None else _checked_names(channels)
    expected = f"(n, {len(names)}): a row per sample, the columns {', '.join(names)}"
    if x.ndim != 2:
        hint = {1: "reshape it, e.g. data.reshape(-1, channels)", 3: "pass one recording, not windows of it"}
        raise InputMismatch(
            f"the data have {x.ndim} dimensions, shape {x.shape}; expected {expected}; "
            f"{hint.get(x.ndim, 'pass a two-dimensional array')}"
        )
    if x.shape[1] != len(names):
        if x.shape[0] == len(names):
            hint = "the array looks transposed: pass data.T"
        elif channels is None:
            hint = "name the columns with channels=[...] if there are others"
        else:
            hint = f"channels names {len(names)}: name each column once"
        raise InputMismatch(f"the data have {x.shape[1]} columns, shape {x.shape}; {model} reads {expected}; {hint}")
    missing = _missing(spec, names)
    if missing:
        raise InputMismatch(
            f"{model} needs {', '.join(missing)}; channels names {', '.join(names)}: "
            "add the missing columns, or choose a model made for this sensor"
        )
    return x, names


def _missing(spec: InputSpec, available: tuple[str, ...]) -> list[str]:
    needed = spec.needed_from(tuple(dict.fromkeys((*available, *ACC, *GYRO, *MAG))))
    return [name for name in needed if name not in available]


def _checked_names(channels: Sequence[str]) -> tuple[str, ...]:
    if isinstance(channels, str):
        raise ConfigError(f"channels is the text '{channels}'; expected a list of names, e.g. ['acc_x', 'acc_y', ...]")
    names = tuple(channels)
    for name in names:
        if name not in CHANNEL_UNITS:
            raise ConfigError(
                f"channel '{name}' is unknown{did_you_mean(str(name), CHANNEL_UNITS)}; "
                f"known: {', '.join(CHANNEL_UNITS)}"
            )
    if len(set(names)) < len(names):
        raise ConfigError(f"channels {list(names)} name a column twice; name each once")
    return names


def _numbers(values: Any, where: str) -> NDArray[np.float32]:
    """The values as float32; None is NaN."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise InputMismatch(f"{where}: rows of different lengths; expected as many numbers in each row") from error
    if array.dtype.kind == "O":
        text = next((value for value in array.flat if isinstance(value, (str, bytes))), None)
        try:
            array = array if text is not None else array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise InputMismatch(f"{where}: not numbers ({error}); convert them to float first") from error
    if array.dtype.kind not in "iuf":
        example = f", e.g. {str(array.flat[0])!r}" if array.size else ""
        raise InputMismatch(f"{where}: {array.dtype} values{example}; expected numbers: convert them to float first")
    with np.errstate(over="ignore"):  # values beyond float32 are not motion: windowing drops and counts them
        return array.astype(np.float32)
