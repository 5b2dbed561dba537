"""The known kinds of devices, by name and by what they advertise."""

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
"""Each is a module beside this one. Of two that recognise a device equally well, the earlier is taken."""

GENERIC = "generic"


@cache
def profiles() -> tuple[Profile, ...]:
    """Every known kind of device."""
    return tuple(import_module(f".{name}", __package__).PROFILE for name in _NAMES)


def find_profile(name: str) -> Profile:
    """The kind of device of a name; ``generic:FILE.toml`` reads one's own description.

    Raises:
        ConfigError: there is none; the message has the nearest one. Or the description is wrong.
    """
    wanted, separator, file = name.strip().partition(":")
    wanted = wanted.lower()
    if wanted == GENERIC:
        if not file:
            raise ConfigError("generic needs your description of the sensor: write generic:FILE.toml")
        from ..profile.generic import load

        return load(Path(file).expanduser())
    wanted += separator + file
    if wanted in _NAMES:
        return import_module(f".{wanted}", __package__).PROFILE
    hint = did_you_mean(wanted, _NAMES)
    raise ConfigError(f"'{name}' is no known device{hint}; known: {', '.join(_NAMES)}, {GENERIC}:FILE.toml")


def recognise(advertisement: Advertisement) -> Profile | None:
    """The kind of device that advertises so; None if it is none that we know."""
    best, best_match = None, 0
    for profile in profiles():
        match = profile.signature.match(advertisement)
        if match > best_match:
            best, best_match = profile, match
    return best
