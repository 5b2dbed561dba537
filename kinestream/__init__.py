"""kinestream: live activity recognition with one network cut, window by window, to what the moment can afford."""

from kinestream.errors import KinestreamError
from kinestream.input_spec import InputSpec
from kinestream.operating_table import OperatingPoint, OperatingTable
from kinestream.signals import Decision, Prediction, SampleChunk, Subnet, Window

__all__ = [
    "Decision",
    "InputSpec",
    "KinestreamError",
    "OperatingPoint",
    "OperatingTable",
    "Prediction",
    "SampleChunk",
    "Subnet",
    "Window",
]
__version__ = "0.1.0"
