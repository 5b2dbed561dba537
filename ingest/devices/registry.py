"""The known kinds of devices, by name and by advertisement."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from kinestream.core.did_you_mean import did_you_mean
from kinestream.core.errors import ConfigError

from ..profile.profile import Advertisement, Profile

_NAMES = (
    "polar",
    "movesense",
    "metamotion",
    "dot",
    "witmotion",
    "thingy52",
    "sensortag",
    "microbit",
    "infinitime",
    "muse",
    "adafruit",
    "bluest",
    "openearable",
    "esense",
    "nus",
)
"""Each is a module in this package. If two match a device equally well, the earlier one wins."""

GENERIC = "generic"


@cache
def profiles() -> tuple[Profile, ...]:
    """The profiles of all known kinds of devices.

    >>> profiles()[0].title
    'Polar H10, Verity Sense, OH1'
    """
    return tuple(import_module(f".{name}", __package__).PROFILE for name in _NAMES)


def find_profile(name: str) -> Profile:
    """The profile with this name; ``generic:FILE.toml`` reads a user's own description.

    Raises:
        ConfigError: the name is unknown (the message suggests the nearest), or the description is invalid.

    >>> find_profile("dot").title
    'Xsens / Movella DOT'
    """
    wanted, separator, file = name.strip().partition(":")
    wanted = wanted.lower()
    if wanted == GENERIC:
        if not file:
            raise ConfigError("generic needs your description of the sensor; write generic:FILE.toml")
        from ..profile.generic import load

        return load(Path(file).expanduser())
    wanted += separator + file
    if wanted in _NAMES:
        return import_module(f".{wanted}", __package__).PROFILE
    hint = did_you_mean(wanted, _NAMES)
    raise ConfigError(f"'{name}' is not a known device{hint}; known: {', '.join(_NAMES)}, {GENERIC}:FILE.toml")


def recognise(advertisement: Advertisement) -> Profile | None:
    """The profile that matches an advertisement best; None if no known device matches.

    >>> recognise(Advertisement("Thingy")).name
    'thingy52'
    """
    best, best_match = None, 0
    for profile in profiles():
        match = profile.signature.match(advertisement)
        if match > best_match:
            best, best_match = profile, match
    return best
