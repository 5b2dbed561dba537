"""Texts in a wire header: names of streams and epochs, lists of channels and of labels.

The texts repeat from message to message, so each is validated once and cached.
"""

from __future__ import annotations

import re
from functools import lru_cache

from kinestream.core.errors import ConfigError, DecodeError
from kinestream.core.signals import CHANNEL_UNITS

MAX_NAME_BYTES = 255
MAX_LIST_BYTES = 16_384
MAX_LABELS = 256

_CHANNEL = re.compile(r"[A-Za-z0-9_]{1,64}")


@lru_cache(maxsize=256)
def name_bytes(name: str) -> bytes:
    """Return the bytes of a stream's or epoch's name.

    Raises:
        ConfigError: the name is empty, too long, or has unprintable characters.
    """
    data = name.encode("utf-8", "surrogatepass")
    if not (1 <= len(data) <= MAX_NAME_BYTES and name.isprintable()):
        raise ConfigError(f"the name {name!r} cannot be sent; expected 1 to {MAX_NAME_BYTES} bytes of printable UTF-8")
    return data


@lru_cache(maxsize=256)
def name_text(data: bytes) -> str:
    """Return a stream's or epoch's name from its bytes.

    Raises:
        DecodeError: the name is empty, too long, not UTF-8, or has unprintable characters.
    """
    name = _text(data)
    if not (1 <= len(data) <= MAX_NAME_BYTES and name.isprintable()):
        raise DecodeError(f"a name of {len(data)} bytes; expected 1 to {MAX_NAME_BYTES} of printable UTF-8", data)
    return name


@lru_cache(maxsize=64)
def channel_bytes(channels: tuple[str, ...]) -> bytes:
    """Return the bytes of a channel list: one channel per line, known channels followed by their unit.

    Raises:
        ConfigError: a name repeats, or has characters other than letters, digits and underscores.
    """
    data = "\n".join(f"{name} {CHANNEL_UNITS[name]}" if name in CHANNEL_UNITS else name for name in channels).encode(
        "utf-8", "surrogatepass"
    )
    try:
        if channel_names(data) == channels:
            return data
    except DecodeError:
        pass
    raise ConfigError(
        f"channels {channels!r} cannot be sent; expected different names of 1 to 64 letters, digits and underscores, "
        f"at most {MAX_LIST_BYTES} bytes in all"
    )


@lru_cache(maxsize=64)
def channel_names(data: bytes) -> tuple[str, ...]:
    """Return the channel names in the bytes of a channel list. A known channel must have its standard unit.

    Raises:
        DecodeError: a name or unit is not allowed, or a channel repeats.
    """
    names: list[str] = []
    for line in _lines(data):
        name, _, unit = line.partition(" ")
        if _CHANNEL.fullmatch(name) is None:
            raise DecodeError(f"a channel named {name!r}; expected 1 to 64 letters, digits and underscores", data)
        if name in CHANNEL_UNITS and unit != CHANNEL_UNITS[name]:
            raise DecodeError(f"channel {name} in {unit!r}; expected '{CHANNEL_UNITS[name]}'", data)
        names.append(name)
    if len(set(names)) != len(names):
        raise DecodeError("a channel named twice; expected each once", data)
    return tuple(names)


@lru_cache(maxsize=64)
def label_bytes(names: tuple[str, ...]) -> bytes:
    """Return the bytes of a label list, one name per line.

    Raises:
        ConfigError: there are too many names, or one is empty or has a line break or unprintable characters.
    """
    data = "\n".join(names).encode("utf-8", "surrogatepass")
    try:
        if label_names(data) == names:
            return data
    except DecodeError:
        pass
    raise ConfigError(
        f"label names {names!r} cannot be sent; expected at most {MAX_LABELS}, none empty, all printable, "
        f"at most {MAX_LIST_BYTES} bytes in all"
    )


@lru_cache(maxsize=64)
def label_names(data: bytes) -> tuple[str, ...]:
    """Return the label names in the bytes of a label list.

    Raises:
        DecodeError: there are too many names, or one is empty or has unprintable characters.
    """
    names = tuple(_lines(data))
    if len(names) > MAX_LABELS or not all(name and name.isprintable() for name in names):
        raise DecodeError(f"bad label names; expected at most {MAX_LABELS}, none empty, all printable", data)
    return names


def _lines(data: bytes) -> list[str]:
    if len(data) > MAX_LIST_BYTES:
        raise DecodeError(f"a list of names of {len(data)} bytes; expected at most {MAX_LIST_BYTES}", data)
    return _text(data).split("\n") if data else []


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise DecodeError("a name that is not UTF-8", data) from None
