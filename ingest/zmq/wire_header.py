"""The texts in a wire header: names of streams and sessions, lists of channels and of labels.

They repeat from message to message, so each is checked once and kept, not once a packet.
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
    """A stream's or session's name as it is sent.

    Raises:
        ConfigError: empty, too long, or with unprintable characters.
    """
    data = name.encode("utf-8", "surrogatepass")
    if not (1 <= len(data) <= MAX_NAME_BYTES and name.isprintable()):
        raise ConfigError(f"the name {name!r} cannot be sent; expected 1 to {MAX_NAME_BYTES} bytes of printable UTF-8")
    return data


@lru_cache(maxsize=256)
def name_text(data: bytes) -> str:
    """A stream's or session's name as it was sent.

    Raises:
        DecodeError: empty, too long, not UTF-8, or with unprintable characters.
    """
    name = _text(data)
    if not (1 <= len(data) <= MAX_NAME_BYTES and name.isprintable()):
        raise DecodeError(f"a name of {len(data)} bytes; expected 1 to {MAX_NAME_BYTES} of printable UTF-8", data)
    return name


@lru_cache(maxsize=64)
def channel_bytes(channels: tuple[str, ...]) -> bytes:
    """The channels, one a line, each known one followed by its unit.

    Raises:
        ConfigError: a name with other than letters, digits and underscores, or one given twice.
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
        f"channels {channels!r} cannot be sent; each once, of 1 to 64 letters, digits and underscores, "
        f"at most {MAX_LIST_BYTES} bytes in all"
    )


@lru_cache(maxsize=64)
def channel_names(data: bytes) -> tuple[str, ...]:
    """The channels of a list as it was sent. A known channel must come in its one unit.

    Raises:
        DecodeError: a name or unit that is not allowed, or a channel named twice.
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
        raise DecodeError("a channel named twice", data)
    return tuple(names)


@lru_cache(maxsize=64)
def label_bytes(names: tuple[str, ...]) -> bytes:
    """The label names, one a line.

    Raises:
        ConfigError: too many, an empty one, or one with a line break or unprintable characters.
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
    """The label names of a list as it was sent.

    Raises:
        DecodeError: too many, an empty one, or unprintable characters.
    """
    names = tuple(_lines(data))
    if len(names) > MAX_LABELS or not all(name and name.isprintable() for name in names):
        raise DecodeError(f"label names; expected at most {MAX_LABELS}, none empty, all printable", data)
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
