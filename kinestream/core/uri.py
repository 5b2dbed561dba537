"""Addresses of sources and targets, split into their parts."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from .errors import ConfigError


def split_uri(uri: str) -> SplitResult:
    """Return the parts of an address such as ``ble://polar?rate=52``.

    Raises:
        ConfigError: it has a bracket that belongs to no IPv6 address, or a character that stands for another one of an
            address, such as a full-width slash.

    >>> split_uri("ble://polar?rate=52").netloc
    'polar'
    """
    try:
        return urlsplit(uri)
    except ValueError as error:
        raise ConfigError(
            f"'{uri}' is not an address ({error}); write special characters in hex: [ as %5B, ] as %5D"
        ) from None
