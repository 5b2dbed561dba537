"""Vectors in the values of a reading, however an app or a relay in between writes them."""

from __future__ import annotations

from kinestream.core.signals import AXES

from .json_text import measured
from .readings import MAX_VALUE

Vector = tuple[float, float, float]


def vector(values: object) -> Vector | None:
    """Return the three numbers in a reading's values; None if they are not there, or no sensor measures them.

    Numbers may be written in quotes, as a list, or one level deeper, where the values have a single entry.

    >>> vector({"x": 0.5, "y": "-1.25", "z": 9.75}), vector([0.5, -1.25, 9.75])
    ((0.5, -1.25, 9.75), (0.5, -1.25, 9.75))
    >>> vector({"acceleration": {"x": 1, "y": 2, "z": 3}}), vector({"x": {"value": 1}, "y": {"value": 2}, "z": 3})
    ((1.0, 2.0, 3.0), (1.0, 2.0, 3.0))
    """
    if isinstance(values, dict):
        x, y, z = values.get("x"), values.get("y"), values.get("z")
        if type(x) is type(y) is type(z) is float and abs(x) <= MAX_VALUE >= abs(y) and abs(z) <= MAX_VALUE:
            return x, y, z  # as the app writes them: this line decides the cost of a phone
        if len(values) == 1:
            (values,) = values.values()
    if isinstance(values, dict):
        values = [values.get(axis) for axis in AXES]
    if not isinstance(values, list) or len(values) != len(AXES):
        return None
    x, y, z = (_number(value) for value in values)
    return None if x is None or y is None or z is None else (x, y, z)


def named_vector(values: object, name: str) -> Vector | None:
    """Return the vector ``name`` of several in a reading's values.

    >>> named_vector({"gravityX": 0, "gravityY": 0, "gravityZ": -1}, "gravity")
    (0.0, 0.0, -1.0)
    >>> named_vector({"gravity": {"x": 0, "y": 0, "z": -1}}, "gravity")
    (0.0, 0.0, -1.0)
    """
    if not isinstance(values, dict):
        return None
    if name in values:
        return vector(values[name])
    return vector([values.get(f"{name}{axis.upper()}") for axis in AXES])


def _number(value: object) -> float | None:
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    return measured(value)
