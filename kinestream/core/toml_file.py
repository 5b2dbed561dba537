"""Things that a TOML file describes: some come with kinestream, anybody may write another."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from .did_you_mean import unknown
from .errors import ConfigError

LINE_LENGTH = 80
"""A list of strings that together are longer is written with one string a line."""


class Description(NamedTuple):
    """A TOML text, and what to call it."""

    name: str
    text: str
    path: Path | None
    """None: it came with kinestream."""


def bundled_names(package: str) -> tuple[str, ...]:
    """Those that come with kinestream, in a package of TOML files."""
    found = (item.name for item in files(package).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def read_description(what: str, package: str, name_or_path: str) -> Description:
    """A bundled one by its name, or a file.

    Args:
        what: for messages, e.g. ``scenario``.
    Raises:
        ConfigError: there is none of that name (the nearest is named), or the file cannot be read.
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
    """The tables of a text; ``where`` begins the message of the ``ConfigError`` if it is no TOML."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{where} is no TOML file: {' '.join(str(error).split())}") from None


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


def check_keys(where: str, told: Any, known: Iterable[str]) -> None:
    """Refuse what is no table, or has a key that is not known.

    Raises:
        ConfigError: it is; the message begins with ``where``.
    """
    if not isinstance(told, dict):
        raise ConfigError(f"{where}: expected a table")
    known = list(known)
    for key in told:
        if key not in known:
            raise ConfigError(f"{where}: {unknown('key', key, known)}")
