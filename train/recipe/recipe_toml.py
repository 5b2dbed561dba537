"""Recipes as TOML files: read with every key checked, written with every setting named."""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
import typing
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from kinestream.core.did_you_mean import did_you_mean
from kinestream.core.errors import ConfigError
from kinestream.core.toml_file import toml_text

from .schema import Recipe

Table = TypeVar("Table")

OVERLAYS = ("paper", "robust")
"""The bundled recipes that lie over a network's own; a model bears its overlay's name after its own."""


def recipe_names() -> tuple[str, ...]:
    """The recipes that come with kinestream."""
    found = (item.name for item in resources.files("kinestream.train.recipes").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def load_recipe(name: str | Path, *overlays: str | Path) -> Recipe:
    """The recipe of that name or file; the keys of each overlay, a name or file too, replace those before it.

    A bundled overlay stands in the name of the model, ``uci_cnn_paper``: it is not what the network's own recipe makes.

    Raises:
        ConfigError: a file is missing or no TOML, a key is unknown (names the nearest known one), missing, or wrong.
    """
    tables: dict[str, Any] = _merged({}, (name,))
    for overlay in overlays:
        _merged(tables, (overlay,))
        if str(overlay) in OVERLAYS:
            tables["name"] = f"{tables['name']}_{overlay}"
    return parse_recipe(tables)


def lay_over(recipe: Recipe, *overlays: str | Path) -> Recipe:
    """The recipe with the keys of each overlay, a name or file, in place of its own.

    Raises:
        ConfigError: as ``load_recipe``.
    """
    return parse_recipe(_merged(tomllib.loads(to_toml(recipe)), overlays))


def _merged(tables: dict[str, Any], sources: Iterable[str | Path]) -> dict[str, Any]:
    for source in sources:
        for key, value in _read(source).items():
            tables[key] = {**tables.get(key, {}), **value} if isinstance(value, dict) else value
    return tables


def parse_recipe(tables: dict[str, Any]) -> Recipe:
    """The recipe out of what a TOML file holds; a number of 0 stands for None where None is allowed.

    Raises:
        ConfigError: as ``load_recipe``.
    """
    return _build(Recipe, tables, "")


def to_toml(recipe: Recipe) -> str:
    """The recipe with every setting written out; ``parse_recipe`` reads it back to an equal one."""
    return toml_text(_stated(dataclasses.asdict(recipe)))


def _stated(value: Any) -> Any:
    """The value with 0 for None, which TOML does not have."""
    if isinstance(value, dict):
        return {key: _stated(inner) for key, inner in value.items()}
    return 0 if value is None else value


def differences(one: Recipe, other: Recipe) -> list[str]:
    """What two recipes set otherwise, one setting each: ``training.epochs 30, not 20``."""
    ours, theirs = (_flat(dataclasses.asdict(recipe)) for recipe in (one, other))
    pairs = [(key, ours.get(key), theirs.get(key)) for key in dict.fromkeys([*ours, *theirs])]
    return [f"{key} {_plain(mine)}, not {_plain(its)}" for key, mine, its in pairs if mine != its]


def _plain(value: Any) -> str:
    return json.dumps(_stated(value), ensure_ascii=False)


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _read(source: str | Path) -> dict[str, Any]:
    names = recipe_names()
    if str(source) in names:
        text = resources.files("kinestream.train.recipes").joinpath(f"{source}.toml").read_text("utf-8")
    else:
        try:
            text = Path(source).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"recipe '{source}' cannot be read; name a TOML file or {', '.join(names)}") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"recipe '{source}' is not TOML: {error}") from error


def _build(kind: type[Table], values: dict[str, Any], where: str) -> Table:
    """A dataclass out of one TOML table; ``where`` is the table's name for messages."""
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    place = f"recipe table [{where}]" if where else "the recipe"
    for key in values:
        if key not in fields:
            raise ConfigError(f"{place} has an unknown key '{key}'{did_you_mean(key, fields, 0.0)}")
    required = (name for name, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING)
    if missing := [name for name in required if name not in values]:
        raise ConfigError(f"{place} lacks '{missing[0]}'")
    hints = typing.get_type_hints(kind)
    return kind(**{key: _convert(hints[key], value, key, place) for key, value in values.items()})


def _convert(hint: Any, value: Any, key: str, place: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _build(typing.cast("type", hint), value, key)
    if isinstance(hint, types.UnionType):  # X | None
        return _convert(typing.get_args(hint)[0], value, key, place) if value else None
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_convert(typing.get_args(hint)[0], item, key, place) for item in value)
    if typing.get_origin(hint) is dict and isinstance(value, dict):
        return {name: _convert(typing.get_args(hint)[1], item, f"{key}.{name}", place) for name, item in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        expected = getattr(hint, "__name__", str(hint))
        raise ConfigError(f"{place}: '{key}' is {value!r}; expected {expected}")
    return value
