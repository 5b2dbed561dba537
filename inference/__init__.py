"""One network with many subnetworks: load a model, cut a subnetwork out of it, run it, and measure it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinestream.core.lazy import lazy_names

from .architecture import Architecture, macs
from .bundled_models import find_model, list_models
from .choose_model import Choice, choose_model
from .model import Model
from .model_file import load_model, save_model
from .presets import PRESETS, RESOLUTIONS, WIDTHS

if TYPE_CHECKING:
    from .engine import Engine, Output
    from .measure import candidates, operating_table

__all__ = [
    "PRESETS",
    "RESOLUTIONS",
    "WIDTHS",
    "Architecture",
    "Choice",
    "Engine",
    "Model",
    "Output",
    "candidates",
    "choose_model",
    "find_model",
    "list_models",
    "load_model",
    "macs",
    "operating_table",
    "save_model",
]

# Loaded on first use, because importing ONNX Runtime takes 0.2 s and only a running network needs it.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("Engine", "Output"), ".engine"),
        **dict.fromkeys(("candidates", "operating_table"), ".measure"),
    },
)
