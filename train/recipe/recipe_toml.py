"""Recipes as TOML files: every key is checked on reading, every setting is written out."""

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
from kinestream.core.toml_file import parse_toml, toml_text

from .schema import Recipe

Table = TypeVar("Table")

OVERLAYS = ("everyone", "original", "paper", "robust")
"""The bundled recipes that only replace settings of a network's own; the model's name ends with the overlay's."""


def recipe_names() -> tuple[str, ...]:
    """The names of the bundled recipes, overlays included.

    >>> {"uci", "paper"} <= set(recipe_names())
    True
    """
    file_names = (item.name for item in resources.files("kinestream.train.recipes").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in file_names if name.endswith(".toml")))


def load_recipe(name: str | Path, *overlays: str | Path) -> Recipe:
    """The recipe with this name or path; settings of each overlay, also a name or path, replace those before it.

    A bundled overlay is appended to the model's name, because the result is another model than the network's own
    recipe gives.

    >>> recipe = load_recipe("uci", "paper")
    >>> recipe.name, recipe.training.epochs
    ('uci_cnn_paper', 150)

    Raises:
        ConfigError: a file is missing or not valid TOML, or a key is unknown (the message names the nearest known
            one), missing, or has a wrong value.
    """
    tables: dict[str, Any] = _merged({}, (name,))
    for overlay in overlays:
        _merged(tables, (overlay,))
        if str(overlay) in OVERLAYS:
            tables["name"] = f"{tables['name']}_{overlay}"
    return parse_recipe(tables)


def lay_over(recipe: Recipe, *overlays: str | Path) -> Recipe:
    """The recipe with its settings replaced by those of each overlay, a name or path.

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
    """The recipe of a TOML file's tables; 0 means None for a number that can be None.

    Raises:
        ConfigError: as ``load_recipe``.
    """
    return _build(Recipe, tables, "")


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML with every setting written out; ``parse_recipe`` returns an equal recipe.

    >>> recipe = load_recipe("uci")
    >>> parse_recipe(tomllib.loads(to_toml(recipe))) == recipe
    True
    """
    return toml_text(_zero_for_none(dataclasses.asdict(recipe)))


def _zero_for_none(value: Any) -> Any:
    """The value with 0 for None, which TOML does not have."""
    if isinstance(value, dict):
        return {key: _zero_for_none(inner) for key, inner in value.items()}
    return 0 if value is None else value


def differences(first: Recipe, second: Recipe) -> list[str]:
    """The settings in which two recipes differ, one line each.

    >>> differences(load_recipe("uci"), load_recipe("uci", "robust"))
    ['name "uci_cnn", not "uci_cnn_robust"', 'augmentation.any_rotation 0.0, not 0.5', 'augmentation.rate 0.0, not 0.5']
    """
    left, right = (_flat(dataclasses.asdict(recipe)) for recipe in (first, second))
    pairs = [(key, left.get(key), right.get(key)) for key in dict.fromkeys([*left, *right])]
    return [f"{key} {_json(value)}, not {_json(other)}" for key, value, other in pairs if value != other]


def _json(value: Any) -> str:
    return json.dumps(_zero_for_none(value), ensure_ascii=False)


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
    return parse_toml(f"recipe '{source}'", text)


def _build(kind: type[Table], values: dict[str, Any], where: str) -> Table:
    """The dataclass ``kind`` with the values of one TOML table, which messages call ``where``."""
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    place = f"recipe table [{where}]" if where else "the recipe"
    for key in values:
        if key not in fields:
            raise ConfigError(f"{place} has an unknown key '{key}'{did_you_mean(key, fields, 0.0)}")
    required = (name for name, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING)
    if missing := [name for name in required if name not in values]:
        raise ConfigError(f"{place} lacks '{missing[0]}'; add it")
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
