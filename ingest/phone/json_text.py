"""JSON from strangers: what is no JSON, too deep or no number is a ``DecodeError``, never anything else."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from kinestream.core.errors import DecodeError

from .readings import MOST


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object in these bytes.

    Raises:
        DecodeError: they hold anything else.
    """
    try:
        found = json.loads(data, parse_constant=_refuse)
    except RecursionError:
        raise DecodeError("JSON nested too deeply; expected a flat message", data[:64]) from None
    except ValueError as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise DecodeError(f"no JSON: {error}", data[:64]) from None
    if not isinstance(found, dict):
        raise DecodeError(f"a JSON {type(found).__name__}; expected an object", data[:64])
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def measured(value: object) -> float | None:
    """A number that a sensor may have measured; None for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -MOST <= value <= MOST:
        return float(value)
    return None


def whole(value: object, largest: int) -> int | None:
    """A whole number from 0 to ``largest``, also where it is written as 1.0 or in quotes; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest:
        return value
    return None
