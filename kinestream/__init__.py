"""Live activity recognition from a wearable motion sensor, with one neural network that shrinks on the fly."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .core.lazy import lazy_names

if TYPE_CHECKING:
    from kinestream.core.errors import KinestreamError
    from kinestream.core.input_spec import InputSpec
    from kinestream.core.operating_table import OperatingPoint, OperatingTable
    from kinestream.core.signals import Decision, Prediction, SampleChunk, Subnet, Window
    from kinestream.launch.build_run import build_run
    from kinestream.launch.open_source import open_source
    from kinestream.launch.predictions import Predictions
    from kinestream.launch.recogniser import Recogniser, load
    from kinestream.launch.run_options import RunOptions
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
    "Predictions",
    "Recogniser",
    "RunOptions",
    "SampleChunk",
    "Session",
    "Subnet",
    "Window",
    "build_run",
    "load",
    "open_source",
]
__version__ = "0.1.0"

# From 1.29 on, ONNX Runtime reports every session to its maker unless this is set before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Loaded on first use: numpy alone costs 0.1 s, which `kinestream --help` need not wait for.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("Decision", "Prediction", "SampleChunk", "Subnet", "Window"), ".core.signals"),
        **dict.fromkeys(("OperatingPoint", "OperatingTable"), ".core.operating_table"),
        "InputSpec": ".core.input_spec",
        "KinestreamError": ".core.errors",
        "Pipeline": ".run.pipeline",
        "Session": ".run.session",
        "Predictions": ".launch.predictions",
        **dict.fromkeys(("Recogniser", "load"), ".launch.recogniser"),
        "RunOptions": ".launch.run_options",
        "build_run": ".launch.build_run",
        "open_source": ".launch.open_source",
    },
)
