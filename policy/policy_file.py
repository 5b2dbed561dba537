"""A policy in a TOML file: its kind and settings, and its limits under ``[[limit]]``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

from kinestream.core.atomic_file import write_atomically
from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError
from kinestream.core.toml_file import parse_toml, toml_text

from .catalog import Part, keys_of, settings_of
from .external_policy import is_file, name_of
from .interface import Policy
from .rules.composed import parts_of
from .settings_text import value_text


def read_policy_file(path: Path) -> tuple[Part, ...]:
    """The policies in a file such as ``save_policy`` writes. A policy file holds settings and names no code, so that
    one can be taken from anybody.

    Raises:
        ConfigError: the file is missing or not valid TOML, has no kind, names a Python file, or has an unknown kind or
            key (the nearest known one is named).
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"policy {path}: {error.strerror or error}; give a policy's name or its file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"policy {path} is not valid TOML: {error}; fix the file") from None
    content = parse_toml(f"policy {path}", text)
    limits = content.pop("limit", [])
    if not isinstance(limits, list) or not all(isinstance(limit, dict) for limit in limits):
        raise ConfigError(f"policy {path}: expected [[limit]] tables, each with a kind")
    return tuple(_part(path, dict(table)) for table in (content, *limits))


def _part(path: Path, content: dict[str, Any]) -> Part:
    kind = content.pop("kind", None)
    if not isinstance(kind, str):
        raise ConfigError(f'policy {path}: expected kind = "battery" or another policy\'s name, found {kind!r}')
    if is_file(kind):
        raise ConfigError(
            f"policy {path}: kind {kind!r} is a Python file, and a policy file names no code; if you trust it, name it "
            f"yourself: --policy {path.parent / kind}"
        )
    try:
        keys = keys_of(kind)
    except ConfigError as error:
        raise ConfigError(f"policy {path}: {error}") from None
    for key in content:
        if keys and key not in keys:
            raise ConfigError(f"policy {path}: {unknown('key', key, [*keys, 'kind', 'limit'])}")
    return Part(kind, content, str(path))


def save_policy(policy: Policy, path: Path) -> None:
    """Write a file from which ``make_policy(str(path), table)`` makes this policy again.

    Raises:
        ConfigError: the file cannot be written, or the policy is a Python file.

    >>> from kinestream.core.operating_table import OperatingPoint, OperatingTable
    >>> from kinestream.core.signals import Subnet
    >>> table = OperatingTable("tiny", "by hand", "none", (OperatingPoint(Subnet(1.0, 128), 0.9, 1, 2.0, 2.2, 1.0),))
    >>> import tempfile
    >>> from kinestream.policy import make_policy
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_policy(make_policy("deadline=20", table), Path(folder) / "mine.toml")
    ...     [part.kind for part in read_policy_file(Path(folder) / "mine.toml")]
    ['deadline']
    """
    try:
        write_atomically(path, policy_toml(policy))
    except OSError as error:
        raise ConfigError(f"policy {path} cannot be saved: {error.strerror or error}") from None


def policy_toml(policy: Policy) -> str:
    """The content of the policy's file.

    Raises:
        ConfigError: the policy is a Python file, which a policy file does not name.
    """
    first, *limits = (_table(part) for part in parts_of(policy))
    tables = {**first, "limit": limits} if limits else first
    return toml_text(tables, "A kinestream policy: kinestream run SOURCE --policy THIS_FILE")


def _table(policy: Policy) -> dict[str, Any]:
    kind = name_of(policy)
    if is_file(kind):
        raise ConfigError(f"a policy file names no code; instead of saving, run with --policy {kind}")
    return {"kind": kind, **{key: _plain(value) for key, value in settings_of(policy).items()}}


def _plain(value: Any) -> Any:
    """The value as TOML has it."""
    return value if isinstance(value, (bool, int, float, str)) and not isinstance(value, Enum) else value_text(value)
