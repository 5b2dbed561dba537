"""TOML files: those bundled with kinestream, those of the user, and writing new ones."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from .did_you_mean import unknown
from .errors import ConfigError

LINE_LENGTH = 80
"""A list of strings that together are longer is written with one string a line."""

MAX_CHARACTERS = 1 << 18
MAX_KEY_PARTS = 50
_LONG_KEY = re.compile(rf"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){{{MAX_KEY_PARTS}}}""", re.ASCII)
"""A key such as ``a.b.c`` with so many parts that reading it takes minutes: the time grows with their square."""


class Description(NamedTuple):
    """A TOML text and its name."""

    name: str
    text: str
    path: Path | None
    """None for a bundled file."""


def bundled_names(package: str) -> tuple[str, ...]:
    """Return the names of the TOML files in a package, sorted.

    >>> "commute" in bundled_names("kinestream.lab.scenarios")
    True
    """
    names = (item.name for item in files(package).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def read_description(what: str, package: str, name_or_path: str) -> Description:
    """Return the bundled file of that name, or the file at a path that ends in ``.toml``.

    Args:
        what: the kind of file for messages, such as ``scenario``.
    Raises:
        ConfigError: no bundled file has that name (the message suggests the nearest), or the file cannot be read.

    >>> read_description("scenario", "kinestream.lab.scenarios", "commute").name
    'commute'
    """
    if not name_or_path.endswith(".toml"):
        names = bundled_names(package)
        if name_or_path not in names:
            raise ConfigError(unknown(what, name_or_path, names) + ", or a file.toml")
        return Description(name_or_path, (files(package) / f"{name_or_path}.toml").read_text("utf-8"), None)
    path = Path(name_or_path)
    try:
        return Description(path.stem, path.read_text("utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{what} {path}: {getattr(error, 'strerror', None) or error}") from None


def parse_toml(where: str, text: str) -> dict[str, Any]:
    """Return the tables in a TOML text.

    Args:
        where: the file's name, which begins the message of an error.
    Raises:
        ConfigError: the text is not valid TOML, has a whole number beyond the 64 bits that TOML allows, or is longer
            than anybody writes.

    >>> parse_toml("my.toml", "[sensor]\\nrate_hz = 50")
    {'sensor': {'rate_hz': 50}}
    """
    if len(text) > MAX_CHARACTERS or _LONG_KEY.search(text):
        raise ConfigError(
            f"{where} is too large: expected at most {MAX_CHARACTERS} characters, and keys of fewer than "
            f"{MAX_KEY_PARTS} parts; name the right file"
        )
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a ValueError also for a number of too many digits
        raise ConfigError(f"{where} is not valid TOML: {' '.join(str(error).split())}; fix the file") from None
    if _has_huge_number(content):
        raise ConfigError(f"{where} is not valid TOML: a whole number has more than 64 bits; fix the file")
    return content


def _has_huge_number(value: Any) -> bool:
    """Whether a whole number is too large for TOML; others would overflow wherever they are used."""
    if isinstance(value, Mapping):
        return any(map(_has_huge_number, value.values()))
    if isinstance(value, list):
        return any(map(_has_huge_number, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def toml_text(tables: Mapping[str, Any], comment: str = "") -> str:
    """Return the TOML text of plain values, lists and tables, below a comment of one line.

    >>> print(toml_text({"kind": "slowdown", "limit": [{"kind": "battery", "hours": 8.0}]}, "A policy."), end="")
    # A policy.
    kind = "slowdown"
    <BLANKLINE>
    [[limit]]
    kind = "battery"
    hours = 8.0
    """
    import tomlkit  # takes 50 ms, and most programs write no TOML

    return (f"# {comment}\n" if comment else "") + tomlkit.dumps(_laid_out(tables))


def _laid_out(value: Any) -> Any:
    """The value with long lists of strings spread over lines."""
    if isinstance(value, Mapping):
        return {key: _laid_out(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        import tomlkit

        array = tomlkit.array()
        array.extend(value)
        return array.multiline(sum(map(len, value)) > LINE_LENGTH)
    return value


def check_keys(where: str, table: Any, known: Iterable[str]) -> None:
    """Check that a value is a table with known keys only.

    Raises:
        ConfigError: it is not a table, or has an unknown key; the message begins with ``where``.

    >>> check_keys("my.toml", {"rate_hz": 50}, ["rate_hz", "label"])
    """
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: expected a table")
    known = list(known)
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}: {unknown('key', key, known)}")
