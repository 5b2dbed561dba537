"""From irregular samples to the windows a model expects."""

from .mapping import ChannelMap
from .segmenter import Segmenter
from .sensing import Sensed
from .training import TrainingWindows, training_windows

__all__ = ["ChannelMap", "Segmenter", "Sensed", "TrainingWindows", "training_windows"]
