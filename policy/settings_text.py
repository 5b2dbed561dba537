"""``KEY=VALUE,...`` as a person types it: split, read, and written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the value of a setting from its text or from what a TOML file holds."""

    expected: str
    """The expected value, for messages: ``a number``."""
    read: Callable[[Any], Any]
    """Raises ValueError, TypeError, KeyError or OverflowError for anything else."""


def _real(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, (bool, float)):
        raise TypeError
    return int(value)


def _truth(value: Any) -> bool:
    return value if isinstance(value, bool) else {"true": True, "false": False}[value]


REAL = Reader("a number", _real)
WHOLE = Reader("a whole number", _whole)
TRUTH = Reader("true or false", _truth)
TEXT = Reader("a text", str)


def split_settings(owner: str, text: str, known: Iterable[str]) -> dict[str, str]:
    """Return the settings in a text, not yet read; a wrong form is refused with the ``known`` keys.

    Raises:
        ConfigError: an item is not KEY=VALUE, or a key is given twice.

    >>> split_settings("policy latency", "low=0.6, span=5", ["low", "span"])
    {'low': '0.6', 'span': '5'}
    """
    settings: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise ConfigError(f"{owner}: '{item}' is not KEY=VALUE; keys are {', '.join(known)}")
        if key in settings:
            raise ConfigError(f"{owner}: {key} is given twice")
        settings[key] = value
    return settings


def read_settings(owner: str, given: Mapping[str, Any], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the settings with every value read by its key's reader.

    Raises:
        ConfigError: an unknown key (the nearest known one is named), or a value of another type.

    >>> read_settings("policy latency", {"low": "0.6", "span": 5}, {"low": REAL, "span": WHOLE})
    {'low': 0.6, 'span': 5}
    """
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in readers:
            raise ConfigError(unknown(f"{owner}: key", key, readers))
        try:
            values[key] = readers[key].read(value)
        except (ValueError, TypeError, KeyError, OverflowError):
            raise ConfigError(f"{owner}: {key}={value} is not {readers[key].expected}") from None
    refuse_separators(owner, values)
    return values


def refuse_separators(owner: str, values: Mapping[str, Any]) -> None:
    """Refuse texts that could not be written as ``KEY=VALUE,...`` and joined by ``+``.

    Raises:
        ConfigError: a text holds a comma or a plus.
    """
    for key, value in values.items():
        if isinstance(value, str) and set(value) & set(",+"):
            raise ConfigError(f"{owner}: {key}={value} holds a comma or a plus, which separate settings and policies")


def value_text(value: Any) -> str:
    """Return a value as it is written in a text.

    >>> value_text(True), value_text(0.5)
    ('true', '0.5')
    """
    if isinstance(value, Enum):
        return str(value.value)
    return str(value).lower() if isinstance(value, bool) else str(value)
