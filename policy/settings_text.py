"""``KEY=VALUE,...`` as a person types it, and the complaints about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError

Reader = Callable[[Any], Any]
"""Makes the value of a setting from its text, or from what a TOML file says; ValueError where it is none."""


def settings(owner: str, text: str, known: Iterable[str]) -> dict[str, str]:
    """The settings in a text, not yet converted; ``known`` are named where the form is wrong.

    Raises:
        ConfigError: an item is not KEY=VALUE, or a key is given twice.
    """
    found: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise ConfigError(f"{owner}: '{item}' is not KEY=VALUE; keys are {', '.join(known)}")
        if key in found:
            raise ConfigError(f"{owner}: {key} is given twice")
        found[key] = value
    return found


def converted(owner: str, given: Mapping[str, Any], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The settings with every value read by its key's reader.

    Raises:
        ConfigError: an unknown key (the nearest known one is named), or a value of another kind.
    """
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in readers:
            raise ConfigError(unknown(f"{owner}: key", key, readers))
        try:
            values[key] = readers[key](value)
        except (ValueError, TypeError, OverflowError):
            raise ConfigError(f"{owner}: {key}={value} is not {_expected(readers[key])}") from None
    return values


def real(value: Any) -> float:
    """A number; a truth value is none."""
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def whole(value: Any) -> int:
    """A whole number; 2.5 is none."""
    if isinstance(value, (bool, float)):
        raise TypeError
    return int(value)


def truth(value: Any) -> bool:
    """``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    if str(value) not in ("true", "false"):
        raise ValueError
    return value == "true"


def _expected(reader: Reader) -> str:
    return {real: "a number", float: "a number", whole: "a whole number", truth: "true or false"}.get(reader, "a text")
