"""Parsing of untrusted JSON: invalid, too deeply nested or non-numeric input raises only ``DecodeError``."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from kinestream.core.errors import DecodeError

from .readings import MAX_VALUE

MAX_EXAMPLE = 200
"""Maximum length of malformed text that is kept to be shown."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def parse_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object in the bytes.

    Raises:
        DecodeError: the bytes are not a JSON object.

    >>> parse_object(b'{"messageId": 3}')
    {'messageId': 3}
    """
    try:
        value = json.loads(data, parse_constant=_refuse)
    except RecursionError:
        raise DecodeError("JSON nested too deeply; expected a flat message", data[:64]) from None
    except ValueError as error:  # not JSON, not UTF-8, or a number with thousands of digits
        raise DecodeError(f"not valid JSON: {error}; expected an object", data[:64]) from None
    if not isinstance(value, dict):
        raise DecodeError(f"a JSON {type(value).__name__}; expected an object", data[:64])
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def shown(value: object, longest: int = MAX_EXAMPLE) -> str:
    """Return the start of a value as JSON, for messages.

    >>> shown({"x": [1, 2]}, 9)
    '{"x": [1,'
    """
    try:
        return json.dumps(value)[:longest]
    except RecursionError:
        return "nested too deeply"


def measured(value: object) -> float | None:
    """Return the value as a float, also from text, if a sensor can have measured it; else None.

    >>> measured(0.5), measured("-1.5e-3"), measured("1_0"), measured("nan"), measured(True)
    (0.5, -0.0015, None, None, None)
    """
    if isinstance(value, str) and len(value) < 40 and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -MAX_VALUE <= value <= MAX_VALUE:
        return float(value)
    return None


def whole(value: object, largest: int) -> int | None:
    """Return a whole number from 0 to ``largest``, which may be written as 1.0 or in quotes; None for other values.

    >>> whole("12", 100), whole(12.0, 100), whole(-1, 100)
    (12, 12, None)
    """
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest:
        return value
    return None
