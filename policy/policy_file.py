"""A policy in a TOML file: its kind and settings, and under ``[[limit]]`` those that limit it."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError
from kinestream.core.signals import Subnet

from .external_policy import is_file, name_of
from .interface import Policy
from .policy_text import Part, keys_of, settings_of
from .rules.composed import parts_of


def read_policy_file(path: Path) -> tuple[Part, ...]:
    """The policies in a file such as ``save_policy`` writes; a Python file is looked for beside it.

    Raises:
        ConfigError: the file is missing or no TOML, has no kind, or an unknown kind or key (the nearest is named).
    """
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"policy {path}: {error.strerror or error}; give a policy's name or its file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"policy {path} is no TOML file: {' '.join(str(error).split())}") from None
    limits = told.pop("limit", [])
    if not isinstance(limits, list) or not all(isinstance(one, dict) for one in limits):
        raise ConfigError(f"policy {path}: expected [[limit]] tables, each with a kind")
    return tuple(_part(path, dict(one)) for one in (told, *limits))


def _part(path: Path, told: dict[str, Any]) -> Part:
    kind = told.pop("kind", None)
    if not isinstance(kind, str):
        raise ConfigError(f'policy {path}: expected kind = "battery" or another policy\'s name, found {kind!r}')
    if is_file(kind):
        return Part(str(path.parent / kind), told, str(path))
    try:
        keys = keys_of(kind)
    except ConfigError as error:
        raise ConfigError(f"policy {path}: {error}") from None
    for key in told:
        if keys and key not in keys:
            raise ConfigError(f"policy {path}: {unknown('key', key, [*keys, 'kind', 'limit'])}")
    return Part(kind, told, str(path))


def save_policy(policy: Policy, path: Path) -> None:
    """Write a file from which ``make_policy(str(path), table)`` makes this policy again.

    Raises:
        ConfigError: the file cannot be written.
    """
    tables = [_lines(part, path) for part in parts_of(policy)]
    text = "\n".join(["# A kinestream policy: kinestream run SOURCE --policy THIS_FILE", *tables[0]])
    for lines in tables[1:]:
        text += "\n\n[[limit]]\n" + "\n".join(lines)
    aside = path.with_suffix(".part")
    try:
        aside.write_text(text + "\n", "utf-8")
        os.replace(aside, path)
    except OSError as error:
        raise ConfigError(f"policy {path} cannot be saved: {error.strerror or error}") from None


def _lines(policy: Policy, path: Path) -> list[str]:
    kind = name_of(policy)
    if is_file(kind):
        kind = Path(os.path.relpath(kind, path.parent)).as_posix()
    return [f"kind = {json.dumps(kind)}", *(f"{key} = {_value(value)}" for key, value in settings_of(policy).items())]


def _value(value: Any) -> str:
    if isinstance(value, (str, Subnet)):
        return json.dumps(str(value))
    return str(value).lower() if isinstance(value, bool) else repr(value)
