"""Package facades whose names are loaded on first use (PEP 562).

Imports nothing but ``sys`` and ``importlib``, because ``import kinestream`` pays for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a package that loads its public names on first use.

    Args:
        package: the package's ``__name__``.
        homes: name to the module that defines it, relative to the package: ``{"Session": ".run.session"}``.

    >>> getattr_, dir_ = lazy_names("kinestream.core", {"Subnet": ".signals"})
    >>> getattr_("Subnet").__name__
    'Subnet'
    >>> "Subnet" in dir_()
    True
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name], package), name)
        setattr(sys.modules[package], name, value)  # the next access finds it without this function
        return value

    def names() -> list[str]:
        module = vars(sys.modules[package])
        public = {*homes, *module.get("__all__", ())}
        loaded = {name for name in module if name.startswith("__") or f"{package}.{name}" in sys.modules}
        return sorted(public | loaded)

    return get, names
