"""One network, many subnetworks: load, cut, run, time."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .architecture import PRESETS, RESOLUTIONS, WIDTHS, Architecture, macs
from .bundled_models import find_model, list_models
from .model import Model
from .model_file import load_model, save_model

if TYPE_CHECKING:
    from .engine import Engine, Output
    from .measure import candidates, operating_table

__all__ = [
    "PRESETS",
    "RESOLUTIONS",
    "WIDTHS",
    "Architecture",
    "Engine",
    "Model",
    "Output",
    "candidates",
    "find_model",
    "list_models",
    "load_model",
    "macs",
    "operating_table",
    "save_model",
]

# ONNX Runtime takes 0.2 s to import: only who runs a network pays for it.
_LAZY = {
    "Engine": "engine",
    "Output": "engine",
    "candidates": "measure",
    "operating_table": "measure",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
