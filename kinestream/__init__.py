"""kinestream: live activity recognition with one network cut, window by window, to what the moment can afford."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinestream.core.errors import KinestreamError
    from kinestream.core.input_spec import InputSpec
    from kinestream.core.operating_table import OperatingPoint, OperatingTable
    from kinestream.core.signals import Decision, Prediction, SampleChunk, Subnet, Window
    from kinestream.launch.open_source import open_source
    from kinestream.run.pipeline import Pipeline
    from kinestream.run.session import Session

__all__ = [
    "Decision",
    "InputSpec",
    "KinestreamError",
    "OperatingPoint",
    "OperatingTable",
    "Pipeline",
    "Prediction",
    "SampleChunk",
    "Session",
    "Subnet",
    "Window",
    "open_source",
]
__version__ = "0.1.0"

# From 1.29 on, ONNX Runtime reports every session to its maker unless this is set before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "KinestreamError": "core.errors",
    "InputSpec": "core.input_spec",
    "OperatingPoint": "core.operating_table",
    "OperatingTable": "core.operating_table",
    "Pipeline": "run.pipeline",
    "Session": "run.session",
    "open_source": "launch.open_source",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use (PEP 562): numpy alone costs 0.1 s, which `kinestream --help` need not wait for.
    if name not in __all__:
        raise AttributeError(f"module 'kinestream' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"kinestream.{_HOMES.get(name, 'core.signals')}"), name)
