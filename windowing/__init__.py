"""From irregular samples to the windows a model expects."""

from .mapping import ChannelMap
from .segmenter import Segmenter
from .training import TrainingWindows, training_windows

__all__ = ["ChannelMap", "Segmenter", "TrainingWindows", "training_windows"]
