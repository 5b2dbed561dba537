"""Checked reading of a TOML table, key by key, with a message for every mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kinestream.core.did_you_mean import did_you_mean
from kinestream.core.errors import ConfigError

from .decoder import MAX_PACKET_BYTES, uuid16

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Table:
    """Returns checked values; ``close()`` refuses keys that were not read.

    Args:
        given: the parsed table.
        where: the file and the table, for messages.

    >>> table = Table({"rate_hz": 50}, "my.toml")
    >>> table.number("rate_hz", least=1, most=100)
    50.0
    >>> table.close()
    """

    def __init__(self, given: Mapping[str, Any], where: str) -> None:
        self.given = given
        self.where = where
        self._known: set[str] = set()

    def error(self, text: str) -> ConfigError:
        """The error to raise about this table."""
        return ConfigError(f"{self.where} {text}")

    def close(self) -> None:
        """Refuse unknown keys, suggesting the nearest known one."""
        for key in self.given:
            if key not in self._known:
                hint = did_you_mean(key, self._known)
                raise self.error(f"has the unknown key '{key}'{hint}; known: {', '.join(sorted(self._known))}")

    def text(self, key: str, default: str | None = None, choices: tuple[str, ...] = ()) -> str:
        """A non-empty string, one of ``choices`` if given."""
        value = self._take(key, default)
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise self._wrong(key, value, "a string")
        if choices and value not in choices:
            raise self._wrong(key, value, f"one of {', '.join(choices)}")
        return value

    def texts(self, key: str, default: list[str] | None = None) -> list[str]:
        """A list of non-empty strings."""
        value = self._take(key, default)
        if not isinstance(value, list) or not all(isinstance(entry, str) and entry for entry in value):
            raise self._wrong(key, value, "a list of strings")
        return value

    def number(self, key: str, least: float, most: float, default: float | None = None) -> float:
        """A number within limits."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self._wrong(key, value, f"a number from {least:g} to {most:g}")
        return float(value)

    def boolean(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def hex(self, key: str) -> bytes:
        """Bytes in hexadecimal."""
        value = self.text(key)
        try:
            data = bytes.fromhex(value)
        except ValueError:
            data = b""
        if not 1 <= len(data) <= MAX_PACKET_BYTES:
            raise self._wrong(key, value, f"1 to {MAX_PACKET_BYTES} bytes in hexadecimal, two digits each")
        return data

    def uuid(self, text: str) -> str:
        """The full, lower-case form of a UUID given in full or as the four digits of an assigned one."""
        short = text.strip().lower()
        if re.fullmatch(r"[0-9a-f]{4}", short):
            return uuid16(short)
        if not _UUID.fullmatch(short):
            raise self.error(f"has the UUID '{text}'; expected e.g. 19b10001-e8f2-537e-4f6c-d104768a1214 or 2a19")
        return short

    def table(self, key: str, default: Mapping[str, Any] | None = None) -> Table:
        """A table within this table."""
        value = self._take(key, default)
        if not isinstance(value, Mapping):
            raise self._wrong(key, value, "a table")
        return Table(value, f"{self.where}: [{key}]")

    def tables(self, key: str) -> list[Table]:
        """The tables of an array; empty if the key is missing."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
            raise self._wrong(key, value, f"[[{key}]] tables")
        return [Table(entry, f"{self.where}: [[{key}]] {k}") for k, entry in enumerate(value, 1)]

    def _take(self, key: str, default: Any) -> Any:
        self._known.add(key)
        if key not in self.given and default is None:
            raise self.error(f"lacks '{key}'")
        return self.given.get(key, default)

    def _wrong(self, key: str, value: Any, expected: str) -> ConfigError:
        return self.error(f"has {key} = {value!r:.80}; expected {expected}")
